"""Short jobs in a line travel together: the rule of :mod:`zonemelt.workflows.engine.lines` over the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.engine.dispatch import MOST, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zonemelt.workflows.engine.ledger import ReadyJob
    from zonemelt.workflows.simulate.board import Board


def lengthen(
    board: Board, jobs: Sequence[ReadyJob], estimate: Callable[[str], float | None], *, most: int
) -> list[ReadyJob]:
    """Add to the jobs of a chunk those that follow them in a line, as long as the chunk stays short."""
    chunk = list(jobs)
    work = sum(_seconds(job, estimate) for job in chunk)
    for job in chunk:  # it grows meanwhile
        if len(chunk) >= min(MOST, len(jobs) + most) or work >= TARGET:
            break
        if (child := board.follower(job.id)) is not None:
            following = board.ready_job(child, after=str(job.id))
            work += _seconds(following, estimate)
            if work <= TARGET:
                chunk.append(following)
    return chunk


def _seconds(job: ReadyJob, estimate: Callable[[str], float | None]) -> float:
    known = estimate(job.kind) if job.resources.slots == 1 else None
    return float("inf") if known is None else known
