"""One structure in molecular dynamics: its state, and the two halves of a step around an evaluation."""

# N atoms of a structure, T frames

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from zonemelt.tasks.atomistic import trajectory
from zonemelt.tasks.atomistic.dynamics_settings import HOTTEST, SWOLLEN, DynamicsSettings
from zonemelt.tasks.atomistic.ensembles import breathed, kicked, kinetic, rescaling
from zonemelt.tasks.atomistic.trajectory import Frames

if TYPE_CHECKING:
    from numpy.typing import NDArray


class End(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    UNSURE = (
        "unsure"  # the committee's spread was above the limit; the last frame is the one it was unsure of
    )
    EXPLODED = "exploded"  # numbers that are none, heat, or a volume that cannot be; it is as it was before


@dataclass(frozen=True, kw_only=True)
class Moving:
    """One structure on its way; the frames since the last segment are fields of their own, as in Frames.

    Attributes:
        positions_N3: not wrapped, Å.
        velocities_N3: Å per unit of time of ASE.
        cell_33: rows, Å.
        energy: potential, eV; None before the first evaluation, as are forces.
        forces_N3: eV/Å.
        stress_33: eV/Å³; None where none is needed.
        steps: done.
        segments: of frames that were put aside.
    """

    positions_N3: NDArray[np.float64]
    velocities_N3: NDArray[np.float64]
    cell_33: NDArray[np.float64]
    energy: float | None = None
    forces_N3: NDArray[np.float64] | None = None
    stress_33: NDArray[np.float64] | None = None
    steps: int = 0
    segments: int = 0
    steps_T: NDArray[np.int64]
    positions_TN3: NDArray[np.float32]
    cells_T33: NDArray[np.float64]
    energies_T: NDArray[np.float64]
    kinetic_T: NDArray[np.float64]
    pressures_T: NDArray[np.float64]
    spreads_T: NDArray[np.float64]

    @property
    def frames(self) -> Frames:
        """Since the last segment."""
        return Frames(**{field.name: getattr(self, field.name) for field in fields(Frames)})

    def with_frames(self, frames: Frames, *, segments: int) -> Self:
        """The same with other frames."""
        of_them = {field.name: getattr(frames, field.name) for field in fields(Frames)}
        return replace(self, segments=segments, **of_them)


@dataclass(frozen=True, kw_only=True)
class Ended(Moving):
    """One structure that goes no further."""

    end: End


def begin(
    positions_N3: NDArray[np.float64], velocities_N3: NDArray[np.float64], cell_33: NDArray[np.float64]
) -> Moving:
    """Before the first evaluation."""
    nothing = trajectory.empty(len(positions_N3))
    return Moving(
        positions_N3=positions_N3.copy(),
        velocities_N3=velocities_N3.copy(),
        cell_33=cell_33.copy(),
        **{field.name: getattr(nothing, field.name) for field in fields(Frames)},
    )


def ended(state: Moving, end: End) -> Ended:
    """The same, going no further."""
    return Ended(**{field.name: getattr(state, field.name) for field in fields(Moving)}, end=end)


def recorded(state: Moving, masses_N1: NDArray[np.float64], spread: float = np.nan) -> Moving:
    """With a frame of this step, which it may have already."""
    if len(state.steps_T) and state.steps_T[-1] == state.steps:
        return state
    frame = Frames(
        steps_T=np.array([state.steps]),
        positions_TN3=state.positions_N3[None].astype(np.float32),
        cells_T33=state.cell_33[None],
        energies_T=np.array([np.nan if state.energy is None else state.energy]),
        kinetic_T=np.array([kinetic(state.velocities_N3, masses_N1)]),
        pressures_T=np.array([pressure(state, masses_N1)]),
        spreads_T=np.array([spread]),
    )
    return state.with_frames(trajectory.joined([state.frames, frame]), segments=state.segments)


def thermal_velocities(
    masses_N1: NDArray[np.float64], temperature: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Drawn at a temperature (K), without momentum (N, 3)."""
    from ase import units

    drawn_N3 = random.normal(size=(len(masses_N1), 3)) * np.sqrt(units.kB * temperature / masses_N1)
    without: NDArray[np.float64] = drawn_N3 - (masses_N1 * drawn_N3).sum(axis=0) / masses_N1.sum()
    return without


def pressure(state: Moving, masses_N1: NDArray[np.float64]) -> float:
    """Inside, of motion and forces, eV/Å³; NaN where no stress was asked for."""
    if state.stress_33 is None:
        return float("nan")
    motion = 2 * kinetic(state.velocities_N3, masses_N1) / abs(float(np.linalg.det(state.cell_33)))
    return (motion - float(np.trace(state.stress_33))) / 3


def first_half(
    state: Moving, masses_N1: NDArray[np.float64], settings: DynamicsSettings, random: np.random.Generator
) -> Moving:
    """Half a kick, half a drift, the baths, half a drift; then the potential is to be evaluated."""
    from ase import units

    assert state.forces_N3 is not None
    time, step = settings.timestep * units.fs, state.steps + 1
    velocities_N3 = state.velocities_N3 + 0.5 * time * state.forces_N3 / masses_N1
    positions_N3, cell_33 = state.positions_N3 + 0.5 * time * velocities_N3, state.cell_33
    thermal = units.kB * settings.temperature_at(step)
    if settings.friction:
        kept = float(np.exp(-settings.friction * settings.timestep))
        velocities_N3 = kicked(velocities_N3, masses_N1, thermal=thermal, kept=kept, random=random)
    elif settings.rescaling:
        energy = max(kinetic(velocities_N3, masses_N1), 1e-12)
        kept = float(np.exp(-settings.timestep / settings.rescaling))
        degrees = settings.degrees(len(masses_N1))
        velocities_N3 = velocities_N3 * rescaling(energy, degrees, thermal=thermal, kept=kept, random=random)
    if settings.breathing:
        volume = abs(float(np.linalg.det(cell_33)))
        later = breathed(
            volume,
            pressure(replace(state, velocities_N3=velocities_N3), masses_N1),
            outside=settings.pressure_at(step),
            thermal=thermal,
            compressibility=settings.compressibility,
            passed=settings.timestep / settings.breathing,
            random=random,
        )
        scale = np.cbrt(later / volume)
        positions_N3, cell_33, velocities_N3 = scale * positions_N3, scale * cell_33, velocities_N3 / scale
    return replace(
        state,
        positions_N3=positions_N3 + 0.5 * time * velocities_N3,
        velocities_N3=velocities_N3,
        cell_33=cell_33,
        steps=step,
    )


def second_half(state: Moving, masses_N1: NDArray[np.float64], settings: DynamicsSettings) -> Moving:
    """The other half of the kick, with the forces where it is now."""
    from ase import units

    assert state.forces_N3 is not None
    time = settings.timestep * units.fs
    return replace(state, velocities_N3=state.velocities_N3 + 0.5 * time * state.forces_N3 / masses_N1)


def possible(state: Moving, masses_N1: NDArray[np.float64], start_33: NDArray[np.float64]) -> bool:
    """Whether there is a geometry that can be evaluated: finite, not too hot, in about its first cell."""
    first = abs(float(np.linalg.det(start_33)))
    swollen = abs(float(np.linalg.det(state.cell_33))) / first if first else 1.0
    within = 1 / SWOLLEN < swollen < SWOLLEN
    return bool(within and np.isfinite(state.positions_N3).all() and _cool(state, masses_N1))


def well(state: Moving, masses_N1: NDArray[np.float64]) -> bool:
    """Whether what the potential said makes sense."""
    assert state.energy is not None
    assert state.forces_N3 is not None
    finite = np.isfinite(state.energy) and np.isfinite(state.forces_N3).all()
    return bool(finite and _cool(state, masses_N1))


def _cool(state: Moving, masses_N1: NDArray[np.float64]) -> bool:
    from ase import units

    kelvin_N = (masses_N1 * state.velocities_N3**2).sum(axis=1) / (3 * units.kB)
    return bool((kelvin_N < HOTTEST).all())  # false for what is no number
