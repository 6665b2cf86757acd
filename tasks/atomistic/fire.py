"""Follow forces downhill with inertia: one structure's state and step by FIRE."""

# N atoms of a structure, M rows: the atoms, then three of the cell

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.atomistic.place import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_STEP: Final = 0.1
LONGEST_STEP: Final = 1.0
LONGEST_MOVE: Final = 0.2
"""Å, of all atoms together."""
PATIENCE: Final = 5
MIXING: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Inert(Place):
    """Where one structure is, and how fast it goes.

    Attributes:
        velocities_M3: of atoms and deformation (N + 3, 3); the latter times the number of atoms.
        step, mixing, downhill: FIRE's length of a step, its share of the force's direction, and for how many
            steps it has gone downhill.
    """

    velocities_M3: NDArray[np.float64]
    step: float = FIRST_STEP
    mixing: float = MIXING
    downhill: int = 0


def begin(positions_N3: NDArray[np.float64], cell_33: NDArray[np.float64]) -> Inert:
    """At rest."""
    return Inert(
        positions_N3=positions_N3.copy(),
        deformation_33=np.eye(3),
        start_33=cell_33.copy(),
        velocities_M3=np.zeros((len(positions_N3) + 3, 3)),
    )


def advanced(state: Inert, forces_M3: NDArray[np.float64]) -> Inert:
    """One step of FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)), with its authors' constants."""
    velocities_M3, step, mixing, downhill = state.velocities_M3, state.step, state.mixing, state.downhill
    power = float((forces_M3 * velocities_M3).sum())
    if state.steps and power > 0:
        speed, force = np.linalg.norm(velocities_M3), np.linalg.norm(forces_M3)
        velocities_M3 = (1 - mixing) * velocities_M3 + mixing * speed / force * forces_M3
        if downhill > PATIENCE:
            step, mixing = min(1.1 * step, LONGEST_STEP), 0.99 * mixing
        downhill += 1
    elif state.steps:
        velocities_M3, step, mixing, downhill = np.zeros_like(velocities_M3), 0.5 * step, MIXING, 0
    velocities_M3 = velocities_M3 + step * forces_M3
    move_M3 = step * velocities_M3
    move_M3 *= min(1.0, LONGEST_MOVE / max(float(np.linalg.norm(move_M3)), 1e-300))
    size = len(state.positions_N3)
    return replace(
        state,
        positions_N3=state.positions_N3 + move_M3[:size],
        deformation_33=state.deformation_33 + move_M3[size:] / size,
        velocities_M3=velocities_M3,
        step=step,
        mixing=mixing,
        downhill=downhill,
        steps=state.steps + 1,
    )
