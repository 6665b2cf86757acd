"""Gather graphs from a mapped shard into flat arrays: the loop, compiled."""

# A atoms, E edges, G graphs of the batch; N graphs of one shard

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def gather(
    shard: tuple[Any, ...], chosen_N: NDArray[np.int64], slots_N: NDArray[np.int64], out: tuple[Any, ...]
) -> int:
    """Copy graphs of one shard to their places in a batch.

    Every number that says where to read or write is looked at first: a damaged file is noticed and does
    no harm.

    Args:
        shard: its arrays, in the order of ``files.STRUCTURE``.
        chosen_N: graphs of the shard.
        slots_N: which graph of the batch each becomes.
        out: arrays of the batch to fill: numbers, positions, cells, periodic, where the atoms and the
            edges of each graph begin (G + 1,), where the edges of each atom begin (A + 1,),
            (neighbour, centre), images, vectors, distances.

    Returns:
        -1, or the first graph of the shard that is not as the index says.
    """
    numbers_A, positions_A3, cells_G33, periodic_G3, first_G, first_A, neighbours_E, images_E3 = shard
    (
        to_numbers, to_positions, to_cells, to_periodic, to_first_G, to_first_edge_G, to_first_A,
        index_2E, to_images, vectors_E3, distances_E,
    ) = out  # fmt: skip
    for number in range(len(chosen_N)):
        g, slot = chosen_N[number], slots_N[number]
        start, size = first_G[g], first_G[g + 1] - first_G[g]
        at, edge = to_first_G[slot], to_first_edge_G[slot]
        edges = first_A[start + size] - first_A[start]
        if size != to_first_G[slot + 1] - at or edges != to_first_edge_G[slot + 1] - edge:
            return int(g)
        to_cells[slot] = cells_G33[g]
        to_periodic[slot] = periodic_G3[g]
        to_numbers[at : at + size] = numbers_A[start : start + size]
        to_positions[at : at + size] = positions_A3[start : start + size]
        cell = cells_G33[g]
        for i in range(size):
            for e in range(first_A[start + i], first_A[start + i + 1]):
                j = neighbours_E[e]
                if j < 0 or j >= size:
                    return int(g)
                index_2E[0, edge] = at + j
                index_2E[1, edge] = at + i
                square = 0.0
                for x in range(3):
                    to_images[edge, x] = images_E3[e, x]
                    # the expression of featurize.neighbour_kernels, so that the bits are the same
                    along = positions_A3[start + j, x] - positions_A3[start + i, x]
                    along += (
                        images_E3[e, 0] * cell[0, x]
                        + images_E3[e, 1] * cell[1, x]
                        + images_E3[e, 2] * cell[2, x]
                    )
                    vectors_E3[edge, x] = along
                    square += along * along
                distances_E[edge] = np.sqrt(square)
                edge += 1
            to_first_A[at + i + 1] = edge
    return -1
