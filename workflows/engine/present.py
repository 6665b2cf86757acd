"""Read-only questions about the present: how fast jobs end, what workers have begun, why nothing runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.spool import FOLDER as SPOOL
from zonemelt.workflows.engine.states import UNFINISHED, JobState

if TYPE_CHECKING:
    import sqlite3

_WINDOW = 60.0  # seconds over which a rate is taken
_FEW = 20  # results that a rate needs, however long they took
_LOOK_BACK = 20_000  # events that a question about the recent past reads at most
_SPOOLS = 1000  # spool files that are looked into at most
_RECORD = 400  # bytes that hold the record of a job's beginning


def recent_rate(connection: sqlite3.Connection, since: float) -> float | None:
    """Jobs ended per second over the last minute, or over a longer time where there were few.

    Args:
        connection: the ledger.
        since: when the head started: what ended before says nothing about now.
    """
    now = time.time()
    times = [
        float(row[0])
        for row in connection.execute(
            "SELECT time FROM events WHERE id > (SELECT MAX(id) FROM events) - ? AND time >= ?"
            " AND kind IN ('done', 'failed') ORDER BY id DESC",
            (_LOOK_BACK, since),
        )
    ]
    if not times:
        return None
    lately = sum(at > now - _WINDOW for at in times)
    if lately == len(times) and lately > 2:  # noqa: PLR2004 (the first says when workers were up)
        return (lately - 1) / max(now - times[-1], 0.1)
    if _FEW <= lately < len(times):
        return lately / _WINDOW
    few = times[:_FEW]
    return len(few) / max(now - since if len(few) == len(times) else now - few[-1], 0.1)


def begun_jobs(directory: Path, *, after: float = 0.0) -> dict[int, dict[str, Any]]:
    """What workers have begun and not ended: job → ``since`` and what the record of its beginning says.

    The last record of a chunk's spool file is the beginning of the job that runs now, and the file has not
    changed since.

    Args:
        directory: the campaign directory.
        after: when the head started; older files were left by another one.
    """
    begun: dict[int, dict[str, Any]] = {}
    for path in list(Path(directory, SPOOL).glob("*.spool"))[:_SPOOLS]:
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _RECORD))
                line = file.read().rstrip(b"\n").rsplit(b"\n", 1)[-1]
            record = json.loads(line.split(b" ", 2)[-1])
            since = path.stat().st_mtime
        except (OSError, ValueError):
            continue  # taken in meanwhile, or not written to its end
        if isinstance(record, dict) and "begun" in record and since >= after:
            begun[record["begun"]] = {**record, "since": since}
    return begun


def why_idle(
    connection: sqlite3.Connection, counts: dict[str, int], status: str, *, alive: bool, begun: int
) -> str:
    """Why nothing, or nothing more, runs; empty while all is well or everything is done.

    Args:
        connection: the ledger.
        counts: jobs by state.
        status: of the campaign.
        alive: whether a head drives it.
        begun: how many jobs workers have begun.
    """
    left = sum(counts[state.name.lower()] for state in UNFINISHED)
    if status == "cancelled":
        return "it was cancelled: `zonemelt retry --all-failed` runs what was cancelled again"
    if status == "paused":
        if counts["held"] and not counts["ready"] + counts["running"]:
            return f"it is paused: {_held(counts)}"
        reason = _pause_reason(connection)
        return f"it is paused ({reason}): `zonemelt resume` goes on"
    if not left:
        return ""
    if not alive:
        return "no head drives it, so nothing runs: `zonemelt resume` goes on"
    if counts["running"]:
        return (
            ""
            if begun
            else f"{_jobs(counts['running'], 'is sent and waits', 'are sent and wait')} for workers"
        )
    if counts["ready"]:
        first = connection.execute(
            "SELECT MIN(not_before) FROM jobs WHERE state = ?", (int(JobState.READY),)
        ).fetchone()[0]
        if first is not None and first > time.time():  # None: it was sent out just now
            return f"{_jobs(counts['ready'], 'rests', 'rest')} before another attempt, until {clock(first)}"
        return "the head is about to send jobs out"
    if counts["held"]:
        return _held(counts)
    return ""


def _jobs(count: int, one: str, several: str) -> str:
    """A number of jobs with the verb that suits it."""
    return f"{count} job {one}" if count == 1 else f"{count:,} jobs {several}"


def _held(counts: dict[str, int]) -> str:
    return f"only held jobs are left ({counts['held']}): `zonemelt resume --job JOB` releases one"


def _pause_reason(connection: sqlite3.Connection) -> str:
    """What paused a campaign: the budget, held jobs, or a person."""
    row = connection.execute(
        "SELECT kind, data FROM events WHERE id > (SELECT MAX(id) FROM events) - ? AND job IS NULL"
        " AND kind IN ('paused', 'asked') ORDER BY id DESC LIMIT 1",
        (_LOOK_BACK,),
    ).fetchone()
    if row is None:
        return "by a person"
    return str(json.loads(row[1] or "{}").get("reason") or "by a person")


def clock(at: float) -> str:
    """A time of today, or with its date."""
    form = "%H:%M:%S" if abs(time.time() - at) < 12 * 3600 else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, time.localtime(at))
