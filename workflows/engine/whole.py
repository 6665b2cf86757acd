"""One job whole: everything the ledger knows about it; for reading only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.lock import head_is_alive
from zonemelt.workflows.engine.present import begun_jobs
from zonemelt.workflows.engine.schema import HOLDS, OUTPUTS, WAITS_FOR
from zonemelt.workflows.engine.states import FINISHED, JobState
from zonemelt.workflows.engine.walking import references
from zonemelt.workflows.engine.why import parents_of, why

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

COLUMNS = 'id, uuid, "index", name, kind, state, pool, attempts'
_ATTEMPTS = ("retry", "failed", "done")


def basics(row: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a row of ``COLUMNS`` by name."""
    keys = ("id", "uuid", "index", "name", "kind", "state", "pool", "attempts")
    return {**dict(zip(keys, row, strict=True)), "state": JobState(row[5]).name.lower()}


def attempts_of(connection: sqlite3.Connection, job: int) -> list[dict[str, Any]]:
    """The attempts of a job in order: ``how`` each ended, times, host, directory, error, tail of output."""
    rows = connection.execute(
        "SELECT kind, time, data FROM events WHERE job = ? ORDER BY id", (job,)
    ).fetchall()
    return [
        {"how": kind, "recorded": at, **(json.loads(data) if data else {})}
        for kind, at, data in rows
        if kind in _ATTEMPTS
    ]


def whole_job(connection: sqlite3.Connection, directory: Path, job: int) -> dict[str, Any]:
    """Everything the ledger knows about a job, plain values.

    Args:
        connection: the ledger.
        directory: the campaign directory.
        job: its id.
    """
    columns = (
        f"{COLUMNS}, waits, quorum, holds, stops, settled, needs_parents, priority, not_before, origin, "
        "resources, body"
    )
    row = connection.execute(
        f"SELECT {columns} FROM jobs JOIN bodies ON job = id WHERE id = ?", (job,)
    ).fetchone()
    whole = basics(row[:8])
    keys = ("waits", "quorum", "holds", "stops", "settled", "needs_parents", "priority", "not_before")
    whole.update(zip(keys, row[8:16], strict=True))
    body = json.loads(row[18])
    output = _output(connection, whole["uuid"], whole["index"])
    alive = head_is_alive(directory)
    running = begun_jobs(directory).get(job) if alive and row[5] == JobState.RUNNING else None
    whole.update(
        resources=json.loads(row[17]) if row[17] else {},
        origin=_named(connection, row[16]),
        arguments={"args": body.get("function_args", []), "kwargs": body.get("function_kwargs", {})},
        running=running,
        parents=_kin(connection, parents_of(connection, job, WAITS_FOR)),
        settles_after=_kin(connection, parents_of(connection, job, HOLDS)),
        children=_children(connection, whole["uuid"]),
        tried=attempts_of(connection, job),
        brought=_brought(connection, job),
        output=output,
        refers_to=_kin(connection, dict.fromkeys(references([body, output]))),
    )
    whole["why"] = why(connection, whole, alive=alive)
    return whole


def _named(connection: sqlite3.Connection, job: int | None) -> dict[str, Any] | None:
    if job is None:
        return None
    row = connection.execute("SELECT id, name, state FROM jobs WHERE id = ?", (job,)).fetchone()
    return {"id": row[0], "name": row[1], "state": JobState(row[2]).name.lower()} if row else None


def _kin(connection: sqlite3.Connection, uuids: Iterable[str]) -> list[dict[str, Any]]:
    """The latest job of each uuid; what waits for one of them is told by ``settled``."""
    found: list[dict[str, Any]] = []
    for uuid in uuids:
        row = connection.execute(
            'SELECT id, name, state, holds FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', (uuid,)
        ).fetchone()
        if row is None:
            found.append(
                {"id": None, "uuid": uuid, "name": "(not of this campaign)", "state": "", "settled": True}
            )
            continue
        settled = row[2] in FINISHED and not row[3]
        name = JobState(row[2]).name.lower()
        found.append({"id": row[0], "uuid": uuid, "name": row[1], "state": name, "settled": settled})
    return sorted(found, key=lambda job: job["id"] or 0)


def _children(connection: sqlite3.Connection, uuid: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT jobs.id, name, state FROM edges JOIN jobs ON jobs.id = edges.child"
        " WHERE edges.parent = ? AND edges.kind = ? ORDER BY jobs.id",
        (uuid, WAITS_FOR),
    )
    return [{"id": row[0], "name": row[1], "state": JobState(row[2]).name.lower()} for row in rows]


def _brought(connection: sqlite3.Connection, job: int) -> dict[str, int]:
    """How many jobs a response brought, by the way it did."""
    row = connection.execute("SELECT response FROM responses WHERE job = ?", (job,)).fetchone()
    response = json.loads(row[0]) if row else {}
    ways = ("replace", "detour", "addition")
    return {way: _size(response[way]) for way in ways if response.get(way)}


def _size(plan: dict[str, Any]) -> int:
    return sum(_size(child) if isinstance(child, dict) else 1 for child in plan["jobs"])


def _output(connection: sqlite3.Connection, uuid: str, index: int) -> Any:
    row = connection.execute(
        f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? AND "index" = ?', (uuid, index)
    ).fetchone()
    return json.loads(row[0]).get("output") if row else None
