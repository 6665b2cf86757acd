"""What a simulation says as a document: how it ended, what it was like, and where its frames are."""

# T frames

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.integrator import End  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.atomistic.trajectory import TrajectoryFile, written
from zonemelt.tasks.records import Geometry, Vector
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.dynamics import Simulated
    from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
    from zonemelt.tasks.atomistic.fleet import Pace
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential


class SimulationResult(Document):
    """What became of one structure. Means are over the second half of the frames."""

    potential: str
    end: End = Field(
        description="finished; unsure: of the last frame; exploded: the last frame is the one before"
    )
    steps: int = Field(description="that were done")
    geometry: Geometry = Field(description="at the end")
    velocities: list[Vector] = Field(description="at the end, Å per unit of time of ASE (10.18 fs)")
    temperature: float | None = Field(description="mean, K")
    energy: float | None = Field(description="mean potential energy, eV/atom")
    volume: float | None = Field(description="mean, Å³/atom; None without a volume")
    pressure: float | None = Field(description="mean, eV/Å³; None where no stress was asked for")
    drift: float | None = Field(
        description="of the total energy, a straight line through all frames, eV/atom/ps; None with a bath"
    )
    spread: float | None = Field(description="largest of the committee in any frame, eV/Å")
    trajectory: TrajectoryFile | None = Field(description="None where no directory was given")


def simulations(
    potential: Potential,
    crystals: Crystals,
    settings: DynamicsSettings,
    *,
    pace: Pace | None = None,
    directory: Path | None = None,
) -> list[SimulationResult]:
    """Simulate, and keep the frames in files named by their content.

    Args:
        potential: see :func:`.simulate`.
        crystals: where to begin.
        settings: what is simulated.
        pace: checkpoints, and when to stop.
        directory: of trajectories.

    Raises:
        InputError: see :func:`.simulate`.
        OutOfTimeError: there was no time.
    """
    found = simulate(potential, crystals, settings, pace=pace)
    return [_result(potential, one, settings, directory) for one in found]


def _result(
    potential: Potential, one: Simulated, settings: DynamicsSettings, directory: Path | None
) -> SimulationResult:
    from ase import units

    frames, atoms = one.frames, len(one.atoms)
    half = slice(len(frames) // 2, None)
    degrees = settings.degrees(atoms)
    volumes_T = np.abs(np.linalg.det(frames.cells_T33)) / atoms
    file = None
    if directory is not None:
        file = written(frames, one.atoms, timestep=settings.timestep, directory=directory)
    return SimulationResult(
        potential=potential.name,
        end=one.end,
        steps=one.steps,
        geometry=Geometry.of(one.atoms),
        velocities=[(x, y, z) for x, y, z in one.velocities_N3.tolist()],
        temperature=_mean(2 * frames.kinetic_T[half] / (degrees * units.kB)) if degrees else None,
        energy=_mean(frames.energies_T[half] / atoms),
        volume=_mean(volumes_T[half]) if one.atoms.pbc.all() else None,
        pressure=_mean(frames.pressures_T[half]),
        drift=None if settings.friction or settings.rescaling else drift_of(one, settings.timestep),
        spread=max(_finite(frames.spreads_T), default=None),
        trajectory=file,
    )


def drift_of(one: Simulated, timestep: float) -> float | None:
    """Slope of the total energy over time, eV/atom/ps; None where there are fewer than two frames."""
    frames = one.frames
    total_T = (frames.energies_T + frames.kinetic_T) / len(one.atoms)
    if len(frames) < 2 or not np.isfinite(total_T).all():  # noqa: PLR2004  a line
        return None
    return float(np.polyfit(frames.steps_T * timestep * 1e-3, total_T, 1)[0])


def _mean(values_T: NDArray[np.float64]) -> float | None:
    return float(values_T.mean()) if np.isfinite(values_T).all() else None


def _finite(values_T: NDArray[np.float64]) -> Iterator[float]:
    yield from values_T[np.isfinite(values_T)].tolist()
