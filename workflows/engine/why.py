"""Why a job is in its state, in a sentence; for reading only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.inspect import last_failure
from zonemelt.workflows.engine.present import clock
from zonemelt.workflows.engine.schema import WAITS_FOR
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_NAMED = 5  # jobs named in a sentence
_ANCESTORS = 1000  # jobs looked at to find out why one was skipped


def parents_of(connection: sqlite3.Connection, job: int, kind: int) -> list[str]:
    """The uuids a job waits for, or settles after, by the kind of edge."""
    rows = connection.execute("SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, kind))
    return [row[0] for row in rows]


def why(connection: sqlite3.Connection, job: dict[str, Any], *, alive: bool) -> str:
    """Why a job is in its state, in a sentence.

    Args:
        connection: the ledger.
        job: of :func:`whole_job`.
        alive: whether a head drives the campaign.
    """
    state = JobState[job["state"].upper()]
    if state is JobState.WAITING:
        return _why_waiting(job)
    if state is JobState.READY:
        return _why_ready(job, alive=alive)
    if state is JobState.RUNNING:
        return _why_running(job, alive=alive)
    if state is JobState.HELD:
        return f"paused by a person: `zonemelt resume --job {job['id']}` releases it"
    if state is JobState.FAILED:
        failure = last_failure(connection, job["id"], job["name"])
        return f"out of attempts ({failure.cause}): {failure.reason}"
    if state is JobState.SKIPPED:
        return _why_skipped(connection, job)
    if state is JobState.STOPPED:
        return _why_stopped(connection, job)
    if state is JobState.CANCELLED:
        return _why_cancelled(connection, job)
    if job["holds"]:
        return f"done; its children still wait for {job['holds']} of the jobs it brought"
    return "its output is in the store"


def _why_waiting(job: dict[str, Any]) -> str:
    open_parents = [parent for parent in job["parents"] if not parent["settled"]]
    how = {"done": "done, but not the jobs it brought"}
    said = [f"{p['id']} '{p['name']}' ({how.get(p['state'], p['state'])})" for p in open_parents[:_NAMED]]
    more = f" and {len(open_parents) - _NAMED} more" if len(open_parents) > _NAMED else ""
    quorum = f" (it starts when {job['quorum']} have arrived)" if job["quorum"] is not None else ""
    return f"waits for {', '.join(said)}{more}{quorum}"


def _why_ready(job: dict[str, Any], *, alive: bool) -> str:
    if not alive:
        return "could start, but no head drives the campaign: `zonemelt resume`"
    if job["not_before"] > time.time():
        return f"rests until {clock(job['not_before'])} before attempt {job['attempts'] + 1}"
    return f"waits for a free worker of pool '{job['pool']}'"


def _why_running(job: dict[str, Any], *, alive: bool) -> str:
    if not alive:
        return "was on its way when the head ended: `zonemelt resume` runs it again"
    if job["running"] is None:
        return f"sent to pool '{job['pool']}'; no worker has begun it"
    return f"begun {clock(job['running']['since'])}"


def _ancestors(
    connection: sqlite3.Connection, job: int, through: JobState
) -> Iterator[tuple[int, str, JobState, bool]]:
    """Id, name, state and ``stops`` of a job's parents, and of theirs where they are in ``through``."""
    seen: set[int] = set()
    queue = [job]
    while queue and len(seen) < _ANCESTORS:
        for uuid in parents_of(connection, queue.pop(), WAITS_FOR):
            row = connection.execute(
                'SELECT id, name, state, stops FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1',
                (uuid,),
            ).fetchone()
            if row is None or row[0] in seen:
                continue
            seen.add(row[0])
            yield row[0], row[1], JobState(row[2]), bool(row[3])
            if row[2] == through:
                queue.append(row[0])


def _why_skipped(connection: sqlite3.Connection, job: dict[str, Any]) -> str:
    failed = [
        f"{number} '{name}'"
        for number, name, state, _ in _ancestors(connection, job["id"], JobState.SKIPPED)
        if state is JobState.FAILED
    ]
    if not failed:
        return "a job it needs has no output"
    return (
        f"it needs the output of {', '.join(failed[:_NAMED])}, which failed: `zonemelt retry` runs both again"
    )


def _why_cancelled(connection: sqlite3.Connection, job: dict[str, Any]) -> str:
    above = [
        f"{number} '{name}'"
        for number, name, state, _ in _ancestors(connection, job["id"], JobState.CANCELLED)
        if state is JobState.CANCELLED
    ]
    if above:
        return f"cancelled with what it depends on: {', '.join(above[:_NAMED])}"
    return f"cancelled by a person: `zonemelt retry {job['id']}` runs it again"


def _why_stopped(connection: sqlite3.Connection, job: dict[str, Any]) -> str:
    for number, name, state, stops in _ancestors(connection, job["id"], JobState.STOPPED):
        if stops:
            return f"job {number} '{name}' returned stop_children"
        if state is JobState.CANCELLED:
            return f"it depends on job {number} '{name}', which was cancelled"
    row = connection.execute(
        "SELECT jobs.id, name FROM events JOIN jobs ON jobs.id = events.job"
        " WHERE events.kind = 'stop_jobflow'"
    ).fetchone()
    return f"job {row[0]} '{row[1]}' returned stop_jobflow" if row else "nothing that it waits for can end"
