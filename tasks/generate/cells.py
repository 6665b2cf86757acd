"""Cells as six numbers that know nothing of orientation: what a generator learns and draws."""

# G crystals

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROWS: Final = np.array([0, 1, 2, 1, 0, 0])
_COLUMNS: Final = np.array([0, 1, 2, 2, 2, 1])
_WEIGHTS: Final = np.array([1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2), np.sqrt(2)])


def stretches(cells_G33: Floats, sizes_G: NDArray[np.int64]) -> Floats:
    """The logarithm of the stretch of each cell per atom (G, 6), dimensionless (lengths in Å).

    A cell L with lattice vectors as rows is exp(S) Q with S symmetric and Q a rotation, so S = ½ log(L Lᵀ) is
    the same for every orientation (R. Jiao et al., DiffCSP++, ICLR 2024). Its trace is the logarithm of the
    volume, of which that of the number of atoms is taken off. The numbers are in Mandel's notation: their
    norm is Frobenius'.

    Args:
        cells_G33: lattice vectors as rows (G, 3, 3), Å; with a volume.
        sizes_G: atoms of each (G,).
    """
    squares_G3, axes_G33 = np.linalg.eigh(cells_G33 @ cells_G33.transpose(0, 2, 1))
    log_G33 = (axes_G33 * (0.5 * np.log(squares_G3))[:, None, :]) @ axes_G33.transpose(0, 2, 1)
    log_G33 -= np.log(sizes_G)[:, None, None] / 3 * np.eye(3)
    found: Floats = log_G33[:, _ROWS, _COLUMNS] * _WEIGHTS
    return found


def cells_of(stretches_G6: Floats, sizes_G: NDArray[np.int64]) -> Floats:
    """Cells (G, 3, 3) in Å with these stretches, as symmetric matrices of positive determinant."""
    log_G33 = np.zeros((len(stretches_G6), 3, 3))
    log_G33[:, _ROWS, _COLUMNS] = log_G33[:, _COLUMNS, _ROWS] = stretches_G6 / _WEIGHTS
    log_G33 += np.log(sizes_G)[:, None, None] / 3 * np.eye(3)
    logs_G3, axes_G33 = np.linalg.eigh(log_G33)
    found: Floats = (axes_G33 * np.exp(logs_G3)[:, None, :]) @ axes_G33.transpose(0, 2, 1)
    return found
