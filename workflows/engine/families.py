"""A job and everything that depends on it: what a person pauses, cancels or runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.engine.schema import WAITS_FOR, in_states
from zonemelt.workflows.engine.settle import recount, unsettle
from zonemelt.workflows.engine.states import FINISHED, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.workflows.engine.ledger import Ledger


def family(ledger: Ledger, job: int) -> set[int]:
    """A job and everything that depends on it."""
    rows = ledger.connection.execute(
        "WITH RECURSIVE family(id) AS (VALUES (?) UNION SELECT edges.child FROM family"
        " JOIN jobs ON jobs.id = family.id JOIN edges ON edges.parent = jobs.uuid AND edges.kind = ?)"
        " SELECT id FROM family",
        (job, WAITS_FOR),
    )
    return {row[0] for row in rows}


def move(ledger: Ledger, jobs: Iterable[int], old: Iterable[JobState], new: JobState) -> list[str]:
    """Move jobs that are in one of the unfinished states ``old`` to ``new``; returns their uuids."""
    sql = f"UPDATE jobs SET state = ? WHERE id = ? AND state {in_states(old)} RETURNING uuid"
    moved = [row[0] for job in jobs for row in ledger.connection.execute(sql, (int(new), job)).fetchall()]
    if new in FINISHED:
        ledger.unfinished -= len(moved)
    return moved


def _with_waiting_kin(ledger: Ledger, revived: Iterable[int]) -> set[int]:
    """The revived jobs, and those that wait for one of them already: their counts have changed."""
    kin = {member for job in revived for member in family(ledger, job)}
    sql = f"SELECT 1 FROM jobs WHERE id = ? AND state {in_states({JobState.WAITING})}"
    return {job for job in kin if ledger.connection.execute(sql, (job,)).fetchone()}


def revive(ledger: Ledger, jobs: Iterable[int], old: Iterable[JobState]) -> int:
    """Let jobs in one of the states ``old`` wait again for what they wait for; returns how many."""
    execute = ledger.connection.execute
    revived = []
    for job in jobs:
        row = execute(f"SELECT state FROM jobs WHERE id = ? AND state {in_states(old)}", (job,)).fetchone()
        if row is None:
            continue
        execute("UPDATE jobs SET state = ? WHERE id = ?", (int(JobState.WAITING), job))
        ledger.unfinished += JobState(row[0]) in FINISHED
        revived.append(job)
    unsettled = {again for job in revived for again in unsettle(ledger, job)}
    recount(ledger, _with_waiting_kin(ledger, {*revived, *unsettled}))
    return len(revived)
