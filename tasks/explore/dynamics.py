"""Explore by molecular dynamics: heat structures step by step, and stop where a committee is unsure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.integrator import End
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.explore.candidate import Explorer, Found, Kelvin, Parent, Repeat
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.dynamics import Simulated
    from zonemelt.tasks.potentials.potential import Potential

BREATHING: Final = 200.0
"""fs: time constant of the bath of pressure."""


class Dynamics(Explorer):
    """A run of each parent through the temperatures, one after the other.

    With a committee the first member drives the run; all of them look at every frame.
    """

    explorer: Literal["dynamics"] = "dynamics"
    temperatures: tuple[Kelvin, ...] = Field(default=(300.0, 600.0, 900.0), min_length=1, description="K")
    steps: int = Field(default=200, ge=1, description="at each temperature")
    every: int = Field(default=20, ge=1, description="steps between two frames")
    timestep: float = Field(default=2.0, gt=0, description="fs")
    friction: float = Field(default=0.02, gt=0, description="to the heat bath, 1/fs")
    runs: int = Field(default=1, ge=1, description="of each parent")
    repeat: Repeat = Field(default=(1, 1, 1), description="of the parent's cell")
    unsure: float | None = Field(
        default=None, gt=0, description="committee's spread of the force on any atom that ends a run, eV/Å"
    )
    pressures: tuple[float, float] | None = Field(
        default=None,
        description="at the beginning and at the end of a run, eV/Å³; null: cells stay as they are",
    )
    frames: int = Field(default=10, ge=1, description="of each run that are kept at most, evenly spaced")


class _Run:
    """One parent on its way."""

    def __init__(self, parent: Parent, number: int, settings: Dynamics) -> None:
        self.parent, self.number = parent, number
        self.atoms = parent.geometry.atoms().repeat(settings.repeat)
        self.velocities: NDArray[np.float64] | None = None
        self.frames: list[tuple[int, float, float | None, Geometry]] = []
        self.end = End.FINISHED


def explore(settings: Dynamics, parents: Sequence[Parent], potential: Potential, *, seed: int) -> Found:
    """Simulate every parent; the frames of all runs are the candidates.

    Raises:
        InputError: see :func:`.simulate`: an element the potential does not know, a limit of the spread
            without a committee, or pressure on what does not repeat in all directions.
    """
    runs = [_Run(parent, number, settings) for parent in parents for number in range(settings.runs)]
    for leg, temperature in enumerate(settings.temperatures):
        going = [run for run in runs if run.end is End.FINISHED]
        if not going:
            break
        velocities = [run.velocities for run in going]
        known = [one for one in velocities if one is not None]
        found = simulate(
            potential,
            Crystals.of_atoms(run.atoms for run in going),
            _told(settings, leg, temperature, seed),
            velocities_A3=np.concatenate(known) if known else None,
        )
        for run, done in zip(going, found, strict=True):
            _keep(run, done, temperature=temperature, before=leg * settings.steps)
    return _collected(runs, settings, seed=seed)


def _told(settings: Dynamics, leg: int, temperature: float, seed: int) -> DynamicsSettings:
    """What is simulated at one temperature."""
    low, high = settings.pressures or (0.0, 0.0)
    share = 1 / len(settings.temperatures)
    return DynamicsSettings(
        steps=settings.steps, every=settings.every, temperature=temperature, timestep=settings.timestep,
        friction=settings.friction, unsure=settings.unsure, drive="first",
        breathing=BREATHING if settings.pressures else 0.0, pressure=low + (high - low) * leg * share,
        pressure_end=low + (high - low) * (leg + 1) * share if settings.pressures else None,
        seed=int(np.random.SeedSequence([seed, leg]).generate_state(1)[0]),
    )  # fmt: skip


def _keep(run: _Run, done: Simulated, *, temperature: float, before: int) -> None:
    """The frames of a run at one temperature, and how it goes on."""
    run.atoms, run.velocities, run.end = done.atoms, done.velocities_N3, done.end
    frames = done.frames
    for place in range(len(frames)):
        if not frames.steps_T[place]:
            continue
        atoms = done.atoms.copy()
        atoms.set_cell(frames.cells_T33[place])
        atoms.positions = frames.positions_TN3[place].astype(np.float64)
        atoms.wrap()
        spread = float(frames.spreads_T[place])
        step = before + int(frames.steps_T[place])
        run.frames.append((step, temperature, spread if np.isfinite(spread) else None, Geometry.of(atoms)))


def _collected(runs: Sequence[_Run], settings: Dynamics, *, seed: int) -> Found:
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for run in runs:
        found.counts[f"runs: {run.end.value}"] += 1
        # from the last frame back, so that the one a run ended with is among them
        places = np.linspace(len(run.frames) - 1, 0, min(settings.frames, len(run.frames))).round()
        for place in sorted({int(one) for one in places}):
            step, temperature, spread, geometry = run.frames[place]
            found.add(
                geometry, parent=run.parent.identifier, run=run.number, step=step, temperature=temperature,
                spread=None if spread is None else round(spread, 6), seed=seed,
            )  # fmt: skip
    return found
