"""What a result does to the ledger: jobflow's semantics, one transaction at a time."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

from zonemelt.workflows.engine.graph import JobRow, leaves
from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.engine.settle import carry_over, hold, release, settle
from zonemelt.workflows.engine.states import JobState, outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from zonemelt.tasks.errors import ZonemeltError
    from zonemelt.workflows.engine.ledger import Ledger
    from zonemelt.workflows.engine.results import Result, Task
    from zonemelt.workflows.engine.retry import RetryPolicy


def commit_plain(ledger: Ledger, results: Collection[Result]) -> None:
    """Record plain successes, each as :func:`commit_success` would, in a few statements for all of them.

    Args:
        ledger: inside a transaction.
        results: see :func:`.results.is_plain`; each of another job.
    """
    if not results:
        return
    rows = ledger.connection.execute(_END_PLAIN, (json.dumps([result["job"] for result in results]),))
    ended = {job: (uuid, bool(stops), bool(settled)) for job, uuid, stops, settled in rows.fetchall()}
    ledger.unfinished -= len(ended)
    first = [result for result in results if result["job"] in ended]  # somebody else's came first otherwise
    ledger.record_outputs((r["job"], r["uuid"], r["index"], r["document"]) for r in first)
    ledger.record_sources(results)
    ledger.record_circumstances(results)
    ledger.events("done", ((result["job"], _noted(result)) for result in first))
    done = {
        u: outcome(JobState.DONE, stops_children=stops) for u, stops, settled in ended.values() if settled
    }
    settle(ledger, release(ledger, done))


# The plus keeps SQLite from walking over all that run.
_END_PLAIN = f"""UPDATE jobs SET state = {int(JobState.DONE)}, settled = holds = 0 AND NOT EXISTS (
    SELECT 1 FROM jobs AS later WHERE later.uuid = jobs.uuid AND later."index" > jobs."index")
    WHERE id IN (SELECT value FROM json_each(?)) AND +state = {int(JobState.RUNNING)}
    RETURNING id, uuid, stops, settled"""


def commit_success(ledger: Ledger, result: Result) -> None:
    """Record a success: output, state, the jobs its response brings, the children it releases.

    A second result of the same job changes nothing.

    Args:
        ledger: inside a transaction.
        result: as the worker returned it.

    Raises:
        ZonemeltError: the jobs it brings ask for what the site does not have. The transaction must be
            rolled back to before the call.
    """
    ledger.record_circumstances([result])
    job = result["job"]
    response = result.get("response", {})
    stops = bool(response.get("stop_children"))
    ledger.record_sources([result])
    if not ledger.end(job, JobState.DONE, stops=stops):
        return
    for store, documents in result.get("blobs", {}).items():
        ledger.record_blobs(store, documents)
    ledger.record_outputs([(job, result["uuid"], result["index"], result["document"])])
    if response:
        ledger.connection.execute(
            "INSERT OR REPLACE INTO responses VALUES (?, ?)", (job, json.dumps(response))
        )
    _note(ledger, "done", result)
    brought = _insert_brought(ledger, result)
    if response.get("stop_jobflow"):
        ledger.event("stop_jobflow", job)
        ledger.put("stopped", value=True)
    if response.get("stop_jobflow") or (brought and ledger.get("stopped")):
        ledger.stop_all()  # what it brought as well
        return
    settle(ledger, [*brought, result["uuid"]])


def _insert_brought(ledger: Ledger, result: Result) -> list[str]:
    """Insert what a response brings; returns its uuids, some of which may have settled at once.

    Children of the job wait for its replacement, or, where no replaced job carries the uuid on, for the
    leaves of what replaces it, and for the leaves of a detour; nobody waits for an addition.
    """
    job, rows = result["job"], result.get("rows")
    if not rows:
        return []
    replace, detour, addition = (_rows(rows.get(way)) for way in ("replace", "detour", "addition"))
    holder = job
    waited_for = leaves(detour)
    if replace:
        ids = ledger.insert(replace, origin=job)
        carriers = [i for i, row in zip(ids, replace, strict=True) if row.uuid == result["uuid"]]
        if carriers:
            holder = carriers[0]
            carry_over(ledger, job, holder)
        else:
            waited_for += leaves(replace)
    ledger.insert(detour, origin=job)
    hold(ledger, holder, waited_for)
    ledger.insert(addition, origin=job)
    return [row.uuid for row in (*replace, *detour, *addition)]


def _rows(rows: list[JobRow] | None) -> list[JobRow]:
    return [JobRow(*row) for row in rows or ()]  # a spool gives them back as plain lists


def commit_failure(ledger: Ledger, result: Result, policy: RetryPolicy) -> JobState:
    """Record a failed attempt: the job rests and goes again, or it is over and its children are told.

    Returns:
        READY where it goes again, FAILED where it does not.
    """
    ledger.record_circumstances([result])
    ledger.record_sources([result])
    job, cause = result["job"], Cause(result["cause"])
    row = ledger.connection.execute(
        "SELECT uuid, attempts FROM jobs WHERE id = ? AND state = ?", (job, int(JobState.RUNNING))
    ).fetchone()
    if row is None:
        return JobState.FAILED
    if row[1] != result["attempt"]:
        return JobState.READY  # of an attempt that is in the ledger already: another is on its way
    earlier = ledger.failures(job, cause)
    if earlier < policy.limit(cause):
        _note(ledger, "retry", result)
        ledger.mark_ready(job, not_before=time.time() + policy.delay(earlier))
        return JobState.READY
    _note(ledger, "failed", result)
    ledger.end(job, JobState.FAILED)
    settle(ledger, [row[0]])
    return JobState.FAILED


def postpone(ledger: Ledger, results: Iterable[Result]) -> None:
    """Let jobs rest that did not fit what was left of a block: another may have the time, or the next one."""
    for result in results:
        ledger.mark_ready(result["job"], not_before=time.time() + _POSTPONED, counted=False)


def refused(result: Result, error: ZonemeltError) -> Result:
    """The failure that a success becomes whose new jobs cannot be accepted."""
    kept = (
        "job", "attempt", "start", "end", "host", "pid", "directory", "tail", "under", "given", "joules",
        "source", "circumstances",  # the worker tells them once
    )  # fmt: skip
    failure = cast("Result", {key: value for key, value in result.items() if key in kept})
    failure |= {
        "ok": False,
        "cause": Cause.APPLICATION,
        "error": type(error).__name__,
        "message": str(error),
        "traceback": f"The response of this job was refused.\n{error}",
    }
    return failure


def lost(task: Task, error: BaseException) -> Result:
    """The failure of a job whose worker was lost: nobody's fault."""
    now = time.time()
    return {
        "ok": False, "job": task.id, "attempt": task.attempt, "start": now, "end": now,
        "cause": Cause.INFRASTRUCTURE, "error": type(error).__name__,
        "message": f"the worker was lost while this job ran: {error}", "traceback": str(error),
    }  # fmt: skip


_POSTPONED = 30.0  # seconds
_NOTED = (
    "attempt", "start", "end", "host", "pid", "directory", "tail", "reused",
    "under", "given", "made", "joules", "cause", "error", "message", "traceback",
)  # fmt: skip


def _noted(result: Result) -> dict[str, Any]:
    return {key: result[key] for key in _NOTED if result.get(key)}  # type: ignore[literal-required]


def _note(ledger: Ledger, kind: str, result: Result) -> None:
    ledger.events(kind, [(result["job"], _noted(result))])
