"""Molecular dynamics of many structures at once, isolated or in a heat bath."""

# A atoms of all structures, G structures, T frames

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential

HOTTEST: Final = 50_000.0
"""K: what is hotter has exploded."""


@dataclass(frozen=True, kw_only=True)
class DynamicsSettings:
    """What is simulated.

    Attributes:
        steps: of the simulation.
        temperature: of the first velocities and, with friction, of the bath, K.
        timestep: fs.
        friction: to the bath, 1/fs; 0 for none: energy is conserved.
        every: steps between two frames.
        seed: of velocities and bath.
    """

    steps: int
    temperature: float
    timestep: float = 1.0
    friction: float = 0.0
    every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.timestep <= 0 or self.friction < 0 or min(self.steps, self.every) < 1:
            raise InputError(
                f"{self}",
                where="dynamics",
                remedy="steps, every and timestep are positive, temperature and friction not negative",
            )


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """What happened, at the beginning and after every so many steps.

    Attributes:
        crystals: at the end; what exploded is as it was one step before.
        velocities_A3: at the end, Å per unit of time of ASE (10.18 fs), to go on from.
        positions_TA3: Å, not wrapped into the cell.
        energies_TG: potential, eV.
        kinetic_TG: eV.
        stopped_G: the step at which a structure exploded and was stopped; -1 for those that did not.
    """

    crystals: Crystals
    velocities_A3: NDArray[np.float64]
    positions_TA3: NDArray[np.float64]
    energies_TG: NDArray[np.float64]
    kinetic_TG: NDArray[np.float64]
    stopped_G: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _System:
    """What does not change."""

    potential: Potential
    crystals: Crystals
    settings: DynamicsSettings
    masses_A1: NDArray[np.float64]
    of_atom_A: NDArray[np.int64]
    generators: list[np.random.Generator]


@dataclass
class _Now:
    positions_A3: NDArray[np.float64]
    velocities_A3: NDArray[np.float64]
    forces_A3: NDArray[np.float64]
    energies_G: NDArray[np.float64]
    stopped_G: NDArray[np.int64]


def simulate(
    potential: Potential,
    crystals: Crystals,
    settings: DynamicsSettings,
    *,
    velocities_A3: NDArray[np.float64] | None = None,
) -> Trajectory:
    """Integrate Newton's equations, with a heat bath where there is friction.

    Velocity Verlet without friction, with it Langevin's equation in the order BAOAB (Leimkuhler & Matthews,
    Appl. Math. Res. Express 2013, 34, section 3). Each structure has random numbers of its own, so that a
    batch is the same as one by one.

    Args:
        potential: gives the forces; in double precision for long runs.
        crystals: where to begin; cells stay.
        settings: see :class:`DynamicsSettings`.
        velocities_A3: to go on from; None: drawn at the temperature, without momentum.

    Raises:
        InputError: an element the potential does not know.
    """
    from ase import units
    from ase.data import atomic_masses

    potential.check(crystals)
    system = _System(
        potential=potential,
        crystals=crystals,
        settings=settings,
        masses_A1=atomic_masses[crystals.numbers_A][:, None],
        of_atom_A=np.repeat(np.arange(len(crystals)), crystals.sizes_G),
        generators=[np.random.default_rng([settings.seed, index]) for index in range(len(crystals))],
    )
    if velocities_A3 is None:
        velocities_A3 = _thermal(system, settings.temperature * units.kB)
    first = potential.evaluate(crystals)
    assert first.forces_A3 is not None
    now = _Now(
        positions_A3=crystals.positions_A3.copy(),
        velocities_A3=velocities_A3.copy(),
        forces_A3=first.forces_A3,
        energies_G=first.energies_G,
        stopped_G=np.full(len(crystals), -1),
    )
    frames = [_frame(now, system)]
    for step in range(1, settings.steps + 1):
        _step(now, system, step)
        if step % settings.every == 0:
            frames.append(_frame(now, system))
    return Trajectory(
        crystals=replace(crystals, positions_A3=now.positions_A3),
        velocities_A3=now.velocities_A3,
        positions_TA3=np.array([frame[0] for frame in frames]),
        energies_TG=np.array([frame[1] for frame in frames]),
        kinetic_TG=np.array([frame[2] for frame in frames]),
        stopped_G=now.stopped_G,
    )


def _step(now: _Now, system: _System, step: int) -> None:
    """One step of all structures that have not exploded."""
    from ase import units

    going = np.flatnonzero(now.stopped_G < 0)
    if not going.size:
        return
    settings, crystals = system.settings, system.crystals
    rows = np.flatnonzero(now.stopped_G[system.of_atom_A] < 0)
    masses = system.masses_A1[rows]
    time = settings.timestep * units.fs
    velocities = now.velocities_A3[rows] + 0.5 * time * now.forces_A3[rows] / masses
    positions = now.positions_A3[rows] + 0.5 * time * velocities
    if settings.friction:
        kept = np.exp(-settings.friction * settings.timestep)
        spread = np.sqrt((1 - kept**2) * units.kB * settings.temperature / masses)
        sizes = crystals.sizes_G[going].tolist()
        kicks = [
            system.generators[index].normal(size=(size, 3)) for index, size in zip(going, sizes, strict=True)
        ]
        velocities = kept * velocities + spread * np.concatenate(kicks)
    positions += 0.5 * time * velocities
    moved = replace(crystals.take(going), positions_A3=positions)
    found = system.potential.evaluate(moved)
    assert found.forces_A3 is not None
    velocities += 0.5 * time * found.forces_A3 / masses
    well = _well(velocities, found.energies_G, masses, system.of_atom_A[rows], going)
    now.stopped_G[going[~well]] = step
    fine = np.repeat(well, crystals.sizes_G[going])
    now.positions_A3[rows[fine]] = positions[fine]
    now.velocities_A3[rows[fine]] = velocities[fine]
    now.forces_A3[rows[fine]] = found.forces_A3[fine]
    now.energies_G[going[well]] = found.energies_G[well]


def _well(
    velocities: NDArray[np.float64],
    energies: NDArray[np.float64],
    masses: NDArray[np.float64],
    of_atom: NDArray[np.int64],
    going: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which structures have finite numbers and a temperature that can be."""
    from ase import units

    kelvin = (masses * velocities**2).sum(axis=1) / (3 * units.kB)
    cold = np.isfinite(kelvin) & (kelvin < HOTTEST)
    bad = np.unique(of_atom[~cold])
    well: NDArray[np.bool_] = np.isfinite(energies) & ~np.isin(going, bad)
    return well


def _thermal(system: _System, energy: float) -> NDArray[np.float64]:
    """Velocities drawn at kT = ``energy``, without momentum (A, 3)."""
    drawn = []
    first_G = system.crystals.first_G
    for index, generator in enumerate(system.generators):
        masses = system.masses_A1[first_G[index] : first_G[index + 1]]
        velocities = generator.normal(size=(len(masses), 3)) * np.sqrt(energy / masses)
        drawn.append(velocities - (masses * velocities).sum(axis=0) / masses.sum())
    return np.concatenate(drawn or [np.empty((0, 3))])


def _frame(
    now: _Now, system: _System
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Positions, potential and kinetic energies."""
    kinetic_A = 0.5 * (system.masses_A1 * now.velocities_A3**2).sum(axis=1)
    kinetic_G: NDArray[np.float64] = np.zeros(len(now.energies_G))
    np.add.at(kinetic_G, system.of_atom_A, kinetic_A)
    return now.positions_A3.copy(), now.energies_G.copy(), kinetic_G
