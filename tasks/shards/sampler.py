"""Batches in which every rank has as much to do as the others, planned from sizes alone.

With batches of random graphs the ranks wait for the one that drew the large ones: on 24,819 cells of the
Materials Project (14 atoms in the middle, 444 at most), 16 graphs a rank, 256 ranks are busy 47 % of the
time. Here the graphs of a step are handed out longest first, each to the rank that has least (Graham, SIAM
J. Appl. Math. 17, 416 (1969)): any set of graphs is shared out evenly unless one of them alone is more than
a rank's share. Such graphs meet in a few steps, with as many other large ones as give all ranks that much.

Everything follows from (seed, epoch, step): nothing else is stored, and any rank works out its batch without
asking others.
"""

# G graphs of the set, B graphs of a step

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """How the graphs of a set are put into steps, epoch after epoch.

    Every graph comes once an epoch. Nothing is dropped or repeated: where the graphs do not divide evenly,
    steps differ by one graph. Ranks have about equally many atoms and not equally many graphs, so the mean of
    a loss over a step is the sum over all ranks divided by the graphs of the step, and not the mean of the
    ranks' means.

    Attributes:
        costs_G: what each graph costs (G,), such as its atoms or edges; positive.
        batch: graphs in a step, over all ranks, at most.
        ranks: for how many the steps are put together.
        seed: of the order of the graphs.
        gather_large: let large graphs meet in a few steps; otherwise all steps are random. With few graphs
            a rank this concerns many steps, each of them half random.
    """

    costs_G: NDArray[Any]
    batch: int
    ranks: int
    seed: int
    gather_large: bool = True

    def __post_init__(self) -> None:
        costs = np.asarray(self.costs_G)
        if costs.ndim != 1 or not (np.isfinite(costs).all() and (costs > 0).all()):
            raise InputError("costs must be positive numbers", where="costs_G", remedy="a graph has an atom")
        if self.ranks < 1 or self.batch < self.ranks or len(costs) // self.steps < self.ranks:
            raise InputError(
                f"{len(costs)} graphs in steps of {self.batch} do not give each of {self.ranks} ranks "
                "a graph in every step",
                where="batch",
                remedy="ask for fewer ranks or larger steps",
            )

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, -(-len(self.costs_G) // max(self.batch, 1)))

    def epoch(self, number: int) -> Epoch:
        """The steps of an epoch.

        At first the steps that gather large graphs, then random ones; then all change places.
        """
        costs = np.asarray(self.costs_G, float)
        random = np.random.default_rng([self.seed, number])
        left = random.permutation(len(costs))
        sizes = np.diff(np.arange(self.steps + 1) * len(costs) // self.steps)
        steps: list[NDArray[np.int64]] = []
        for size in sizes[:-1].tolist() if self.gather_large else []:
            large = large_together(costs[left], size, self.ranks)
            if not len(large):
                break
            rest = np.delete(left, large)  # still in random order
            steps.append(np.concatenate([left[large], rest[: size - len(large)]]))
            left = rest[size - len(large) :]
        steps += np.split(left, np.cumsum(sizes[len(steps) :])[:-1])
        return Epoch(plan=self, steps=tuple(steps[place] for place in random.permutation(self.steps)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """The steps of one epoch.

    Attributes:
        plan: what it follows.
        steps: the graphs of each step (B,), whatever the ranks that share them.
    """

    plan: Plan
    steps: tuple[NDArray[np.int64], ...]

    def share(self, step: int, *, ranks: int | None = None) -> list[NDArray[np.int64]]:
        """The graphs of a step, shared out among ranks.

        Args:
            step: which.
            ranks: how many; as planned where it is not said. With another number the steps are the same and
                only shared out differently: so a run goes on with more or fewer ranks.

        Raises:
            InputError: there are more ranks than graphs.
        """
        ranks = self.plan.ranks if ranks is None else ranks
        graphs = self.steps[step]
        if not 1 <= ranks <= len(graphs):
            raise InputError(
                f"{ranks} ranks share {len(graphs)} graphs", where=f"step {step}", remedy="use fewer ranks"
            )
        return [graphs[places] for places in share_out(np.asarray(self.plan.costs_G)[graphs], ranks)]

    def efficiency(self) -> float:
        """How busy the planned ranks are: mean over largest cost of a rank, in the mean over the steps."""
        costs = np.asarray(self.plan.costs_G)
        busy = []
        for step in range(len(self.steps)):
            loads = [costs[mine].sum() for mine in self.share(step)]
            busy.append(np.mean(loads) / np.max(loads))
        return float(np.mean(busy))


def large_together(costs_G: NDArray[np.float64], size: int, ranks: int) -> NDArray[np.int64]:
    """Which of the largest graphs a step takes, so that every rank has as much as the largest of them alone.

    Args:
        costs_G: of the graphs that are left, in random order (G,).
        size: graphs in the step; at most half of them are chosen here, the others are random.
        ranks: that share them.

    Returns:
        Places in ``costs_G``: none where random graphs are expected to be enough.
    """
    largest_first = np.argsort(-costs_G, kind="stable")
    taken = np.concatenate([[0.0], np.cumsum(costs_G[largest_first[: size // 2]])])
    count = np.arange(len(taken))
    expected = taken + (size - count) * (costs_G.sum() - taken) / (len(costs_G) - count)
    enough = np.flatnonzero(expected >= ranks * costs_G[largest_first[0]])
    return largest_first[: enough[0] if enough.size else len(taken) - 1]


def share_out(costs_B: NDArray[Any], ranks: int) -> list[NDArray[np.int64]]:
    """Hand out graphs longest first, each to the rank that has least so far; ties to the lowest rank.

    Returns:
        The places (in ``costs_B``) that each rank has, rising.
    """
    owners = np.empty(len(costs_B), np.int64)
    loads: list[tuple[float, int]] = [(0, rank) for rank in range(ranks)]
    longest_first = np.argsort(-np.asarray(costs_B, float), kind="stable")
    for place, cost in zip(longest_first.tolist(), costs_B[longest_first].tolist(), strict=True):
        load, rank = loads[0]
        owners[place] = rank
        heapq.heapreplace(loads, (load + cost, rank))
    by_owner = np.argsort(owners, kind="stable")
    return np.split(by_owner, np.cumsum(np.bincount(owners, minlength=ranks))[:-1])
