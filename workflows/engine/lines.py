"""Short jobs in a line travel together.

Where a short job is all that the next one waits for, and the next is all that waits for it, sending them one
by one would cost a round trip each and gain nothing: no other worker could take the second meanwhile. So it
goes along, and the worker begins it if the first one gave a plain output: no other jobs, no orders.
Otherwise it comes back unbegun and waits like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.engine.dispatch import MOST, TARGET
from zonemelt.workflows.engine.schema import WAITS_FOR
from zonemelt.workflows.engine.settle import recount
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from zonemelt.workflows.engine.ledger import Ledger, ReadyJob


def lengthen(
    jobs: Sequence[ReadyJob],
    following: Callable[[ReadyJob], ReadyJob | None],
    estimate: Callable[[str], float | None],
    *,
    most: int,
) -> list[ReadyJob]:
    """Add to the jobs of a chunk those that follow them in a line, as long as the chunk stays short.

    Args:
        jobs: what the chunk holds so far.
        following: the job that waits for this one alone, and that nothing else waits with; None: there is
            none.
        estimate: seconds that jobs of a kind take, None where unknown.
        most: jobs that may be added.

    Returns:
        The jobs, each after the one it follows.
    """
    chunk = list(jobs)
    work = sum(_seconds(job, estimate) for job in chunk)
    for job in chunk:  # it grows meanwhile: a line goes on as far as it is short
        if len(chunk) >= min(MOST, len(jobs) + most) or work >= TARGET:
            break
        if (behind := following(job)) is not None:
            work += _seconds(behind, estimate)
            if work <= TARGET:
                chunk.append(behind)
    return chunk


def _seconds(job: ReadyJob, estimate: Callable[[str], float | None]) -> float:
    seconds = estimate(job.kind) if job.resources.slots == 1 else None
    return float("inf") if seconds is None else seconds


def follower(ledger: Ledger, job: ReadyJob) -> ReadyJob | None:
    """The one job that waits for this one and for nothing else, where there is exactly one in its pool."""
    edges = ledger.connection.execute("SELECT child, kind FROM edges WHERE parent = ? LIMIT 2", (job.uuid,))
    found = edges.fetchall()
    if len(found) != 1 or found[0][1] != WAITS_FOR:
        return None
    following = ledger.jobs(
        "id = ? AND state = ? AND waits = 1 AND failed = 0 AND stopped = 0 AND quorum IS NULL"
        " AND (pool, 0, 0) = (SELECT pool, holds, stops FROM jobs WHERE id = ?)",
        (found[0][0], int(JobState.WAITING), job.id),
    )
    return following[0]._replace(after=job.uuid) if following else None


def take_back(ledger: Ledger, jobs: Iterable[int]) -> None:
    """Let jobs that went along, and were not begun, wait as if they had stayed."""
    jobs = list(jobs)
    for job in jobs:
        ledger.mark_ready(job, counted=False)
    ledger.connection.executemany(
        "UPDATE jobs SET state = ? WHERE id = ? AND state = ?",
        [(int(JobState.WAITING), job, int(JobState.READY)) for job in jobs],
    )
    recount(ledger, jobs)
