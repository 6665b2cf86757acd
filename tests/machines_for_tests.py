"""Machines and graphs whose makespan can be said by hand."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.simulate import Graph, GraphBuilder, Machine, Outcome, PoolModel, simulate
from zonemelt.workflows.simulate.machine import Failures, Overheads

if TYPE_CHECKING:
    from collections.abc import Sequence

IDEAL = Overheads(head_job=0.0, send=0.0, give_back=0.0, worker_job=0.0)


def machine(*, failures: Failures | None = None, overheads: Overheads = IDEAL, **pool: Any) -> Machine:
    """One pool on a machine that takes no time itself."""
    model = PoolModel(**{"min_blocks": 1, "init_blocks": 1, "period": 1, **pool})
    return Machine(pools={"cpu": model}, failures=failures or Failures(), overheads=overheads)


def fan(jobs: int, **wanted: Any) -> Graph:
    builder = GraphBuilder()
    for _ in range(jobs):
        builder.add("m.f", **wanted)
    return builder.graph()


def chain(jobs: int) -> Graph:
    builder = GraphBuilder()
    for job in range(jobs):
        builder.add("m.f", after=[job - 1] if job else [])
    return builder.graph()


def run(graph: Graph, on: Machine, seconds: float | Sequence[float], **options: Any) -> Outcome:
    if isinstance(seconds, (int, float)):
        seconds = array("d", [seconds]) * len(graph)
    return simulate(graph, on, seconds, **options)
