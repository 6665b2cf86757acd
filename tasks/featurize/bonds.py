"""Coordination numbers and bond lengths, of the neighbours hardly farther than the nearest one.

The neighbours of an atom are those nearer than 1.1 times its nearest (pymatgen's ``MinimumDistanceNN``).
"""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

TOLERANCE: Final = 0.1
FARTHEST: Final = 10.0  # Å, where the nearest neighbour must be
_FIRST_K: Final = 24  # more than any crystal has within 1.1 of the nearest; doubled where it is not


def bonds(crystals: Crystals) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbours of each atom, and the mean of their distances.

    Args:
        crystals: structures with A atoms in all.

    Returns:
        How many neighbours (A,), 0 for an atom that has none within 10 Å; and their mean distance (A,), Å,
        weighted with nearest/distance as in matminer's ``AverageBondLength``, NaN for an atom without.

    Raises:
        InputError: a structure cannot be searched.
    """
    from zonemelt.tasks.featurize.neighbours import nearest

    k = _FIRST_K
    while True:
        edges = nearest(crystals, cutoff=FARTHEST, k=k)
        counts_A = edges.counts_A
        centres_E = np.repeat(np.arange(len(counts_A)), counts_A)
        nearest_A = np.full(len(counts_A), np.nan)
        some = counts_A > 0
        nearest_A[some] = edges.distances_E[edges.first_A[:-1][some]]
        limit_E = (1 + TOLERANCE) * nearest_A[centres_E]
        near_E = edges.distances_E < limit_E
        numbers_A = np.bincount(centres_E[near_E], minlength=len(counts_A))
        if not (numbers_A == k).any():
            break
        k *= 2
    inverse_A = np.bincount(centres_E[near_E], 1 / edges.distances_E[near_E], minlength=len(counts_A))
    means_A = np.full(len(counts_A), np.nan)
    means_A[some] = numbers_A[some] / inverse_A[some]  # Σwd/Σw with w = nearest/d is the harmonic mean
    return numbers_A, means_A


def over_atoms(values_A: NDArray[np.float64], crystals: Crystals) -> NDArray[np.float64]:
    """Mean, standard deviation, minimum and maximum of each structure's atoms (G, 4); none may be empty."""
    first, sizes_G = crystals.first_G[:-1], crystals.sizes_G
    mean_G = np.add.reduceat(values_A, first) / sizes_G
    away_A = values_A - np.repeat(mean_G, sizes_G)
    deviation_G = np.sqrt(np.add.reduceat(away_A**2, first) / sizes_G)
    least_G, most_G = np.minimum.reduceat(values_A, first), np.maximum.reduceat(values_A, first)
    return np.column_stack([mean_G, deviation_G, least_G, most_G])
