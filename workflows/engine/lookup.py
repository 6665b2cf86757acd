"""Find the job a person means, and list jobs by state and name; for reading only."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.inspect import last_failure
from zonemelt.workflows.engine.schema import in_states
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.whole import COLUMNS, attempts_of, basics

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

_NAMES = 2000  # names that are compared with one that was not found
_NEAR = 3  # of them named
_NAMESAKES = 20  # jobs of one name that are looked up


def find_job(connection: sqlite3.Connection, text: str) -> int:
    """The id of the job a person means.

    Args:
        connection: the ledger.
        text: as for :func:`match_job`.

    Raises:
        InputError: no job, or more than one, is meant.
    """
    if (found := match_job(connection, text)) is not None:
        return found
    raise InputError(f"there is no job '{text}'", where="JOB", remedy=_nearest(connection, text))


def match_job(connection: sqlite3.Connection, text: str) -> int | None:
    """The id of the job that a text names; None where it names none.

    Args:
        connection: the ledger.
        text: a ledger id, a uuid or the beginning of one (``uuid_index`` for a certain run of it), or a
            name that only one job has.

    Raises:
        InputError: more than one job is meant.
    """
    if re.fullmatch(r"[0-9]{1,18}", text):
        row = connection.execute("SELECT id FROM jobs WHERE id = ?", (int(text),)).fetchone()
        if row:
            return int(row[0])
    if found := _by_uuid(connection, text):
        return found
    named = connection.execute(
        "SELECT id, state FROM jobs WHERE name = ? ORDER BY id LIMIT ?", (text, _NAMESAKES)
    ).fetchall()
    if len(named) == 1:
        return int(named[0][0])
    if named:
        listed = ", ".join(f"{job} ({JobState(state).name.lower()})" for job, state in named[:5])
        raise InputError(
            f"{len(named)}{' or more' if len(named) == _NAMESAKES else ''} jobs are named '{text}'",
            where="JOB",
            remedy=f"give the id of one: {listed}{', …' if len(named) > 5 else ''}",  # noqa: PLR2004
        )
    return None


def _by_uuid(connection: sqlite3.Connection, text: str) -> int | None:
    match = re.fullmatch(r"([0-9a-f-]{4,36})(?:_([0-9]{1,18}))?", text.lower())
    if match is None:
        return None
    prefix, index = match.groups()
    rows = connection.execute(
        'SELECT uuid, MAX("index") FROM jobs WHERE uuid >= ? AND uuid < ? GROUP BY uuid LIMIT 6',
        (prefix, f"{prefix}~"),
    ).fetchall()
    if len(rows) > 1:
        raise InputError(
            f"'{prefix}' begins the uuids of several jobs",
            where="JOB",
            remedy=f"give more of it: {', '.join(row[0] for row in rows[:_NEAR])}, …",
        )
    if not rows:
        return None
    row = connection.execute(
        'SELECT id FROM jobs WHERE uuid = ? AND "index" = ?', (rows[0][0], int(index or rows[0][1]))
    ).fetchone()
    return None if row is None else int(row[0])


def _nearest(connection: sqlite3.Connection, text: str) -> str:
    names = [row[0] for row in connection.execute("SELECT DISTINCT name FROM jobs LIMIT ?", (_NAMES,))]
    near = difflib.get_close_matches(text, names, n=_NEAR, cutoff=0.5)
    first, last = connection.execute("SELECT MIN(id), MAX(id) FROM jobs").fetchone()
    ids = f"ids go from {first} to {last}" if first is not None else "the campaign has no jobs"
    said = f"did you mean {', '.join(repr(name) for name in near)}? " if near else ""
    return f"{said}`zonemelt jobs` lists them; {ids}"


def list_jobs(
    connection: sqlite3.Connection,
    *,
    states: Collection[JobState] = (),
    name: str = "",
    limit: int = 50,
) -> tuple[list[dict[str, Any]], int]:
    """Jobs in their order, and how many match in all.

    Args:
        connection: the ledger.
        states: only jobs in one of these; empty for all.
        name: only jobs whose name or function contains this, or matches it where it holds ``*`` or ``?``.
        limit: how many at most.
    """
    conditions, values = ["1"], []
    if states:
        conditions.append(f"state {in_states(states)}")
    if name:
        pattern = name if set(name) & set("*?[") else f"*{name}*"
        conditions.append("(name GLOB ? OR kind GLOB ?)")
        values += [pattern, pattern]
    where = " AND ".join(conditions)
    total = connection.execute(f"SELECT COUNT(*) FROM jobs WHERE {where}", values).fetchone()[0]
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY id LIMIT ?", (*values, limit)
    )
    return [_with_end(connection, basics(row)) for row in rows.fetchall()], total


def _with_end(connection: sqlite3.Connection, job: dict[str, Any]) -> dict[str, Any]:
    """Add how long the last attempt took, and why it failed."""
    tried = attempts_of(connection, job["id"])
    last = tried[-1] if tried else {}
    job["seconds"] = last["end"] - last["start"] if "end" in last and "start" in last else None
    if job["state"] == "failed":
        job["reason"] = last_failure(connection, job["id"], job["name"]).reason
    return job


def failed_with(connection: sqlite3.Connection, pattern: str) -> list[int]:
    """The failed jobs whose error, message or cause matches a regular expression.

    Raises:
        InputError: it is not one.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"'{pattern}' is not a regular expression: {error}", where="--error", remedy="e.g. 'MemoryError'"
        ) from None
    rows = connection.execute("SELECT id, name FROM jobs WHERE state = ?", (int(JobState.FAILED),)).fetchall()
    failures = [last_failure(connection, job, name) for job, name in rows]
    return [f.id for f in failures if wanted.search(f"{f.cause}: {f.error}: {f.message}")]
