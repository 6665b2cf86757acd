"""Follow forces downhill with inertia, in positions and the cell together: one structure's state and step."""

# N atoms of a structure; of a state the first N rows are atoms, the last three the cell

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_STEP: Final = 0.1
LONGEST_STEP: Final = 1.0
LONGEST_MOVE: Final = 0.2
"""Å, of all atoms together."""
PATIENCE: Final = 5
MIXING: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class State:
    """Where one structure is on its way.

    Attributes:
        positions_N3: in the frame of the cell it began with, Å.
        deformation_33: of that cell; the cell now is ``start_33 @ deformation_33.T``.
        start_33: the cell it began with, Å.
        velocities_M3: of atoms and deformation (N + 3, 3); the latter times the number of atoms.
        step, mixing, downhill: FIRE's length of a step, its share of the force's direction, and for how many
            steps it has gone downhill.
        steps: taken so far.
    """

    positions_N3: NDArray[np.float64]
    deformation_33: NDArray[np.float64]
    start_33: NDArray[np.float64]
    velocities_M3: NDArray[np.float64]
    step: float = FIRST_STEP
    mixing: float = MIXING
    downhill: int = 0
    steps: int = 0

    @property
    def cell_33(self) -> NDArray[np.float64]:
        """The cell now, Å."""
        return self.start_33 @ self.deformation_33.T

    @property
    def moved_N3(self) -> NDArray[np.float64]:
        """The positions now, Å."""
        return self.positions_N3 @ self.deformation_33.T


def begin(positions_N3: NDArray[np.float64], cell_33: NDArray[np.float64]) -> State:
    """At rest."""
    return State(
        positions_N3=positions_N3.copy(),
        deformation_33=np.eye(3),
        start_33=cell_33.copy(),
        velocities_M3=np.zeros((len(positions_N3) + 3, 3)),
    )


def generalized(
    state: State, forces_N3: NDArray[np.float64], stress_33: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Forces on the atoms' places in the first cell and on its deformation (N + 3, 3), eV/Å.

    As of ASE's UnitCellFilter (Tadmor et al., Phys. Rev. B 59, 235 (1999)): the deformation counts as many
    times as there are atoms, so that cells of all sizes are equally stiff.

    Args:
        state: where it is.
        forces_N3: on atoms, eV/Å.
        stress_33: eV/Å³, positive under tension; None: the cell stays.
    """
    size = len(forces_N3)
    answer_M3 = np.zeros((size + 3, 3))
    answer_M3[:size] = forces_N3 @ state.deformation_33
    if stress_33 is not None:
        virial_33 = -abs(np.linalg.det(state.cell_33)) * stress_33
        answer_M3[size:] = np.linalg.solve(state.deformation_33, virial_33.T).T / size
    return answer_M3


def advanced(state: State, forces_M3: NDArray[np.float64]) -> State:
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
