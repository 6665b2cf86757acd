"""The provenance of one job: what ran where, under what, from what, for how long, by whose hand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from zonemelt.workflows.engine.schema import OUTPUTS, WAITS_FOR
from zonemelt.workflows.engine.whole import attempts_of, basics
from zonemelt.workflows.provenance.lineage import circumstances

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_SEED = re.compile(r"(?:.*_)?seeds?|random_state")
_DATASET = re.compile(r"dataset(?:_version)?|training_set|test_set|labels_version")
_HASH = re.compile(r"[0-9a-f]{16,64}")  # the version of a dataset is one, that of a package is not
_MODEL = re.compile(r"model(?:_card)?|weights|checkpoint|ensemble")
_LONGEST = 300  # characters of a value that names something
_MOST = 50  # things of a kind that are listed for one job


def job_record(connection: sqlite3.Connection, job: int) -> dict[str, Any]:
    """Everything the ledger knows of where the output of a job comes from, plain values.

    Args:
        connection: the ledger.
        job: its id.
    """
    row = connection.execute(
        'SELECT id, uuid, "index", name, kind, state, pool, attempts, origin, body FROM jobs'
        " JOIN bodies ON bodies.job = jobs.id WHERE id = ?",
        (job,),
    ).fetchone()
    record = basics(row[:8])
    tried = attempts_of(connection, job)
    last = tried[-1] if tried else {}
    said = circumstances(connection)
    under = said.get(last.get("under", ""), {})
    (document,) = connection.execute(
        f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? AND "index" = ?', (row[1], row[2])
    ).fetchone() or (None,)
    head = _head_of(connection, last.get("recorded"))
    record |= {
        "origin": row[8],
        "parents": _parents(connection, job),
        "brought": [each for (each,) in connection.execute("SELECT id FROM jobs WHERE origin = ?", (job,))],
        "attempts_made": tried,
        "host": last.get("host"),
        "started": last.get("start"),
        "ended": last.get("end"),
        "run_s": last["end"] - last["start"] if "start" in last else None,
        "waited_s": _waited(connection, job, row[8], tried),
        "reused": last.get("reused"),
        "given": last.get("given"),
        "made": last.get("made"),
        "joules": last.get("joules"),
        "source": under.get("source"),
        **{
            part: _without_kind(said.get(under.get(part, "")))
            for part in ("software", "machine", "allocation")
        },
        "repositories": (said.get(head.get("repositories", "")) or {}).get("found"),
        "user": head.get("user"),
        "site": head.get("site"),
        "steered": _steered(connection, job),
        **named_things(_parsed(row[9]), _parsed(document) if document else None),
    }
    return record


def _parsed(text: str) -> Any:
    """JSON of megabytes, in a fifth of the time where it holds no NaN."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _without_kind(said: dict[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in said.items() if key != "kind"} if said is not None else None


def _parents(connection: sqlite3.Connection, job: int) -> list[int]:
    rows = connection.execute(
        "SELECT MAX(jobs.id) FROM edges JOIN jobs ON jobs.uuid = edges.parent"
        f" WHERE edges.child = ? AND edges.kind = {WAITS_FOR} GROUP BY jobs.uuid",
        (job,),
    )
    return sorted(row[0] for row in rows)


def _head_of(connection: sqlite3.Connection, recorded: float | None) -> dict[str, Any]:
    """What the head noted of itself that drove the campaign when a job was recorded."""
    row = connection.execute(
        "SELECT data FROM events WHERE kind = 'started' AND time <= ? ORDER BY id DESC LIMIT 1",
        (recorded or float("inf"),),
    ).fetchone()
    found: dict[str, Any] = json.loads(row[0]) if row else {}
    return found


def _steered(connection: sqlite3.Connection, job: int) -> list[dict[str, Any]]:
    """What persons asked of the job, or of the whole campaign."""
    rows = connection.execute(
        "SELECT time, job, kind, data FROM events WHERE kind IN ('asked', 'steered')"
        " AND (job IS NULL OR job = ?) ORDER BY id",
        (job,),
    )
    return [
        {"time": at, "job": whom, "what": kind, **json.loads(data or "{}")} for at, whom, kind, data in rows
    ]


def _waited(
    connection: sqlite3.Connection, job: int, origin: int | None, tried: list[dict[str, Any]]
) -> float | None:
    """Seconds from when a job could run to when it did, in the queue and on its way; of its first attempt."""
    if not tried or "start" not in tried[0]:
        return None
    before = _parents(connection, job) + ([origin] if origin is not None else [])
    if before:
        (ready,) = connection.execute(
            "SELECT MAX(time) FROM events WHERE kind IN ('done', 'failed')"
            " AND job IN (SELECT value FROM json_each(?))",
            (json.dumps(before),),
        ).fetchone()
    else:
        (ready,) = connection.execute(
            "SELECT MAX(time) FROM events WHERE kind = 'submitted' OR"
            " (kind = 'taken' AND json_extract(data, '$.first') <= ? AND json_extract(data, '$.last') >= ?)",
            (job, job),
        ).fetchone()
    return None if ready is None else max(0.0, tried[0]["start"] - ready)


def named_things(body: dict[str, Any], document: dict[str, Any] | None) -> dict[str, Any]:
    """Seeds, datasets, models and files that stand in the arguments and the output of a job.

    Args:
        body: the job.
        document: its output document.
    """
    arguments = {"args": body.get("function_args", []), "kwargs": body.get("function_kwargs", {})}
    found: dict[str, dict[str, Any]] = {"seeds": {}, "datasets": {}, "models": {}, "files": {}}
    for where, value in (("given", arguments), ("made", (document or {}).get("output"))):
        for path, key, each in _leaves(value, where):
            if isinstance(each, bool) or len(found["files"]) > _MOST:
                continue
            if key == "sha256" and isinstance(each, str):
                found["files"][path.removesuffix(".sha256")] = each
            elif _SEED.fullmatch(key) and isinstance(each, int):
                _put(found["seeds"], path, each)
            elif isinstance(each, str) and 0 < len(each) <= _LONGEST:
                if _DATASET.fullmatch(key) or (key == "version" and _HASH.fullmatch(each)):
                    _put(found["datasets"], path, each)
                elif _MODEL.fullmatch(key):
                    _put(found["models"], path, each)
    return found


def _put(found: dict[str, Any], path: str, value: Any) -> None:
    if len(found) < _MOST:
        found[path] = value


def _leaves(value: Any, path: str, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, last key and value of everything in a JSON-like value that is no container; not of long lists."""
    stack = [(path, key, value)]
    while stack:
        path, key, value = stack.pop()
        if isinstance(value, dict):
            stack += [
                (f"{path}.{name}", name, each) for name, each in reversed(value.items()) if name[:1] != "@"
            ]
        elif isinstance(value, list):
            if len(value) <= 8 or not isinstance(value[0], (int, float)):  # noqa: PLR2004
                stack += [
                    (f"{path}.{number}", key, each) for number, each in reversed(list(enumerate(value)))
                ]
        else:
            yield path, key, value
