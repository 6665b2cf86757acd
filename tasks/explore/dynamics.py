"""Explore by molecular dynamics: heat structures step by step, and stop where a committee is unsure."""

# G structures still running

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.integrator import End
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Explorer, Found, Parent
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential


class Dynamics(Explorer):
    """A run of each parent through the temperatures, one after the other.

    With a committee the first member drives the run; all of them look at every frame.
    """

    explorer: Literal["dynamics"] = "dynamics"
    temperatures: tuple[float, ...] = Field(default=(300.0, 600.0, 900.0), min_length=1, description="K")
    steps: int = Field(default=200, ge=1, description="at each temperature")
    every: int = Field(default=20, ge=1, description="steps between two frames")
    timestep: float = Field(default=2.0, gt=0, description="fs")
    friction: float = Field(default=0.02, gt=0, description="to the heat bath, 1/fs")
    runs: int = Field(default=1, ge=1, description="of each parent")
    repeat: tuple[int, int, int] = Field(default=(1, 1, 1), description="of the parent's cell")
    unsure: float | None = Field(
        default=None, gt=0, description="committee's spread of the force on any atom that ends a run, eV/Å"
    )
    frames: int = Field(default=10, ge=1, description="of each run that are kept at most, evenly spaced")


class _Run:
    """One parent on its way."""

    def __init__(self, parent: Parent, number: int, settings: Dynamics) -> None:
        self.parent, self.number = parent, number
        self.atoms = parent.geometry.atoms().repeat(settings.repeat)
        self.velocities: NDArray[np.float64] | None = None
        self.frames: list[tuple[int, float, float | None, Geometry]] = []
        self.end = "finished"


def explore(settings: Dynamics, parents: Sequence[Parent], potential: Potential, *, seed: int) -> Found:
    """Simulate every parent; the frames of all runs are the candidates.

    Raises:
        InputError: an element the potential does not know, or a limit of the spread without a committee.
    """
    committee = potential if isinstance(potential, Committee) else None
    if settings.unsure is not None and committee is None:
        raise InputError(
            f"'{potential.name}' is one potential, and says nothing of its spread",
            where="dynamics, unsure",
            remedy="give the folder of a committee, or leave 'unsure' out",
        )
    driver = committee.members[0] if committee is not None else potential
    runs = [_Run(parent, number, settings) for parent in parents for number in range(settings.runs)]
    potential.check(Crystals.of_atoms(run.atoms for run in runs))
    step = 0
    for temperature in settings.temperatures:
        for _ in range(-(-settings.steps // settings.every)):
            going = [run for run in runs if run.end == "finished"]
            if not going:
                break
            step += settings.every
            _advance(going, driver, settings, temperature=temperature, step=step, seed=seed)
            _look(going, committee, settings, temperature=temperature, step=step)
    return _collected(runs, settings, seed=seed)


def _advance(
    going: list[_Run], driver: Potential, settings: Dynamics, *, temperature: float, step: int, seed: int
) -> None:
    """All runs to their next frame; those that explode end as they were."""
    told = DynamicsSettings(
        steps=settings.every, every=settings.every, temperature=temperature, timestep=settings.timestep,
        friction=settings.friction, seed=int(np.random.SeedSequence([seed, step]).generate_state(1)[0]),
    )  # fmt: skip
    velocities = [run.velocities for run in going]
    known = [one for one in velocities if one is not None]
    found = simulate(
        driver,
        Crystals.of_atoms(run.atoms for run in going),
        told,
        velocities_A3=np.concatenate(known) if known else None,
    )
    for run, done in zip(going, found, strict=True):
        if done.end is End.EXPLODED:
            run.end = "exploded"
            continue
        run.atoms.positions = done.atoms.positions
        run.velocities = done.velocities_N3


def _look(
    going: list[_Run], committee: Committee | None, settings: Dynamics, *, temperature: float, step: int
) -> None:
    """Keep the frame of each run, and end those of which the committee is unsure."""
    well = [run for run in going if run.end == "finished"]
    if not well:
        return
    spreads_G: list[float | None] = [None] * len(well)
    if committee is not None:
        crystals = Crystals.of_atoms(run.atoms for run in well)
        forces_A = committee.spread(crystals).forces_A
        spreads_G = [float(one) for one in np.maximum.reduceat(forces_A, crystals.first_G[:-1])]
    for run, spread in zip(well, spreads_G, strict=True):
        if spread is not None and not np.isfinite(spread):
            run.end = "exploded"
            continue
        atoms = run.atoms.copy()
        atoms.wrap()
        run.frames.append((step, temperature, spread, Geometry.of(atoms)))
        if settings.unsure is not None and spread is not None and spread > settings.unsure:
            run.end = "unsure"


def _collected(runs: Sequence[_Run], settings: Dynamics, *, seed: int) -> Found:
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for run in runs:
        found.counts[f"runs: {run.end}"] += 1
        # from the last frame back, so that the one a run ended with is among them
        places = np.linspace(len(run.frames) - 1, 0, min(settings.frames, len(run.frames))).round()
        for place in sorted({int(one) for one in places}):
            step, temperature, spread, geometry = run.frames[place]
            found.add(
                geometry, parent=run.parent.identifier, run=run.number, step=step, temperature=temperature,
                spread=None if spread is None else round(spread, 6), seed=seed,
            )  # fmt: skip
    return found
