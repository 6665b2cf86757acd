"""The k-points of a structure by a protocol, the same for every code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import UnfitStructureError
from zonemelt.tasks.label.kmesh import folded_mesh
from zonemelt.tasks.quality.symmetry import asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.label.protocol import Protocol
    from zonemelt.tasks.records import Geometry


@dataclass(frozen=True, kw_only=True)
class KPoints:
    """Either a mesh or a list.

    Attributes:
        mesh: divisions of an even Monkhorst-Pack mesh.
        shift: 1 along each vector along which the mesh is shifted by half a division, else 0.
        points: (K, 3), in reciprocal vectors of the cell, all of one weight.
    """

    mesh: tuple[int, int, int] | None = None
    shift: tuple[int, int, int] = (0, 0, 0)
    points: NDArray[np.float64] | None = None

    @property
    def count(self) -> int:
        """Before symmetry."""
        return int(np.prod(self.mesh)) if self.mesh else len(self.points)  # type: ignore[arg-type]

    def weighted(self) -> NDArray[np.float64]:
        """The list (K, 4) with weights that sum to one; of a point and its negative, which are alike, one.

        Raises:
            ValueError: there is a mesh and no list.
        """
        if self.points is None:
            raise ValueError("a mesh has no list of points")
        first: dict[tuple[Any, ...], int] = {}
        weights: list[float] = []
        kept: list[NDArray[np.float64]] = []
        for point in self.points:
            wrapped, negative = (tuple(np.round(sign * point, 9) % 1 % 1) for sign in (1, -1))
            if negative in first:
                weights[first[negative]] += 1
            else:
                first[wrapped] = len(kept)
                kept.append(point)
                weights.append(1.0)
        return np.column_stack([np.array(kept), np.array(weights) / len(self.points)])


def kpoints_of(geometry: Geometry, protocol: Protocol) -> KPoints:
    """The k-points of a structure.

    Raises:
        UnfitStructureError: a folded mesh is asked for, and the structure has no parent.
        OracleError: it does not fit its parent's mesh.
    """
    if protocol.kpoint_mesh is None:
        from ase.calculators.calculator import kptdensity2monkhorstpack

        mesh = kptdensity2monkhorstpack(geometry.atoms(), protocol.kpoint_density, even=True)
        divisions = int(mesh[0]), int(mesh[1]), int(mesh[2])
        moved = [int(protocol.kpoint_shift and n % 2 == 0) for n in divisions]  # one point stays where it is
        return KPoints(mesh=divisions, shift=(moved[0], moved[1], moved[2]))
    if geometry.supercell is None:
        raise UnfitStructureError(
            "a crystal without a parent lattice cannot have a folded mesh",
            where="kpoint_mesh",
            remedy="leave kpoint_mesh out and give kpoint_density",
        )
    return KPoints(points=folded_mesh(geometry.supercell, protocol.kpoint_mesh))


def irreducible(geometry: Geometry, kpoints: KPoints) -> int:
    """How many points are left by symmetry at least: codes see no more symmetry than this."""
    if kpoints.mesh is None:
        return kpoints.count
    import spglib

    atoms = geometry.atoms()
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = asked(spglib.get_ir_reciprocal_mesh, kpoints.mesh, cell, is_shift=kpoints.shift)
    return kpoints.count if found is None else len(np.unique(found[0]))
