"""Relax many structures at once: one evaluation a step for all on their way; as some arrive, others join."""

# A atoms of all structures, G structures, N atoms of a structure

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.atomistic.fire import State, advanced, begin, generalized
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Evaluated, Potential

SWOLLEN: Final = 4.0
"""Times the first volume, or its inverse: further nothing can be believed."""


class Outcome(StrEnum):
    """How a relaxation ended."""

    CONVERGED = "converged"
    OUT_OF_STEPS = "out of steps"
    EXPLODED = "exploded"  # energies that are no numbers, or a volume far from the first; as it was before
    UNFINISHED = "unfinished"


@dataclass(frozen=True, kw_only=True)
class RelaxSettings:
    """When to stop, and how many to take at once.

    Attributes:
        force: largest on an atom, and on the cell per atom (as in ASE's filters), eV/Å.
        steps: most of one structure.
        cell: whether the cell relaxes too.
        atoms_in_flight: about how many atoms are on their way together.
    """

    force: float = 0.05
    steps: int = 500
    cell: bool = True
    atoms_in_flight: int = 2000

    def __post_init__(self) -> None:
        if not (self.force > 0 and self.steps > 0 and self.atoms_in_flight > 0):
            raise InputError(f"{self}", where="relax", remedy="all must be positive")


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


def relax(
    potential: Potential,
    crystals: Crystals,
    settings: RelaxSettings | None = None,
    *,
    checkpoint: Path | None = None,
    every: int = 50,
    go_on: Callable[[], bool] = lambda: True,
) -> Relaxed:
    """Relax positions, and the cells on request, by FIRE.

    Args:
        potential: gives forces and stresses.
        crystals: where to begin.
        settings: see :class:`RelaxSettings`.
        checkpoint: a file to go on from, if it is there, and to write now and then.
        every: after how many evaluations it is written.
        go_on: asked before every evaluation; once it says no, what is on its way is kept in the checkpoint.

    Raises:
        InputError: an element the potential does not know, a cell to relax that does not repeat in all
            directions, or a checkpoint of other structures or settings.
    """
    settings = settings or RelaxSettings()
    potential.check(crystals, stress=settings.cell)
    moving: dict[int, State] = {}
    arrived: dict[int, _Arrived] = {}
    key = _key(potential, crystals, settings)
    if checkpoint is not None and checkpoint.is_file():
        moving, arrived = _read(checkpoint, key)
    waiting = [index for index in range(len(crystals)) if index not in moving and index not in arrived]
    waiting.reverse()
    evaluations = 0
    while go_on() and _fill(moving, waiting, crystals, settings.atoms_in_flight):
        _step(potential, crystals, settings, moving, arrived)
        evaluations += 1
        if checkpoint is not None and evaluations % every == 0:
            _write(checkpoint, key, moving, arrived)
    if checkpoint is not None:
        _write(checkpoint, key, moving, arrived)
    return _relaxed(crystals, moving, arrived)


def _fill(moving: dict[int, State], waiting: list[int], crystals: Crystals, most: int) -> bool:
    """Let structures join while there is room; whether any is on its way."""
    sizes_G = crystals.sizes_G
    atoms = sum(int(sizes_G[index]) for index in moving)
    while waiting and (not moving or atoms + sizes_G[waiting[-1]] <= most):
        index = waiting.pop()
        rows = slice(int(crystals.first_G[index]), int(crystals.first_G[index + 1]))
        moving[index] = begin(crystals.positions_A3[rows], crystals.cells_G33[index])
        atoms += int(sizes_G[index])
    return bool(moving)


def _step(
    potential: Potential,
    crystals: Crystals,
    settings: RelaxSettings,
    moving: dict[int, State],
    arrived: dict[int, _Arrived],
) -> None:
    """Evaluate all that are on their way once, and move them."""
    indices = np.array(sorted(moving))
    now = _as_crystals(crystals.take(indices), [moving[index] for index in indices.tolist()])
    found = potential.evaluate(now, stress=settings.cell)
    for row, index in enumerate(indices.tolist()):
        state = moving[index]
        forces_M3 = _forces(state, now, found, row)
        force = float(np.linalg.norm(forces_M3, axis=1).max())
        outcome = _outcome(state, force, float(found.energies_G[row]), settings)
        if outcome is None:
            moving[index] = advanced(state, forces_M3)
            continue
        del moving[index]
        arrived[index] = _Arrived(
            positions_N3=state.moved_N3,
            cell_33=state.cell_33,
            energy=float(found.energies_G[row]),
            force=force,
            steps=state.steps,
            outcome=outcome,
        )


