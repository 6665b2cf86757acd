"""Niggli-reduced cells: a crystal has one, and so a generator need not learn all of its cells."""

# G crystals

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.quality.symmetry import asked

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reduced(crystals: Crystals) -> Crystals:
    """The same crystals in Niggli's cells (I. Křivý & B. Gruber, Acta Cryst. A32, 297 (1976)), by spglib.

    Cartesian positions stay; left-handed cells become right-handed. What cannot be reduced stays as it is.

    Args:
        crystals: that repeat in all directions.
    """
    import spglib

    cells_G33: NDArray[np.float64] = crystals.cells_G33.copy()
    for index, cell in enumerate(crystals.cells_G33):
        found = asked(spglib.niggli_reduce, cell)
        if found is not None:
            cells_G33[index] = found if np.linalg.det(found) > 0 else -found
    return Crystals(
        numbers_A=crystals.numbers_A,
        positions_A3=crystals.positions_A3,
        cells_G33=cells_G33,
        periodic_G3=crystals.periodic_G3,
        first_G=crystals.first_G,
    )
