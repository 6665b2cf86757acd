"""Molecular dynamics of many structures at once, isolated or in baths of heat and pressure."""

# A atoms of all structures, G structures, N atoms of a structure, T frames

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.atomistic import trajectory
from zonemelt.tasks.atomistic.fleet import Fleet, OutOfTimeError, Pace, key_of, run
from zonemelt.tasks.atomistic.integrator import (
    End,
    Ended,
    Moving,
    begin,
    ended,
    first_half,
    possible,
    recorded,
    second_half,
    thermal_velocities,
    well,
)  # fmt: skip
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
    from zonemelt.tasks.atomistic.trajectory import Frames
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential

SEGMENT: Final = 200
"""Frames that are held in memory, and in the checkpoint, before they go to a file of their own."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What became of one structure.

    Attributes:
        atoms: at the end, as ``ase.Atoms``.
        velocities_N3: at the end, Å per unit of time of ASE (10.18 fs), to go on from.
        steps: that were done.
        end: how it ended.
        frames: with the first state and the last.
    """

    atoms: Any
    velocities_N3: NDArray[np.float64]
    steps: int
    end: End
    frames: Frames


def simulate(
    potential: Potential,
    crystals: Crystals,
    settings: DynamicsSettings,
    *,
    velocities_A3: NDArray[np.float64] | None = None,
    pace: Pace | None = None,
) -> list[Simulated]:
    """Integrate Newton's equations, with baths of heat and pressure where they are asked for.

    Kick, drift, baths, drift, kick: velocity Verlet without baths, BAOAB with friction. Each structure has
    random numbers of its own for every step, so that a batch is the same as one by one, and a run that was
    stopped goes on as if it had not been.

    Args:
        potential: gives the forces; in double precision for long runs. Where it is a committee, it looks at
            every frame.
        crystals: where to begin.
        settings: see :class:`DynamicsSettings`.
        velocities_A3: to go on from; None: drawn at the temperature, without momentum.
        pace: checkpoints, and when to stop.

    Raises:
        InputError: an element the potential does not know, a bath of pressure around what does not repeat in
            all directions, a limit of the spread without a committee, or one atom alone whose velocity is to
            be rescaled.
        OutOfTimeError: there was no time.
    """
    pace = pace or Pace()
    work = _Work(potential, crystals, settings, velocities_A3, pace)
    fleet = Fleet(
        atoms=crystals.sizes_G.tolist(),
        most=settings.atoms_in_flight,
        begin=work.begin,
        step=work.step,
        moving=Moving,
        arrived=Ended,
        key=key_of(potential, crystals, f"{settings!r} {work.digest}"),
    )
    moving, ended = run(fleet, checkpoint=pace.checkpoint("dynamics"), pace=pace)
    if len(ended) < len(crystals):
        raise OutOfTimeError(
            f"{len(crystals) - len(ended)} structures have not ended, {len(moving)} of them have begun",
            where="dynamics",
            remedy="give the same directory again, and it goes on",
        )
    return [work.simulated(index, ended[index]) for index in range(len(crystals))]


