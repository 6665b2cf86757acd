"""Which atom goes where: noise and crystal are paired so that atoms have short ways that do not cross.

Neither the order of atoms of a kind nor a common translation means anything, so of all the ways from noise to
the same crystal a short one is taken: the flow is then nearly straight, which is easier to learn and takes
fewer steps (L. Klein, A. Krämer & F. Noé, Equivariant flow matching, NeurIPS 2023). What is noise stays
uniform, and what is a crystal stays that crystal.
"""

# G crystals, N atoms of the largest

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.generate.noise import wrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

TRIES: Final = 4
"""Translations that are tried: those that carry the first atom of the crystal to one of the noise."""
_FORBIDDEN: Final = 1e6


def paired(
    start_GN3: Floats, end_GN3: Floats, kinds_GN: Integers, sizes_G: Integers
) -> tuple[Integers, Floats]:
    """Which atom of the crystal each atom of the noise becomes, and its way there.

    Args:
        start_GN3: the noise, fractional (G, N, 3).
        end_GN3: the crystals, fractional (G, N, 3).
        kinds_GN: of the crystals' atoms (G, N); noise atom n becomes one of the kind of atom n. All the same
            where the species are not known at the beginning.
        sizes_G: atoms of each (G,); what comes after them is padding.

    Returns:
        Places in ``end_GN3`` (G, N), and the constant velocities (G, N, 3), of mean 0: they end at a
        translate of the crystal. Padding stays where it is.
    """
    count, most = kinds_GN.shape
    there_GN = np.arange(most) < sizes_G[:, None]
    forbidden_GNN = (kinds_GN[:, :, None] != kinds_GN[:, None]) * _FORBIDDEN
    best_G = np.full(count, np.inf)
    order_GN = np.tile(np.arange(most), (count, 1))
    ways_GN3 = np.zeros_like(start_GN3)
    for atom in range(min(TRIES, most)):
        shifts_G13 = start_GN3[:, atom % most][:, None] - end_GN3[:, :1]
        apart_GNN3 = wrapped((end_GN3 + shifts_G13)[:, None] - start_GN3[:, :, None])
        costs_GNN = (apart_GNN3**2).sum(axis=-1) + forbidden_GNN
        tried_GN = _assigned(costs_GNN, sizes_G)
        found_GN3 = np.take_along_axis(apart_GNN3, tried_GN[:, :, None, None], axis=2)[:, :, 0]
        found_GN3 *= there_GN[..., None]
        found_GN3 -= (found_GN3.sum(axis=1) / sizes_G[:, None])[:, None] * there_GN[..., None]
        lengths_G = (found_GN3**2).sum(axis=(1, 2))
        better_G = (lengths_G < best_G) & (atom < sizes_G)
        best_G[better_G] = lengths_G[better_G]
        order_GN[better_G], ways_GN3[better_G] = tried_GN[better_G], found_GN3[better_G]
    return order_GN, ways_GN3


def _assigned(costs_GNN: Floats, sizes_G: Integers) -> Integers:
    """The cheapest assignment of columns to rows (G, N)."""
    from scipy.optimize import linear_sum_assignment

    found_GN = np.tile(np.arange(costs_GNN.shape[1]), (len(costs_GNN), 1))
    for row, (costs_NN, size) in enumerate(zip(costs_GNN, sizes_G.tolist(), strict=True)):
        found_GN[row, :size] = linear_sum_assignment(costs_NN[:size, :size])[1]
    return found_GN
