"""Where one structure is on its way downhill, in positions and the cell together, and what pulls it."""

# N atoms of a structure, M rows: the atoms, then three of the cell

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one structure is.

    Attributes:
        positions_N3: in the frame of the cell it began with, Å.
        deformation_33: of that cell; the cell now is ``start_33 @ deformation_33.T``.
        start_33: the cell it began with, Å.
        steps: taken so far.
    """

    positions_N3: NDArray[np.float64]
    deformation_33: NDArray[np.float64]
    start_33: NDArray[np.float64]
    steps: int = 0

    @property
    def cell_33(self) -> NDArray[np.float64]:
        """The cell now, Å."""
        return self.start_33 @ self.deformation_33.T

    @property
    def moved_N3(self) -> NDArray[np.float64]:
        """The positions now, Å."""
        return self.positions_N3 @ self.deformation_33.T


def generalized(
    place: Place,
    forces_N3: NDArray[np.float64],
    stress_33: NDArray[np.float64] | None,
    *,
    strains_33: NDArray[np.bool_] | None = None,
    pressure: float = 0.0,
) -> NDArray[np.float64]:
    """Forces on the atoms' places in the first cell and on its deformation (N + 3, 3), eV/Å.

    As of ASE's UnitCellFilter (Tadmor et al., Phys. Rev. B 59, 235 (1999)): the deformation counts as many
    times as there are atoms, so that cells of all sizes are equally stiff.

    Args:
        place: where it is.
        forces_N3: on atoms, eV/Å.
        stress_33: eV/Å³, positive under tension; None: the cell stays.
        strains_33: which components of the cell may change; None: all.
        pressure: outside, eV/Å³.
    """
    size = len(forces_N3)
    answer_M3 = np.zeros((size + 3, 3))
    answer_M3[:size] = forces_N3 @ place.deformation_33
    if stress_33 is not None:
        virial_33 = -abs(np.linalg.det(place.cell_33)) * (stress_33 + pressure * np.eye(3))
        answer_M3[size:] = np.linalg.solve(place.deformation_33, virial_33.T).T / size
        if strains_33 is not None:
            answer_M3[size:] *= strains_33
    return answer_M3