class _Work:
    """The structures of one call, and what is done to them."""

    def __init__(
        self,
        potential: Potential,
        crystals: Crystals,
        settings: DynamicsSettings,
        velocities_A3: NDArray[np.float64] | None,
        pace: Pace,
    ) -> None:
        from ase.data import atomic_masses

        self.committee = potential if isinstance(potential, Committee) else None
        first = self.committee is not None and settings.drive == "first"
        self.driver = self.committee.members[0] if self.committee is not None and first else potential
        self.crystals, self.settings, self.pace = crystals, settings, pace
        self.velocities_A3 = velocities_A3
        self.digest = "" if velocities_A3 is None else hashlib.sha256(velocities_A3.tobytes()).hexdigest()
        self.masses_A1 = atomic_masses[crystals.numbers_A][:, None]
        self.segments: dict[tuple[int, int], Frames] = {}
        potential.check(crystals, stress=bool(settings.breathing))
        self._check()

    def _check(self) -> None:
        if self.settings.unsure is not None and self.committee is None:
            raise InputError(
                f"'{self.driver.name}' is one potential, and says nothing of its spread",
                where="dynamics, unsure",
                remedy="give the folder of a committee, or leave 'unsure' out",
            )
        lone = np.flatnonzero(self.crystals.sizes_G == 1)
        if self.settings.rescaling and lone.size:
            raise InputError(
                "one atom at rest has no velocity to rescale",
                where=f"structure {lone[0]}",
                remedy="give a larger cell, or set friction instead of rescaling",
            )
        expected = (int(self.crystals.first_G[-1]), 3)
        if self.velocities_A3 is not None and self.velocities_A3.shape != expected:
            raise InputError(
                f"velocities of shape {self.velocities_A3.shape}",
                where="dynamics",
                remedy=f"give three for each atom: {expected}",
            )

    def begin(self, index: int) -> Moving:
        """A structure before its first step: its forces are not known yet."""
        rows = self._rows(index)
        if self.velocities_A3 is None:
            masses_N1 = self.masses_A1[rows]
            velocities_N3 = thermal_velocities(masses_N1, self.settings.temperature, self._random(index, 0))
        else:
            velocities_N3 = self.velocities_A3[rows]
        return begin(self.crystals.positions_A3[rows], velocities_N3, self.crystals.cells_G33[index])

    def step(self, moving: Mapping[int, Moving]) -> dict[int, Moving | Ended]:
        """One step of all that are on their way, or the first forces of those that just joined."""
        tried = {index: self._tried(index, state) for index, state in moving.items()}
        found = self._evaluated({index: state for index, state in tried.items() if state is not None})
        after: dict[int, Moving | Ended] = {}
        for index, before in moving.items():
            masses_N1, now = self.masses_A1[self._rows(index)], found.get(index)
            if now is not None and before.forces_N3 is not None:
                now = second_half(now, masses_N1, self.settings)
            if now is not None and well(now, masses_N1):
                after[index] = now
            else:
                after[index] = ended(self._recorded(index, before), End.EXPLODED)
        self._look(after)
        return after

    def _tried(self, index: int, state: Moving) -> Moving | None:
        """Where a structure goes; None where the potential could not be asked."""
        masses_N1 = self.masses_A1[self._rows(index)]
        if state.forces_N3 is not None:
            state = first_half(state, masses_N1, self.settings, self._random(index, state.steps + 1))
        return state if possible(state, masses_N1, self.crystals.cells_G33[index]) else None

    def simulated(self, index: int, state: Ended) -> Simulated:
        """What became of a structure, with all its frames."""
        parts = [self._segment(index, number) for number in range(state.segments)]
        atoms = self.crystals.atoms(index)
        atoms.set_cell(state.cell_33)
        atoms.positions = state.positions_N3
        return Simulated(
            atoms=atoms,
            velocities_N3=state.velocities_N3,
            steps=state.steps,
            end=End(state.end),
            frames=trajectory.joined([*parts, state.frames]),
        )

    def _rows(self, index: int) -> slice:
        return slice(int(self.crystals.first_G[index]), int(self.crystals.first_G[index + 1]))

    def _random(self, index: int, step: int) -> np.random.Generator:
        """Random numbers of one structure for one step; those of step 0 are of its first velocities."""
        return np.random.default_rng([self.settings.seed, self.settings.first + index, step])

    def _evaluated(self, states: Mapping[int, Moving]) -> dict[int, Moving]:
        """The same with energies, forces and, where there is a bath of pressure, stresses."""
        if not states:
            return {}
        found = self.driver.evaluate(self._crystals(states), stress=bool(self.settings.breathing))
        assert found.forces_A3 is not None
        starts = np.cumsum([len(state.positions_N3) for state in states.values()])[:-1]
        forces = np.split(found.forces_A3, starts)
        return {
            index: replace(
                state,
                energy=float(found.energies_G[row]),
                forces_N3=forces[row],
                stress_33=None if found.stresses_G33 is None else found.stresses_G33[row],
            )
            for row, (index, state) in enumerate(states.items())
        }

    def _crystals(self, states: Mapping[int, Moving]) -> Crystals:
        return replace(
            self.crystals.take(np.array(list(states))),
            positions_A3=np.concatenate([state.positions_N3 for state in states.values()]),
            cells_G33=np.array([state.cell_33 for state in states.values()]),
        )

    def _look(self, after: dict[int, Moving | Ended]) -> None:
        """Record those whose turn it is, and end those that are done or of which the committee is unsure."""
        settings = self.settings
        turn = {
            index: state
            for index, state in after.items()
            if not isinstance(state, Ended)
            and (state.steps % settings.every == 0 or state.steps == settings.steps)
        }
        spreads = self._spreads(turn)
        for index, state in turn.items():
            now = self._recorded(index, state, spread=spreads[index])
            if self.committee is not None and not np.isfinite(spreads[index]):
                after[index] = ended(now, End.EXPLODED)
            elif settings.unsure is not None and spreads[index] > settings.unsure:
                after[index] = ended(now, End.UNSURE)
            elif state.steps >= settings.steps:
                after[index] = ended(now, End.FINISHED)
            else:
                after[index] = now

    def _spreads(self, states: Mapping[int, Moving]) -> dict[int, float]:
        """The largest spread of the force on an atom of each; NaN without a committee."""
        if self.committee is None or not states:
            return dict.fromkeys(states, float("nan"))
        crystals = self._crystals(states)
        largest_G = np.maximum.reduceat(self.committee.spread(crystals).forces_A, crystals.first_G[:-1])
        return dict(zip(states, largest_G.tolist(), strict=True))

    def _recorded(self, index: int, state: Moving, *, spread: float = np.nan) -> Moving:
        """With a frame of this step; what is full is put aside before."""
        if len(state.steps_T) >= SEGMENT and state.steps_T[-1] != state.steps:
            self._keep(index, state.segments, state.frames)
            state = state.with_frames(trajectory.empty(len(state.positions_N3)), segments=state.segments + 1)
        return recorded(state, self.masses_A1[self._rows(index)], spread)

    def _keep(self, index: int, number: int, frames: Frames) -> None:
        """Put a full segment aside; one that was written before a stop is written again, the same."""
        if self.pace.directory is None:
            self.segments[index, number] = frames
        else:
            write_whole(self._segment_path(index, number), trajectory.encoded(frames))

    def _segment(self, index: int, number: int) -> Frames:
        if self.pace.directory is None:
            return self.segments[index, number]
        path = self._segment_path(index, number)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"it cannot be read: {error.strerror}",
                where=str(path),
                remedy="remove the whole directory: the simulation begins anew",
            ) from error
        return trajectory.decoded(content, str(path))[0]

    def _segment_path(self, index: int, number: int) -> Any:
        assert self.pace.directory is not None
        return self.pace.directory / "segments" / f"{index}-{number}.npz"
