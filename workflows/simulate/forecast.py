"""What a campaign will take: a few simulations with different luck, and what they assume."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.sources import function_named
from zonemelt.workflows.simulate.run import simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.engine.dispatch import Limits
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.simulate.graph import Graph
    from zonemelt.workflows.simulate.machine import Machine
    from zonemelt.workflows.simulate.outcome import Outcome
    from zonemelt.workflows.simulate.times import Times


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number over several simulations."""

    lowest: float
    median: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """The range of some values."""
        ordered = sorted(values)
        return cls(lowest=ordered[0], median=ordered[len(ordered) // 2], highest=ordered[-1])


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What the simulations found.

    Attributes:
        outcomes: one for each seed.
        makespan: s.
        node_hours: pool → allocated.
        typical: the outcome with the median makespan.
    """

    outcomes: Sequence[Outcome]
    makespan: Range
    node_hours: dict[str, Range]

    @property
    def typical(self) -> Outcome:
        """The outcome with the median makespan."""
        return sorted(self.outcomes, key=lambda one: one.makespan)[len(self.outcomes) // 2]


def forecast(
    graph: Graph,
    machine: Machine,
    times: Times,
    *,
    seeds: Sequence[int],
    retry: RetryPolicy | None = None,
    limits: Limits | None = None,
) -> Forecast:
    """Simulate a graph once for each seed.

    Args:
        graph: the jobs; those that failed in an earlier campaign are not expected to fail again.
        machine: where they run.
        times: how long they take.
        seeds: of durations, queue waits and failures.
        retry: how often a job goes again.
        limits: what the campaign may take.
    """
    hopeful = replace(graph, fails=frozenset())
    outcomes = [
        simulate(hopeful, machine, times.draw(hopeful, seed), seed=seed, retry=retry, limits=limits)
        for seed in seeds
    ]
    return Forecast(
        outcomes=outcomes,
        makespan=Range.of([one.makespan for one in outcomes]),
        node_hours={
            pool: Range.of([one.pools[pool].node_hours for one in outcomes]) for pool in machine.pools
        },
    )


def same_beginning(graph: Graph, past: Graph) -> bool:
    """Whether an earlier campaign began with the same jobs, by kind and name: it will grow alike."""
    later = {job for brought in past.brings.values() for job in brought}
    ours = Counter((graph.kinds[kind], name) for kind, name in zip(graph.kind, graph.names, strict=True))
    theirs: Counter[tuple[str, str]] = Counter()
    for job, kind in enumerate(past.kind):
        if job not in later:
            theirs[past.kinds[kind], past.names[job]] += 1
    return ours == theirs


def may_bring(kind: str) -> bool:
    """Whether a function, by the look of it, returns a ``Response``, which may bring further jobs."""
    import inspect

    function = function_named(kind)
    if "Response" in str(getattr(function, "__annotations__", {}).get("return", "")):
        return True
    try:
        return "Response(" in inspect.getsource(function)
    except (OSError, TypeError):
        return False