def _forces(state: State, now: Crystals, found: Evaluated, row: int) -> NDArray[np.float64]:
    assert found.forces_A3 is not None
    rows = slice(int(now.first_G[row]), int(now.first_G[row + 1]))
    return generalized(
        state, found.forces_A3[rows], None if found.stresses_G33 is None else found.stresses_G33[row]
    )


def _outcome(state: State, force: float, energy: float, settings: RelaxSettings) -> Outcome | None:
    swollen = abs(np.linalg.det(state.deformation_33))
    if not (np.isfinite(force) and np.isfinite(energy) and 1 / SWOLLEN < swollen < SWOLLEN):
        return Outcome.EXPLODED
    if force < settings.force:
        return Outcome.CONVERGED
    return Outcome.OUT_OF_STEPS if state.steps >= settings.steps else None


def _as_crystals(like: Crystals, states: list[State]) -> Crystals:
    return Crystals(
        numbers_A=like.numbers_A,
        positions_A3=np.concatenate([state.moved_N3 for state in states]),
        cells_G33=np.array([state.cell_33 for state in states]),
        periodic_G3=like.periodic_G3,
        first_G=like.first_G,
    )


def _relaxed(crystals: Crystals, moving: dict[int, State], arrived: dict[int, _Arrived]) -> Relaxed:
    """What arrived, what is on its way, and what has not begun, in the given order."""
    ends = []
    for index in range(len(crystals)):
        if (end := arrived.get(index)) is None:
            rows = slice(int(crystals.first_G[index]), int(crystals.first_G[index + 1]))
            state = moving.get(index) or begin(crystals.positions_A3[rows], crystals.cells_G33[index])
            end = _Arrived(
                positions_N3=state.moved_N3,
                cell_33=state.cell_33,
                energy=np.nan,
                force=np.nan,
                steps=state.steps,
                outcome=Outcome.UNFINISHED,
            )
        ends.append(end)
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
        outcomes=tuple(end.outcome for end in ends),
    )


def _key(potential: Potential, crystals: Crystals, settings: RelaxSettings) -> str:
    """What a checkpoint belongs to."""
    said = hashlib.sha256(f"{potential.name} {settings.force} {settings.steps} {settings.cell}".encode())
    for field in fields(crystals):
        said.update(np.ascontiguousarray(getattr(crystals, field.name)).tobytes())
    return said.hexdigest()


def _write(path: Path, key: str, moving: dict[int, State], arrived: dict[int, _Arrived]) -> None:
    arrays: dict[str, Any] = {"key": np.array(key)}
    for kind, members in (("moving", moving), ("arrived", arrived)):
        for index, member in members.items():
            for field in fields(member):
                value = getattr(member, field.name)
                arrays[f"{kind}/{index}/{field.name}"] = np.array(
                    str(value) if isinstance(value, str) else value
                )
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def _read(path: Path, key: str) -> tuple[dict[int, State], dict[int, _Arrived]]:
    members: dict[tuple[str, int], dict[str, Any]] = {}
    with np.load(path, allow_pickle=False) as file:
        if str(file["key"]) != key:
            raise InputError(
                "it is of other structures, settings, or another potential",
                where=str(path),
                remedy="remove it, or give another file",
            )
        for name in file.files:
            if name != "key":
                kind, index, field = name.split("/")
                value = file[name]
                members.setdefault((kind, int(index)), {})[field] = value if value.ndim else value.item()
    moving = {index: State(**of) for (kind, index), of in members.items() if kind == "moving"}
    arrived = {
        index: _Arrived(**(of | {"outcome": Outcome(of["outcome"])}))
        for (kind, index), of in members.items()
        if kind == "arrived"
    }
    return moving, arrived
