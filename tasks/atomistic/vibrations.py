"""Vibrations at the Γ point of many crystals from a potential's forces, and what they say as features."""

# A atoms of all structures, G structures, N atoms of a structure, D displacements, M optic modes, F features

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.atomistic.symmetric_displacements import displacements, force_constants
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.symmetric_displacements import Displacements
    from zonemelt.tasks.potentials.potential import Evaluated, Potential

STEP: Final = 0.015
"""Å: far enough for single precision, near enough for central differences to be good to about 0.1 %."""
TOLERANCE: Final = 1e-3
"""Å within which atoms count as symmetric."""


@dataclass(frozen=True, kw_only=True)
class Vibrations:
    """The optic modes of one crystal at Γ, in the geometry that was given.

    Attributes:
        frequencies_M: cm⁻¹, ascending (3N - 3,); an imaginary one stands as a negative number.
        modes_MN3: mass-weighted, each of length 1 (M, N, 3).
        masses_N: u.
        constants_N3N3: force constants, symmetric, with the acoustic sum rule, eV/Å².
        residual_force: the largest on an atom at rest, eV/Å: the geometry is not the potential's own.
        pressure: of the potential on this cell, eV/Å³, positive where it wants to expand.
        evaluations: how many displaced copies were evaluated.
    """

    frequencies_M: NDArray[np.float64]
    modes_MN3: NDArray[np.float64]
    masses_N: NDArray[np.float64]
    constants_N3N3: NDArray[np.float64]
    residual_force: float
    pressure: float
    evaluations: int


def vibrations(
    potential: Potential, crystals: Crystals, *, step: float = STEP, tolerance: float | None = TOLERANCE
) -> list[Vibrations]:
    """Optic modes at Γ of every structure, all displaced copies of all structures evaluated in batches.

    Args:
        potential: gives the forces.
        crystals: primitive cells of at least two atoms, repeating in all directions.
        step: how far atoms are displaced, Å.
        tolerance: how far atoms may be from symmetric places, Å; None: displace every atom both ways along
            three directions, whatever the symmetry.

    Raises:
        InputError: an element the potential does not know, or a structure without optic modes or without a
            volume.
    """
    check_vibrations(potential, crystals)
    structures = [crystals.atoms(index) for index in range(len(crystals))]
    rest = potential.evaluate(crystals, stress=True)
    chosen = [displacements(atoms, tolerance=tolerance) for atoms in structures]
    displaced = Crystals.of_atoms(
        copy for atoms, one in zip(structures, chosen, strict=True) for copy in _displaced(atoms, one, step)
    )
    found = potential.evaluate(displaced)
    return list(_modes(structures, chosen, found, rest, step))


def check_vibrations(potential: Potential, crystals: Crystals) -> None:
    """Refuse what has no optic modes or cannot be evaluated.

    Raises:
        InputError: see :func:`vibrations`.
    """
    potential.check(crystals, stress=True)
    lone = np.flatnonzero(crystals.sizes_G == 1)
    if lone.size:
        raise InputError(
            "one atom in the cell has no optic modes",
            where=f"structure {lone[0]}",
            remedy="give a larger cell, or leave it out",
        )


def frequencies_of(
    constants_N3N3: NDArray[np.float64], masses_N: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (M,), cm⁻¹, and modes (M, N, 3) of all but the three translations.

    The mass-weighted force constants are diagonalized among what is orthogonal to the translations.
    """
    size = len(masses_N)
    roots = np.repeat(np.sqrt(masses_N), 3)
    dynamical = constants_N3N3.reshape(3 * size, 3 * size) / np.outer(roots, roots)
    translations = np.tile(np.eye(3), (size, 1)) * roots[:, None]
    full, _ = np.linalg.qr(translations, mode="complete")
    basis = full[:, 3:]
    squares_M, inside = np.linalg.eigh(basis.T @ dynamical @ basis)
    frequencies_M = np.sign(squares_M) * np.sqrt(np.abs(squares_M)) * _wavenumber()
    return frequencies_M, (basis @ inside).T.reshape(-1, size, 3)


def _wavenumber() -> float:
    """cm⁻¹ of an angular frequency of 1 √(eV/Å²/u)."""
    from ase import units

    # in ASE's unit of time the root is an angular frequency as it stands, and ħω an energy
    return float(units._hbar * units._e**0.5 / (1e-10 * units._amu**0.5) / units._e / units.invcm)  # noqa: SLF001


def _displaced(atoms: Any, chosen: Displacements, step: float) -> Iterator[Any]:
    for atom, direction_3 in zip(chosen.atoms_D, chosen.directions_D3, strict=True):
        copy = atoms.copy()
        copy.positions[atom] += step * direction_3
        yield copy


def _modes(
    structures: list[Any], chosen: list[Displacements], found: Evaluated, rest: Evaluated, step: float
) -> Iterator[Vibrations]:
    assert found.forces_A3 is not None
    assert rest.forces_A3 is not None
    assert rest.stresses_G33 is not None
    row, resting = 0, 0
    for index, (atoms, one) in enumerate(zip(structures, chosen, strict=True)):
        size = len(atoms)
        forces_DN3 = found.forces_A3[row : row + len(one) * size].reshape(len(one), size, 3)
        constants = _by_rules(force_constants(one, forces_DN3, step))
        masses_N = atoms.get_masses()
        frequencies_M, modes_MN3 = frequencies_of(constants, masses_N)
        yield Vibrations(
            frequencies_M=frequencies_M,
            modes_MN3=modes_MN3,
            masses_N=masses_N,
            constants_N3N3=constants,
            residual_force=float(np.linalg.norm(rest.forces_A3[resting : resting + size], axis=1).max()),
            pressure=-float(np.trace(rest.stresses_G33[index])) / 3,
            evaluations=len(one),
        )
        row += len(one) * size
        resting += size


def _by_rules(constants_N3N3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric, and without force when all atoms move together."""
    size = len(constants_N3N3)
    flat = constants_N3N3.reshape(3 * size, 3 * size)
    flat = 0.5 * (flat + flat.T)
    together = np.tile(np.eye(3), (size, 1)) / np.sqrt(size)
    away = np.eye(3 * size) - together @ together.T
    ruled: NDArray[np.float64] = away @ flat @ away
    return ruled.reshape(size, 3, size, 3)
