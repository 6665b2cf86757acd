"""Many structures as a few flat arrays: the form in which they are stored, featurized and screened."""

# A atoms of all structures, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry


@dataclass(frozen=True, kw_only=True)
class Crystals:
    """Structures, one after the other.

    Attributes:
        numbers_A: atomic numbers (A,), unsigned 8-bit.
        positions_A3: Cartesian positions (A, 3), Å.
        cells_G33: lattice vectors as rows (G, 3, 3), Å.
        periodic_G3: along which of them each repeats (G, 3), bool.
        first_G: where the atoms of each begin, and the end of the last (G + 1,), int64.
    """

    numbers_A: NDArray[np.uint8]
    positions_A3: NDArray[np.float64]
    cells_G33: NDArray[np.float64]
    periodic_G3: NDArray[np.bool]
    first_G: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cells_G33)

    @property
    def sizes_G(self) -> NDArray[np.int64]:
        """How many atoms each has (G,)."""
        return np.diff(self.first_G)

    @classmethod
    def of(cls, geometries: Iterable[Geometry]) -> Self:
        """Put geometries one after the other."""
        return cls.of_atoms(geometry.atoms() for geometry in geometries)

    @classmethod
    def of_atoms(cls, structures: Iterable[Any]) -> Self:
        """Put ``ase.Atoms`` one after the other."""
        found = list(structures)
        sizes = [len(atoms) for atoms in found]
        return cls(
            numbers_A=np.concatenate([a.numbers for a in found] or [np.empty(0)]).astype(np.uint8),
            positions_A3=np.concatenate([a.positions for a in found] or [np.empty((0, 3))]),
            cells_G33=np.array([a.cell.array for a in found], float).reshape(-1, 3, 3),
            periodic_G3=np.array([a.pbc for a in found], bool).reshape(-1, 3),
            first_G=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        )

    def take(self, indices: NDArray[np.int64] | slice) -> Self:
        """Some of them, in the order asked for; views where a slice of step 1 is asked for."""
        if isinstance(indices, slice) and indices.step in {None, 1}:
            start, stop, _ = indices.indices(len(self))
            stop = max(start, stop)
            atoms = slice(int(self.first_G[start]), int(self.first_G[stop]))
            return type(self)(
                numbers_A=self.numbers_A[atoms],
                positions_A3=self.positions_A3[atoms],
                cells_G33=self.cells_G33[start:stop],
                periodic_G3=self.periodic_G3[start:stop],
                first_G=self.first_G[start : stop + 1] - self.first_G[start],
            )
        chosen = np.arange(len(self))[indices]
        sizes = self.sizes_G[chosen]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(first[-1]) + np.repeat(self.first_G[chosen] - first[:-1], sizes)
        return type(self)(
            numbers_A=self.numbers_A[rows],
            positions_A3=self.positions_A3[rows],
            cells_G33=self.cells_G33[chosen],
            periodic_G3=self.periodic_G3[chosen],
            first_G=first,
        )

    def atoms(self, index: int) -> Any:
        """One of them as an ``ase.Atoms``."""
        from ase import Atoms

        rows = slice(int(self.first_G[index]), int(self.first_G[index + 1]))
        return Atoms(
            self.numbers_A[rows],
            positions=self.positions_A3[rows],
            cell=self.cells_G33[index],
            pbc=self.periodic_G3[index],
        )


def repeats(cell_33: NDArray[np.float64], length: float) -> tuple[int, int, int]:
    """How often a cell is repeated along each of its vectors for its opposite faces to be ``length`` Å apart.

    Args:
        cell_33: lattice vectors as rows, Å; with a volume.
        length: Å.
    """
    heights_3 = 1 / np.linalg.norm(np.linalg.inv(cell_33), axis=0)
    a, b, c = np.maximum(np.ceil(length / heights_3 - 1e-6), 1).astype(int).tolist()
    return a, b, c
