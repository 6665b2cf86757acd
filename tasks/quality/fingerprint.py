"""A few numbers of a crystal that change little when its atoms move little."""

# A atoms, P pairs of neighbours, K shells

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry

REACH: Final = 2.4  # of the cube root of the volume per atom: how far neighbours are counted
SHELLS: Final = np.linspace(0.7, 2.3, 9)  # in the same unit
WIDTH: Final = 0.2
VOLUME: Final = 2.0  # weight of the logarithm of the volume per atom among the other numbers


def fingerprint(geometry: Geometry, *, scale: bool = True) -> NDArray[np.float64]:
    """The fingerprint of a structure; see :func:`fingerprint_of`."""
    from ase.data import atomic_numbers

    numbers_A = np.array([atomic_numbers[symbol] for symbol in geometry.symbols])
    return fingerprint_of(np.array(geometry.cell), np.array(geometry.positions), numbers_A, scale=scale)


def fingerprint_of(
    cell: NDArray[np.float64],
    positions_A3: NDArray[np.float64],
    numbers_A: NDArray[np.int64],
    *,
    scale: bool = True,
) -> NDArray[np.float64]:
    """Smeared counts of neighbours by distance, averaged over the atoms, as (1 + 2 K,).

    They do not depend on the cell that was chosen, its orientation or the order of the atoms. The first K
    count all neighbours, the second K weigh each by the atomic numbers of the two; distances are measured
    in the cube root of the volume per atom, and each shell is divided by the square of its own.

    Args:
        cell: lattice vectors as rows (3, 3), Å; periodic along all three.
        positions_A3: Cartesian (A, 3), Å.
        numbers_A: atomic numbers (A,).
        scale: leave the volume out, so that strained copies are alike; otherwise it comes first.
    """
    from vesin import NeighborList

    volume = float(abs(np.linalg.det(cell))) / len(numbers_A)
    unit = np.cbrt(volume)
    search = NeighborList(cutoff=REACH * unit, full_list=False, n_threads=1)
    first_P, second_P, distances_P = search.compute(positions_A3, cell, [True] * 3, "ijd")
    far_P = distances_P / unit
    fade_P = np.cos(np.pi / 2 * far_P / REACH) ** 2  # to nothing where counting ends
    counts_PK = fade_P[:, None] * np.exp(-0.5 * ((far_P[:, None] - SHELLS) / WIDTH) ** 2)
    charge_A = np.sqrt(numbers_A.astype(float))
    weight_P = charge_A[first_P] * charge_A[second_P] / charge_A.mean() ** 2 - 1
    numbers = np.concatenate([counts_PK.sum(axis=0), weight_P @ counts_PK]) * 2 / len(numbers_A)
    size = 0.0 if scale else VOLUME * float(np.log(volume))
    return np.concatenate([[size], numbers / np.tile(SHELLS**2, 2)])
