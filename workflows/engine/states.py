"""The states a job can be in, and which comes next.

    WAITING ──► READY ──► RUNNING ──► DONE       (WAITING ◄─► RUNNING: in a line, see lines.py)
       │          ▲          │ └────► FAILED
       │          └──────────┘ (another attempt)
       ├──► HELD       a person paused it; released, it waits again
       ├──► SKIPPED    a parent failed and the job needs its output
       ├──► STOPPED    a parent said ``stop_children``, or the campaign ``stop_jobflow``
       └──► CANCELLED  a person cancelled it

What holds, stops or cancels a job that waits does the same to one that is ready. A person lets FAILED,
CANCELLED and SKIPPED jobs wait again. DONE and STOPPED are final.

The numbers are what the ledger stores; never reuse one.
"""

from __future__ import annotations

import enum


class JobState(enum.IntEnum):
    """Where a job stands."""

    WAITING = 0  # for other jobs
    READY = 1  # could be dispatched now
    RUNNING = 2  # dispatched to a worker
    HELD = 3  # paused by a person
    DONE = 4  # its output is in the store
    FAILED = 5  # out of attempts
    SKIPPED = 6
    STOPPED = 7
    CANCELLED = 8


FINISHED = frozenset({JobState.DONE, JobState.FAILED, JobState.SKIPPED, JobState.STOPPED, JobState.CANCELLED})
UNFINISHED = frozenset(JobState) - FINISHED
DISPATCHABLE = frozenset({JobState.READY, JobState.WAITING})  # the latter behind a parent in its chunk
PENDING = frozenset({JobState.WAITING, JobState.READY, JobState.HELD})
UNSUCCESSFUL = FINISHED - {JobState.DONE}


class Outcome(enum.IntEnum):
    """What a settled job means to those that wait for it."""

    ARRIVED = 0  # its output can be used
    FAILED = 1  # there is no output
    STOPPED = 2  # its children shall not run


def outcome(state: JobState, *, stops_children: bool) -> Outcome:
    """What the end of a job in ``state`` means to its children.

    As in ``jobflow.run_locally`` a stop wins over a failure.

    Raises:
        ValueError: ``state`` is not a finished one.
    """
    if state not in FINISHED:
        raise ValueError(f"{state.name} is not a finished state")
    if stops_children or state in {JobState.STOPPED, JobState.CANCELLED}:
        return Outcome.STOPPED
    if state is JobState.DONE:
        return Outcome.ARRIVED
    return Outcome.FAILED


def next_state(
    *, waits: int, arrived: int, failed: int, stopped: int, quorum: int | None, needs_parents: bool
) -> JobState:
    """Where a waiting job goes, from how its parents stand.

    Args:
        waits: parents that have not settled.
        arrived: parents whose output can be used.
        failed: parents without an output.
        stopped: parents whose children shall not run.
        quorum: arrivals that are enough, or None where all parents must settle. For a job that can run
            without its parents' outputs a parent that failed counts as one that arrived without.
        needs_parents: the job cannot run without its parents' outputs.
    """
    if quorum is not None:
        if arrived + (0 if needs_parents else failed) >= quorum:
            return JobState.READY
        if waits > 0:
            return JobState.WAITING
        return JobState.STOPPED if stopped else JobState.SKIPPED
    if waits > 0:
        return JobState.WAITING
    if stopped:
        return JobState.STOPPED
    if failed and needs_parents:
        return JobState.SKIPPED
    return JobState.READY
