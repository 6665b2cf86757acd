"""The provenance of one job: what ran where, under what, from what, for how long, by whose hand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.documents import parsed
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
_NAMING = re.compile(rf'"(?:[^"]*seeds?|random_state|{_DATASET.pattern}|version|{_MODEL.pattern})":')
_OF_A_SET = re.compile(r"(.*\.pseudopotentials)\.([A-Z][a-z]?)\.sha256")
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
        **named_things(parsed(row[9]), parsed(document) if document else None),
    }
    return record


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


def may_name_things(text: str) -> bool:
    """Whether :func:`named_things` may find a seed, a dataset or a model in a JSON text, at little cost."""
    return _NAMING.search(text) is not None


def named_things(body: dict[str, Any], document: dict[str, Any] | None) -> dict[str, Any]:
    """Seeds, datasets, models and files that stand in the arguments and the output of a job.

    Args:
        body: the job.
        document: its output document.

    Returns:
        ``seeds``, ``datasets``, ``models`` and ``files``: path → value, of files the hash. ``sets``: path of
        a set with a file for each element → how many; ``files`` has those of the elements it is about.
    """
    arguments = {"args": body.get("function_args", []), "kwargs": body.get("function_kwargs", {})}
    found: dict[str, dict[str, Any]] = {"seeds": {}, "datasets": {}, "models": {}, "files": {}, "sets": {}}
    elements: set[Any] = set()
    of_sets: dict[str, tuple[str, str]] = {}
    for where, value in (("given", arguments), ("made", (document or {}).get("output"))):
        for path, key, each in _leaves(value, where):
            if key == "symbols":
                elements.add(each)
            elif key == "sha256" and (match := _OF_A_SET.fullmatch(path)) is not None:
                of_sets[path.removesuffix(".sha256")] = match[2], each
                found["sets"][match[1]] = found["sets"].get(match[1], 0) + 1
            elif (kind := _kind_of(key, each)) is not None:
                _put(found[kind], path.removesuffix(".sha256"), each)
    found["files"] |= {path: digest for path, (element, digest) in of_sets.items() if element in elements}
    return found


def _kind_of(key: str, value: Any) -> str | None:
    """What a value under a key names; None where it names nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "seeds" if _SEED.fullmatch(key) else None
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return None
    if key == "sha256":
        return "files"
    if _DATASET.fullmatch(key) or (key == "version" and _HASH.fullmatch(value)):
        return "datasets"
    return "models" if _MODEL.fullmatch(key) else None


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
