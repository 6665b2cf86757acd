"""The fewest displacements of atoms from which, with a crystal's symmetry, its force constants follow."""

# N atoms of a structure, S symmetry operations, D displacements

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.symmetry import asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPAN: Final = 0.2
"""How far directions must be from lying in a plane or on a line: root mean square out of it."""


@dataclass(frozen=True, kw_only=True)
class Displacements:
    """What to displace in one structure, and how to go on from there.

    Attributes:
        atoms_D: which atom each displacement moves (D,).
        directions_D3: unit vectors (D, 3), Cartesian.
        turns_S33: the symmetry operations, as matrices that act on Cartesian columns (S, 3, 3).
        targets_SN: where each operation brings each atom (S, N).
        representatives_N: the atom that stands for each: the first of its orbit.
    """

    atoms_D: NDArray[np.int64]
    directions_D3: NDArray[np.float64]
    turns_S33: NDArray[np.float64]
    targets_SN: NDArray[np.int64]
    representatives_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.atoms_D)


def displacements(atoms: Any, *, tolerance: float | None) -> Displacements:
    """Choose displacements.

    Only one atom of each orbit is moved, and only along directions that its site symmetry does not give. A
    direction is taken both ways unless its site symmetry turns one into the other: differences are central.

    Args:
        atoms: an ``ase.Atoms`` that repeats in all directions.
        tolerance: how far atoms may be from where symmetry has them, Å; None: use no symmetry.
    """
    turns_S33, targets_SN = _operations(atoms, tolerance)
    representatives_N = targets_SN.min(axis=0)
    ways = {
        int(atom): _directions(turns_S33[targets_SN[:, atom] == atom], atoms.cell.array)
        for atom in np.unique(representatives_N)
    }
    return Displacements(
        atoms_D=np.repeat(list(ways), [len(some) for some in ways.values()]),
        directions_D3=np.concatenate(list(ways.values())),
        turns_S33=turns_S33,
        targets_SN=targets_SN,
        representatives_N=representatives_N,
    )


def force_constants(chosen: Displacements, forces_DN3: NDArray[np.float64], length: float) -> Any:
    """Force constants (N, 3, N, 3), eV/Å², from the forces after each displacement.

    Least squares over the images of every displacement u under the site symmetry: Φ = -(Σ F uᵀ)(Σ u uᵀ)⁻¹.
    Since with u also -u is among them, forces at rest and terms of even order cancel.

    Args:
        chosen: what was displaced.
        forces_DN3: eV/Å.
        length: of the displacements, Å.
    """
    size = chosen.targets_SN.shape[1]
    constants_N3N3 = np.zeros((size, 3, size, 3))
    for atom in np.unique(chosen.atoms_D):
        column_N33 = _column(chosen, forces_DN3, int(atom), length)
        for target in np.flatnonzero(chosen.representatives_N == atom):
            operation = int(np.flatnonzero(chosen.targets_SN[:, atom] == target)[0])
            turn_33 = chosen.turns_S33[operation]
            constants_N3N3[chosen.targets_SN[operation], :, target, :] = turn_33 @ column_N33 @ turn_33.T
    return constants_N3N3


def _column(chosen: Displacements, forces_DN3: NDArray[np.float64], atom: int, length: float) -> Any:
    """Φ between every atom and one that was displaced (N, 3, 3)."""
    site = np.flatnonzero(chosen.targets_SN[:, atom] == atom)
    products_N33 = np.zeros((forces_DN3.shape[1], 3, 3))
    squares_33 = np.zeros((3, 3))
    for step in np.flatnonzero(chosen.atoms_D == atom):
        for operation in site:
            turn_33 = chosen.turns_S33[operation]
            moved_3 = length * turn_33 @ chosen.directions_D3[step]
            squares_33 += np.outer(moved_3, moved_3)
            turned_N3 = forces_DN3[step] @ turn_33.T
            products_N33[chosen.targets_SN[operation]] += turned_N3[:, :, None] * moved_3
    return -products_N33 @ np.linalg.inv(squares_33)


def _directions(site_S33: NDArray[np.float64], cell_33: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Directions, both ways where need be, whose images under the site symmetry span space."""
    chosen: list[NDArray[np.float64]] = []
    squares_33 = np.zeros((3, 3))
    candidates = _candidates(cell_33)
    while (rank := _rank(squares_33)) < len(squares_33):
        best: tuple[float, NDArray[np.float64], NDArray[np.float64], bool] | None = None
        for direction_3 in candidates:
            images_S3 = site_S33 @ direction_3
            with_this_33 = squares_33 + images_S3.T @ images_S3 / len(images_S3)
            both = not np.any(images_S3 @ direction_3 < -1 + 1e-6)
            worth = (_rank(with_this_33) - rank) / (2 if both else 1)
            if best is None or worth > best[0] + 1e-9:
                best = (worth, direction_3, with_this_33, both)
        assert best is not None
        worth, direction_3, squares_33, both = best
        assert worth > 0  # the axes are among the candidates
        chosen += [direction_3, -direction_3] if both else [direction_3]
    return chosen


def _rank(squares_33: NDArray[np.float64]) -> int:
    return int((np.linalg.eigvalsh(squares_33) > _SPAN**2).sum())


def _candidates(cell_33: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Lattice vectors, their sums and differences, and the axes, as unit vectors."""
    sums = [np.array(m) @ cell_33 for m in product((0, 1, -1), repeat=3) if any(m) and m > (0, 0, 0)]
    return [vector / np.linalg.norm(vector) for vector in (*np.eye(3), *sums)]


def _operations(atoms: Any, tolerance: float | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import spglib

    size = len(atoms)
    if tolerance is None:
        return np.eye(3)[None], np.arange(size)[None]
    fractions_N3 = atoms.get_scaled_positions(wrap=False)
    given = (atoms.cell.array, fractions_N3, atoms.numbers)
    found = asked(spglib.get_symmetry_dataset, given, symprec=tolerance)
    if found is None:
        raise InputError(
            "spglib finds no symmetry, not even the identity",
            where=atoms.get_chemical_formula(),
            remedy="are two atoms in one place?",
        )
    frame_33 = atoms.cell.array.T
    turns_S33 = frame_33 @ found.rotations @ np.linalg.inv(frame_33)
    targets_SN = np.array(
        [
            _targets(atoms, fractions_N3, rotation @ fractions_N3.T + shift[:, None])
            for rotation, shift in zip(found.rotations, found.translations, strict=True)
        ]
    )
    return turns_S33, targets_SN


def _targets(atoms: Any, fractions_N3: NDArray[np.float64], moved_3N: NDArray[np.float64]) -> Any:
    """Which atom each is brought to (N,): the nearest of its element."""
    apart_NN3 = moved_3N.T[:, None, :] - fractions_N3[None]
    apart_NN3 -= np.round(apart_NN3)
    lengths_NN = np.linalg.norm(apart_NN3 @ atoms.cell.array, axis=2)
    lengths_NN[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
    return lengths_NN.argmin(axis=1)
