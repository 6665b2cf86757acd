"""Follow forces downhill by a curvature that is learnt on the way: a structure's state and step by LBFGS."""

# N atoms of a structure, M rows: the atoms, then three of the cell, H steps remembered

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.atomistic.place import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY: Final = 100
STIFFNESS: Final = 70.0
"""eV/Å²: the curvature before any is known."""
LONGEST_MOVE: Final = 0.2
"""Å, of one atom."""


@dataclass(frozen=True, kw_only=True)
class Learning(Place):
    """Where one structure is, and what it knows of the curvature.

    Attributes:
        moves_HM3: the last steps, Å.
        changes_HM3: by how much the gradient changed in each, eV/Å.
        forces_M3: before the last of them, eV/Å; None before the first.
    """

    moves_HM3: NDArray[np.float64]
    changes_HM3: NDArray[np.float64]
    forces_M3: NDArray[np.float64] | None = None


def begin(positions_N3: NDArray[np.float64], cell_33: NDArray[np.float64]) -> Learning:
    """Before anything is known."""
    nothing = np.zeros((0, len(positions_N3) + 3, 3))
    return Learning(
        positions_N3=positions_N3.copy(),
        deformation_33=np.eye(3),
        start_33=cell_33.copy(),
        moves_HM3=nothing,
        changes_HM3=nothing,
    )


def advanced(state: Learning, forces_M3: NDArray[np.float64]) -> Learning:
    """One step, without line search (Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5).

    The last move is already among ``moves_HM3``; the change of the gradient that belongs to it is known now.
    """
    moves_HM3, changes_HM3 = state.moves_HM3, state.changes_HM3
    if state.forces_M3 is not None:
        changes_HM3 = np.concatenate([changes_HM3, (state.forces_M3 - forces_M3)[None]])[-MEMORY:]
    move_M3 = _direction(moves_HM3, changes_HM3, forces_M3)
    move_M3 *= min(1.0, LONGEST_MOVE / max(float(np.linalg.norm(move_M3, axis=1).max()), 1e-300))
    size = len(state.positions_N3)
    return replace(
        state,
        positions_N3=state.positions_N3 + move_M3[:size],
        deformation_33=state.deformation_33 + move_M3[size:] / size,
        moves_HM3=np.concatenate([moves_HM3, move_M3[None]])[-MEMORY:],
        changes_HM3=changes_HM3,
        forces_M3=forces_M3,
        steps=state.steps + 1,
    )


def _direction(
    moves_HM3: NDArray[np.float64], changes_HM3: NDArray[np.float64], forces_M3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The inverse curvature times the forces, by the two loops of algorithm 7.4.

    Moves along which the curvature was not positive say nothing of a minimum and are passed over: with them
    the way may lead uphill (D.-H. Li, M. Fukushima, SIAM J. Optim. 11, 1054 (2001), cautious updates).
    """
    towards_M3 = forces_M3.copy()
    known = []
    for move_M3, change_M3 in zip(moves_HM3[::-1], changes_HM3[::-1], strict=True):
        curvature = float((move_M3 * change_M3).sum())
        if curvature <= 0:
            continue
        part = float((move_M3 * towards_M3).sum()) / curvature
        towards_M3 -= part * change_M3
        known.append((move_M3, change_M3, curvature, part))
    towards_M3 /= STIFFNESS
    for move_M3, change_M3, curvature, part in reversed(known):
        towards_M3 += (part - float((change_M3 * towards_M3).sum()) / curvature) * move_M3
    return towards_M3
