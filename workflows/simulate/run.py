"""Run a graph on a simulated machine."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.dispatch import Limits
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.schema import HEAD_POOL
from zonemelt.workflows.simulate.blocks import Blocks
from zonemelt.workflows.simulate.board import Board
from zonemelt.workflows.simulate.clock import Clock
from zonemelt.workflows.simulate.head import Head
from zonemelt.workflows.simulate.journey import Chances
from zonemelt.workflows.simulate.machine import PoolModel
from zonemelt.workflows.simulate.outcome import Moment, Outcome, PoolOutcome, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.simulate.graph import Graph
    from zonemelt.workflows.simulate.machine import Machine

_HORIZON = 20 * 365 * 86400.0  # s; a campaign that takes longer never ends


def simulate(
    graph: Graph,
    machine: Machine,
    seconds: Sequence[float],
    *,
    seed: int = 0,
    retry: RetryPolicy | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Run a graph to its end over a virtual clock; the same for the same arguments.

    The cost is linear in the number of jobs and edges.

    Args:
        graph: the jobs.
        machine: where they run.
        seconds: what each of them takes, [J]; see :meth:`.times.Times.draw`.
        seed: of queue waits, failures, and which worker takes which job.
        retry: how often a job goes again.
        limits: what the campaign may take.
    """
    limits = limits or Limits()
    clock, timeline, chance = Clock(), Timeline(), Random(seed)  # noqa: S311 (nothing secret)
    whole = {name for name, pool in machine.pools.items() if pool.whole_block}
    board = Board(graph, next(iter(machine.pools)), whole)

    def after_step() -> None:
        if limits.node_hours is not None:
            head.paused = _spent(head, clock.now) > limits.node_hours * 3600

    head = Head(
        board, clock, policy=retry or RetryPolicy(), limits=limits, overheads=machine.overheads,
        after_step=after_step,
    )  # fmt: skip
    chances = Chances(
        seconds, machine.failures, graph.fails, overhead=machine.overheads.worker_job, chance=chance
    )
    models = {**machine.pools, HEAD_POOL: PoolModel(nodes=0, min_blocks=1, init_blocks=1)}
    head.pools = {
        name: Blocks(
            model, clock, chances, chance=chance, returned=head.take,
            node_losses=machine.failures.nodes,
        )
        for name, model in models.items()
    }  # fmt: skip
    head.wake(0.0)
    while _goes_on(head, board) and clock.step():
        if clock.now >= timeline.due and clock.between:
            timeline.add(_moment(head, board, clock.now))
        if clock.now > _HORIZON:
            break
    timeline.add(_moment(head, board, clock.now))
    for blocks in head.pools.values():
        blocks.close()
    return Outcome(
        status=_status(head, board, clock),
        makespan=head.last,
        states=board.tally(),
        retries=dict(head.retries),
        pools={name: _of_pool(head, name) for name in machine.pools},
        timeline=timeline.points,
        events=clock.events,
    )


def _goes_on(head: Head, board: Board) -> bool:
    return bool(head.traffic) if head.paused else board.unfinished > 0


def _spent(head: Head, now: float) -> float:
    return sum(blocks.allocated(now) for blocks in head.pools.values())


def _moment(head: Head, board: Board, now: float) -> Moment:
    pools = head.pools.values()
    running = sum(blocks.working for blocks in pools)
    queued = board.ready + head.traffic.jobs - running
    return Moment(now, running, max(0, queued), sum(blocks.nodes for blocks in pools), board.ended)


def _status(head: Head, board: Board, clock: Clock) -> str:
    if not board.unfinished:
        return "finished"
    if head.paused:
        return "paused"
    return "endless" if clock.now > _HORIZON else "stuck"


def _of_pool(head: Head, name: str) -> PoolOutcome:
    blocks = head.pools[name]
    return PoolOutcome(
        node_hours=blocks.node_seconds / 3600,
        utilisation=blocks.busy_seconds / blocks.worker_seconds if blocks.worker_seconds else 0.0,
        blocks=blocks.blocks_started,
        nodes_lost=blocks.nodes_lost,
        attempts=head.attempts[name],
        job_hours=head.job_seconds[name] / 3600,
    )
