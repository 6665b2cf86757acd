"""Phonons of many crystals from displaced supercells: dispersion, density of states and free energy."""

# G structures, N atoms of a supercell, Q points, B branches

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.evaluation import evaluated_stage
from zonemelt.tasks.atomistic.fleet import Pace
from zonemelt.tasks.atomistic.phonon_analysis import PhononNumbers, analysed
from zonemelt.tasks.atomistic.rest import RestSettings, Result, at_rest
from zonemelt.tasks.bounds import COUNT, NOT_NEGATIVE, POSITIVE, Bound, check_bounds
from zonemelt.tasks.crystals import Crystals, repeats
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.symmetry import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.potentials.potential import Potential

FARTHEST: Final = 0.1
"""Å: no displacement beyond this is small."""

_BOUNDS: Final = {
    "length": POSITIVE, "supercell": COUNT, "most_atoms": COUNT, "tolerance": POSITIVE, "mesh": POSITIVE,
    "displacement": Bound(0, FARTHEST, included=False), "temperatures": NOT_NEGATIVE, "points": Bound(2),
    "imaginary": NOT_NEGATIVE,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PhononSettings(RestSettings):
    """Which supercells and displacements, and what follows from them.

    Attributes:
        length: least distance between opposite faces of the supercell, Å.
        supercell: how often the cell is repeated along its vectors, instead of ``length``.
        most_atoms: of a supercell; a structure that needs more gets a reason instead.
        displacement: Å.
        tolerance: how far atoms may be from symmetric places, Å.
        mesh: of the density of states: about as many points along a direction as this length, Å, holds
            primitive cells.
        points: along each line of the dispersion.
        temperatures: of the free energy, K.
        imaginary: THz below zero that are noise.
    """

    force: float = 0.0001
    length: float = 12.0
    supercell: tuple[int, int, int] | None = None
    most_atoms: int = 1000
    displacement: float = 0.01
    tolerance: float = 1e-3
    mesh: float = 60.0
    points: int = 31
    temperatures: tuple[float, ...] = (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0)
    imaginary: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self, _BOUNDS, where="phonons")


class Phonons(Result):
    """Phonons of one crystal in the harmonic approximation, without long-range electric fields."""

    supercell: tuple[int, int, int] | None = None
    displaced: int = Field(default=0, description="supercells that were evaluated")
    numbers: PhononNumbers | None = None


def phonons(
    potential: Potential,
    crystals: Crystals,
    settings: PhononSettings | None = None,
    *,
    pace: Pace | None = None,
) -> list[Phonons]:
    """Phonons of every structure by finite displacements, all supercells evaluated in batches.

    phonopy chooses displacements and builds the force constants (A. Togo, J. Phys. Soc. Jpn. 92, 012001
    (2023)); the forces of the supercell at rest are subtracted.

    Args:
        potential: gives forces; in double precision.
        crystals: repeating in all directions.
        settings: see :class:`PhononSettings`.
        pace: checkpoints, and when to stop.

    Returns:
        One document for each, with a reason where there are no phonons.

    Raises:
        InputError: an element the potential does not know, a structure without a volume, or phonopy is not
            installed.
        OutOfTimeError: there was no time.
    """
    settings, pace = settings or PhononSettings(), pace or Pace()
    _check_installed()
    rest = at_rest(potential, crystals, settings, pace=pace)
    reasons: dict[int, str] = {}
    works: dict[int, Any] = {}
    for index in rest.fine_F.tolist():
        atoms = rest.crystals.atoms(index)
        times = settings.supercell or repeats(atoms.cell.array, settings.length)
        if (size := len(atoms) * int(np.prod(times))) > settings.most_atoms:
            reasons[index] = f"its supercell has {size} atoms, more than most_atoms = {settings.most_atoms}"
            continue
        try:
            works[index] = _work(atoms, times, settings)
        except Exception as error:  # noqa: BLE001 (whatever phonopy raises: the others go on)
            reasons[index] = f"phonopy cannot displace it: {type(error).__name__}: {error}"
    displaced = Crystals.of_atoms(copy for work in works.values() for copy in _supercells(work))
    found = evaluated_stage(
        potential, displaced, atoms_in_flight=settings.atoms_in_flight, pace=pace, stage="displaced"
    )
    assert found.forces_A3 is not None
    forces = iter(np.split(found.forces_A3, displaced.first_G[1:-1]))
    answers = []
    for index in range(len(crystals)):
        about = rest.about(potential, index, reason=reasons.get(index))
        if index not in works:
            answers.append(Phonons(**about))
            continue
        work = works[index]
        at_rest_N3 = next(forces)
        work.forces = [next(forces) - at_rest_N3 for _ in work.supercells_with_displacements]
        numbers = None
        try:
            with quiet():
                numbers = analysed(work, settings)
        except Exception as error:  # noqa: BLE001 (whatever phonopy and ASE raise: the others go on)
            about["reason"] = f"phonopy cannot analyse it: {type(error).__name__}: {error}"
        answers.append(
            Phonons(
                **about,
                supercell=tuple(np.diag(work.supercell_matrix).tolist()),
                displaced=len(work.forces),
                numbers=numbers,
            )
        )
    return answers


def _work(atoms: Any, times: tuple[int, int, int], settings: PhononSettings) -> Any:
    """A ``Phonopy`` with its displacements."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
        masses=atoms.get_masses(),
    )
    with quiet():
        work = Phonopy(
            cell, supercell_matrix=np.diag(times), primitive_matrix="auto", symprec=settings.tolerance
        )
        work.generate_displacements(distance=settings.displacement)
    return work


def _supercells(work: Any) -> Iterator[Any]:
    """The supercell at rest and the displaced ones, as ``ase.Atoms``."""
    from ase import Atoms

    for one in (work.supercell, *work.supercells_with_displacements):
        yield Atoms(one.numbers, cell=one.cell, positions=one.positions, pbc=True)


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("phonopy") is None:
        raise InputError(
            "phonopy is not installed", where="phonons", remedy="pip install 'zonemelt[potentials]'"
        )
