"""Relax many structures at once: one evaluation a step for all on their way; as some arrive, others join."""

# A atoms of all structures, G structures, N atoms of a structure

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.atomistic import fire, lbfgs
from zonemelt.tasks.atomistic.fleet import ATOMS_IN_FLIGHT, Fleet, OutOfTimeError, Pace, key_of, run
from zonemelt.tasks.atomistic.place import Place, generalized
from zonemelt.tasks.bounds import COUNT, FINITE, POSITIVE, check_bounds
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Evaluated, Potential

SWOLLEN: Final = 4.0
"""Times the first volume, or its inverse: further nothing can be believed."""

_BOUNDS: Final = {"force": POSITIVE, "steps": COUNT, "atoms_in_flight": COUNT, "pressure": FINITE}


class Outcome(StrEnum):
    """How a relaxation ended."""

    CONVERGED = "converged"
    OUT_OF_STEPS = "out of steps"
    EXPLODED = "exploded"  # energies that are no numbers, or a volume far from the first: that geometry
    UNFINISHED = "unfinished"


@dataclass(frozen=True, kw_only=True)
class RelaxSettings:
    """When to stop, and how many to take at once.

    Attributes:
        force: largest on an atom, and on the cell per atom (as in ASE's filters), eV/Å.
        steps: most of one structure.
        cell: whether the cell relaxes too.
        strains: which of its strains xx, yy, zz, yz, xz, xy may change; None: all.
        pressure: outside, eV/Å³; what is minimal is then the enthalpy.
        method: "fire", or "lbfgs", which takes fewer steps near a minimum.
        atoms_in_flight: about how many atoms are on their way together.
    """

    force: float = 0.05
    steps: int = 500
    cell: bool = True
    strains: tuple[bool, bool, bool, bool, bool, bool] | None = None
    pressure: float = 0.0
    method: Literal["fire", "lbfgs"] = "fire"
    atoms_in_flight: int = ATOMS_IN_FLIGHT

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS, where="relax")
        if not self.cell and (self.strains is not None or self.pressure):
            raise InputError(
                f"strains {self.strains}, pressure {self.pressure} eV/Å³ of a cell that stays",
                where="relax",
                remedy="set cell: true, or take them away",
            )
        if self.method not in _METHODS:
            raise InputError(
                f"'{self.method}'", where="relax: method", remedy=f"one of {', '.join(_METHODS)}"
            )

    @property
    def strains_33(self) -> NDArray[np.bool_] | None:
        """Which components of the cell's deformation may change (3, 3)."""
        if self.strains is None:
            return None
        xx, yy, zz, yz, xz, xy = self.strains
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """Where the structures arrived, in the order in which they were given.

    Attributes:
        crystals: the geometries at the end.
        energies_G: eV; NaN where it is unfinished.
        forces_G: largest force, as in the settings, eV/Å.
        steps_G: taken.
        outcomes: of each; only the converged ones are minima.
    """

    crystals: Crystals
    energies_G: NDArray[np.float64]
    forces_G: NDArray[np.float64]
    steps_G: NDArray[np.int64]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True)
class _Arrived:
    positions_N3: NDArray[np.float64]
    cell_33: NDArray[np.float64]
    energy: float
    force: float
    steps: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class _Method:
    """A state, its beginning and its step."""

    state: type[Place]
    begin: Callable[[NDArray[np.float64], NDArray[np.float64]], Place]
    advanced: Callable[..., Place]


_METHODS: Final = {
    "fire": _Method(state=fire.Inert, begin=fire.begin, advanced=fire.advanced),
    "lbfgs": _Method(state=lbfgs.Learning, begin=lbfgs.begin, advanced=lbfgs.advanced),
}


def relax(
    potential: Potential,
    crystals: Crystals,
    settings: RelaxSettings | None = None,
    *,
    checkpoint: Path | None = None,
    pace: Pace | None = None,
) -> Relaxed:
    """Relax positions, and the cells on request.

    Args:
        potential: gives forces and stresses.
        crystals: where to begin.
        settings: see :class:`RelaxSettings`.
        checkpoint: a file to go on from, if it is there, and to write now and then.
        pace: when to stop, and how often to write it.

    Raises:
        InputError: an element the potential does not know, a cell to relax that does not repeat in all
            directions, or a checkpoint of other structures or settings.
    """
    settings = settings or RelaxSettings()
    potential.check(crystals, stress=settings.cell)
    method = _METHODS[settings.method]

    def begin(index: int) -> Place:
        rows = slice(int(crystals.first_G[index]), int(crystals.first_G[index + 1]))
        return method.begin(crystals.positions_A3[rows], crystals.cells_G33[index])

    fleet = Fleet(
        atoms=crystals.sizes_G.tolist(),
        most=settings.atoms_in_flight,
        begin=begin,
        step=lambda moving: _step(potential, crystals, settings, moving),
        moving=method.state,
        arrived=_Arrived,
        key=key_of(potential, crystals, repr(settings)),
    )
    moving, arrived = run(fleet, checkpoint=checkpoint, pace=pace or Pace())
    return _relaxed(
        crystals,
        {
            **{
                index: moving.get(index) or begin(index)
                for index in range(len(crystals))
                if index not in arrived
            },
            **arrived,
        },
    )


