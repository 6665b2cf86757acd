"""What a person means by an ID: a job, or something that jobs made or were given."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.lookup import match_job
from zonemelt.workflows.engine.schema import OUTPUTS

if TYPE_CHECKING:
    import sqlite3

_HASH = re.compile(r"[0-9a-f]{7,64}")
_NEAR = 3
_LOOKED_AT = 20_000  # documents in which names like one that was not found are looked for
_CANDIDATES = 2000  # jobs whose outputs are looked into for one that is the thing itself
_SMALL = 200_000  # characters of an output that can be such
_NAMED = re.compile(
    r'"(?:identifier|candidate|formula|version|hash|name|model|dataset|training_set|sha256)":"([^"\\]{1,100})"'
)


@dataclass(frozen=True, kw_only=True)
class Meant:
    """What an ID stands for.

    Attributes:
        text: the ID.
        kind: ``job``, ``made`` (in the output of a job) or ``given`` (only in arguments).
        makers: the jobs to ask for where it comes from: those whose output is the thing itself, else the
            first that had it in its output.
        holders: every job that had it in its output or its arguments.
    """

    text: str
    kind: str
    makers: list[int]
    holders: list[int]


def identify(connection: sqlite3.Connection, directory: Path, text: str) -> Meant:
    """Find what an ID stands for.

    Args:
        connection: the ledger.
        directory: the campaign directory.
        text: a job's id, uuid, beginning of a uuid or name; or, whole, a name that stands in an output or an
            argument: a candidate, a record, a model, a dataset version. Of a hash seven digits are enough.

    Raises:
        InputError: nothing is called so, with the nearest names; or several jobs are.
    """
    if not text.strip():
        raise InputError(
            "no ID is given", where="ID", remedy="a job, candidate, model, record or dataset version"
        )
    job = match_job(connection, text)
    if job is not None:
        return Meant(text=text, kind="job", makers=[job], holders=[job])
    pattern = json.dumps(text, ensure_ascii=True)
    if _HASH.fullmatch(text):
        pattern = pattern[:-1]
    made = _outputs_with(connection, directory, pattern)
    given = [
        row[0]
        for row in connection.execute("SELECT job FROM bodies WHERE instr(body, ?) ORDER BY job", (pattern,))
    ]
    if not made and not given:
        raise InputError(
            f"nothing in this campaign is called '{text}'", where="ID", remedy=_nearest(connection, text)
        )
    about = _about(connection, made, text)
    makers = about or (_first(connection, made) if made else given[:1])
    kind = "made" if made else "given"
    return Meant(text=text, kind=kind, makers=makers, holders=sorted({*made, *given}))


def _outputs_with(connection: sqlite3.Connection, directory: Path, pattern: str) -> list[int]:
    """The jobs whose output holds a text, in the ledger or in a file of its own."""
    sql = (
        f"SELECT jobs.id FROM {OUTPUTS} AS made JOIN jobs ON jobs.uuid = made.uuid"
        ' AND jobs."index" = made."index" WHERE instr(made.doc, ?) ORDER BY jobs.id'
    )
    found = [row[0] for row in connection.execute(sql, (pattern,))]
    if found:
        return found
    # Documents of megabytes lie in files; that one of them holds the text is told by its digest.
    wanted = pattern.encode()
    for path in sorted(Path(directory, "blobs").glob("??/*.json")):
        if len(path.stem) == 64 and wanted in path.read_bytes():  # noqa: PLR2004
            found += [row[0] for row in connection.execute(sql, (f'"{path.stem}"',))]
    return sorted(set(found))


def _about(connection: sqlite3.Connection, jobs: list[int], text: str) -> list[int]:
    """The jobs whose output is the thing itself: one of its own fields, not of an item's, says its name."""
    rows = connection.execute(
        f"SELECT jobs.id, made.doc FROM jobs JOIN {OUTPUTS} AS made ON jobs.uuid = made.uuid"
        ' AND jobs."index" = made."index" WHERE jobs.id IN (SELECT value FROM json_each(?))'
        " AND length(made.doc) < ?",
        (json.dumps(jobs[:_CANDIDATES]), _SMALL),
    )
    found = []
    for job, document in rows:
        output = json.loads(document).get("output")
        own = (
            [value for value in output.values() if isinstance(value, str)] if isinstance(output, dict) else []
        )
        if text in own or (_HASH.fullmatch(text) and any(value.startswith(text) for value in own)):
            found.append(job)
    return found


def _first(connection: sqlite3.Connection, jobs: list[int]) -> list[int]:
    """The one of several jobs that ended first: the others have what they hold from it."""
    row = connection.execute(
        "SELECT job FROM events WHERE kind = 'done' AND job IN (SELECT value FROM json_each(?))"
        " ORDER BY id LIMIT 1",
        (json.dumps(jobs),),
    ).fetchone()
    return [row[0]] if row else jobs[:1]


def _nearest(connection: sqlite3.Connection, text: str) -> str:
    names = {row[0] for row in connection.execute("SELECT DISTINCT name FROM jobs LIMIT ?", (_LOOKED_AT,))}
    for sql in (f"SELECT doc FROM {OUTPUTS} LIMIT ?", "SELECT body FROM bodies LIMIT ?"):
        for (document,) in connection.execute(sql, (_LOOKED_AT,)):
            names.update(_NAMED.findall(document))
    near = difflib.get_close_matches(text, names, n=_NEAR, cutoff=0.5)
    if not near:
        near = [name for name in sorted(names) if text.lower() in name.lower()][:_NEAR]
    said = f"did you mean {', '.join(repr(name) for name in near)}? " if near else ""
    return f"{said}`zonemelt jobs` lists the jobs; anything else goes by its whole name"
