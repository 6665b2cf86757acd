"""Pairs of edges that leave the same atom, with the angle between them: line graphs, for three-body terms."""

# A atoms, E edges, S edges no longer than the cutoff, L pairs of edges

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.neighbours import Neighbours


@dataclass(frozen=True, kw_only=True)
class LineGraph:
    """The pairs of edges with one centre; every pair stands in it both ways.

    Attributes:
        index_2L: the two edges of each pair (2, L), int64, as numbered in the neighbours.
        cosines_L: of the angle between them at their centre (L,), in [-1, 1]; NaN where an edge has no
            length.
    """

    index_2L: NDArray[np.int64]
    cosines_L: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cosines_L)

    @property
    def angles_L(self) -> NDArray[np.float64]:
        """The angles (L,), radians."""
        return np.arccos(self.cosines_L)


def line_graph(neighbours: Neighbours, *, cutoff: float | None = None) -> LineGraph:
    """Pair the edges around every atom.

    Args:
        neighbours: the edges of any number of structures.
        cutoff: only edges up to this length take part, Å; they grow as the square of the neighbours.

    Returns:
        All ordered pairs of two edges of an atom; by the first edge, then the second.
    """
    taking = np.ones(len(neighbours), bool) if cutoff is None else neighbours.distances_E <= cutoff
    edges_S = np.flatnonzero(taking)
    # how many edges of each atom take part, and where they stand among all that do
    before_E = np.concatenate([[0], np.cumsum(taking)])
    first_A = before_E[neighbours.first_A]
    centres_S = neighbours.index_2E[1, edges_S]
    partners_S = np.diff(first_A)[centres_S] - 1
    first_S = np.concatenate([[0], np.cumsum(partners_S)])
    one_L = np.repeat(np.arange(len(edges_S)), partners_S)
    other_L = np.arange(first_S[-1]) - first_S[one_L] + first_A[centres_S[one_L]]
    other_L += other_L >= one_L  # an edge makes no pair with itself
    index_2L = np.stack([edges_S[one_L], edges_S[other_L]])
    return LineGraph(index_2L=index_2L, cosines_L=_cosines(neighbours, index_2L))


def _cosines(neighbours: Neighbours, index_2L: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        directions_E3 = neighbours.vectors_E3 / neighbours.distances_E[:, None]
    one, other = directions_E3[index_2L[0]], directions_E3[index_2L[1]]
    cosines: NDArray[np.float64] = np.einsum("lx,lx->l", one, other)
    return np.clip(cosines, -1.0, 1.0)