def relaxed_stage(
    potential: Potential, crystals: Crystals, settings: RelaxSettings, *, pace: Pace, stage: str
) -> Relaxed:
    """Relax as one stage of a calculation.

    Raises:
        OutOfTimeError: some have not arrived.
        InputError: see :func:`relax`.
    """
    found = relax(potential, crystals, settings, checkpoint=pace.checkpoint(stage), pace=pace)
    if Outcome.UNFINISHED in found.outcomes:
        raise OutOfTimeError(
            f"{found.outcomes.count(Outcome.UNFINISHED)} structures have not arrived",
            where=stage,
            remedy="give the same directory again, and it goes on",
        )
    return found


def _step(
    potential: Potential, crystals: Crystals, settings: RelaxSettings, moving: dict[int, Place]
) -> dict[int, Place | _Arrived]:
    """Evaluate all that are on their way once, and move them."""
    now = _as_crystals(crystals.take(np.array(list(moving))), list(moving.values()))
    found = potential.evaluate(now, stress=settings.cell)
    after: dict[int, Place | _Arrived] = {}
    for row, (index, place) in enumerate(moving.items()):
        forces_M3 = _forces(place, now, found, row, settings)
        force = float(np.linalg.norm(forces_M3, axis=1).max())
        outcome = _outcome(place, force, float(found.energies_G[row]), settings)
        if outcome is None:
            after[index] = _METHODS[settings.method].advanced(place, forces_M3)
        else:
            after[index] = _Arrived(
                positions_N3=place.moved_N3,
                cell_33=place.cell_33,
                energy=float(found.energies_G[row]),
                force=force,
                steps=place.steps,
                outcome=outcome,
            )
    return after


def _forces(
    place: Place, now: Crystals, found: Evaluated, row: int, settings: RelaxSettings
) -> NDArray[np.float64]:
    assert found.forces_A3 is not None
    rows = slice(int(now.first_G[row]), int(now.first_G[row + 1]))
    return generalized(
        place,
        found.forces_A3[rows],
        None if found.stresses_G33 is None else found.stresses_G33[row],
        strains_33=settings.strains_33,
        pressure=settings.pressure,
    )


def _outcome(place: Place, force: float, energy: float, settings: RelaxSettings) -> Outcome | None:
    swollen = abs(np.linalg.det(place.deformation_33))
    if not (np.isfinite(force) and np.isfinite(energy) and 1 / SWOLLEN < swollen < SWOLLEN):
        return Outcome.EXPLODED
    if force < settings.force:
        return Outcome.CONVERGED
    return Outcome.OUT_OF_STEPS if place.steps >= settings.steps else None


def _as_crystals(like: Crystals, places: list[Place]) -> Crystals:
    return Crystals(
        numbers_A=like.numbers_A,
        positions_A3=np.concatenate([place.moved_N3 for place in places]),
        cells_G33=np.array([place.cell_33 for place in places]),
        periodic_G3=like.periodic_G3,
        first_G=like.first_G,
    )


def _relaxed(crystals: Crystals, found: dict[int, Place | _Arrived]) -> Relaxed:
    """What arrived, what is on its way, and what has not begun, in the given order."""
    ends = [_end(found[index]) for index in range(len(crystals))]
    return Relaxed(
        crystals=Crystals(
            numbers_A=crystals.numbers_A,
            positions_A3=np.concatenate([end.positions_N3 for end in ends] or [np.empty((0, 3))]),
            cells_G33=np.array([end.cell_33 for end in ends]).reshape(-1, 3, 3),
            periodic_G3=crystals.periodic_G3,
            first_G=crystals.first_G,
        ),
        energies_G=np.array([end.energy for end in ends], float),
        forces_G=np.array([end.force for end in ends], float),
        steps_G=np.array([end.steps for end in ends], np.int64),
        outcomes=tuple(Outcome(end.outcome) for end in ends),
    )


def _end(now: Place | _Arrived) -> _Arrived:
    if isinstance(now, _Arrived):
        return now
    return _Arrived(
        positions_N3=now.moved_N3,
        cell_33=now.cell_33,
        energy=np.nan,
        force=np.nan,
        steps=now.steps,
        outcome=Outcome.UNFINISHED,
    )
