"""Hashes of files and of what a ledger holds: written with a crate, verified when one is opened."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import orjson

from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.whole_files import sha256_of
from zonemelt.workflows.engine.circumstances import digest_of
from zonemelt.workflows.engine.schema import OUTPUTS
from zonemelt.workflows.provenance.content import moved_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

MANIFEST = "manifest-sha256.txt"  # as sha256sum writes and checks it
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_NAMED = 5  # files named in an error


def manifest_text(hashes: Mapping[str, str]) -> str:
    """A manifest of files: path below the root of the crate → SHA-256."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))


def read_manifest(root: Path, *, where: Path) -> dict[str, str]:
    """The manifest of a crate that lies in ``root``; errors name ``where`` it is from.

    Raises:
        CampaignError: there is none, or a line is none of a manifest.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise CampaignError(
            f"it has no {MANIFEST}", where=str(where), remedy="name a crate that `zonemelt crate` wrote"
        )
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or not is_inside(match[2]):
            raise CampaignError(
                f"line {number} of {MANIFEST} is not of a manifest: {line!r:.100}",
                where=str(where),
                remedy=_AGAIN,
            )
        found[match[2]] = match[1]
    return found


def is_inside(name: str) -> bool:
    """Whether a path stays below the folder it is relative to."""
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and "\0" not in name and not name.startswith("/") and ":" not in name[:3]
    return bool(parts) and plain and ".." not in parts


def verify_files(root: Path, hashes: Mapping[str, str], *, where: Path) -> None:
    """Make sure that the files of a crate are those its manifest names, and no others.

    Args:
        root: where they are.
        hashes: the manifest.
        where: what the crate is called.

    Raises:
        CampaignError: naming those that were edited, are missing, or were added.
    """
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()} - {MANIFEST}
    wrong = {
        "does not have the hash that the crate promises": [
            name for name in sorted(there & hashes.keys()) if sha256_of(root / name) != hashes[name]
        ],
        "is missing": sorted(hashes.keys() - there),
        "is not of the crate": sorted(there - hashes.keys()),
    }
    for what, names in wrong.items():
        if names:
            more = f", as {len(names) - 1} others" if len(names) > 1 else ""
            raise CampaignError(
                f"{names[0]} {what}{more}",
                where=str(where),
                remedy=f"{_AGAIN}; concerned: {', '.join(names[:_NAMED])}",
            )


_AGAIN = "the crate was altered or damaged on its way: get it again"


def verify_ledger(connection: sqlite3.Connection, directory: Path, *, here: str = "") -> int:
    """Make sure that jobs and outputs in a ledger are what the engine noted when they ran.

    Args:
        connection: the ledger.
        directory: of the campaign.
        here: the directory that its documents name, where that is another.

    Returns:
        How many hashes were compared; those of jobs from before they were noted are not.

    Raises:
        CampaignError: SQLite finds damage, or a job or an output is not what it was; naming the first.
    """
    path = str(directory)
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise CampaignError(f"the ledger is damaged: {state}", where=path, remedy=_AGAIN)
    odd = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
    ).fetchone()
    if odd:
        raise CampaignError(
            f"the ledger has a {odd[0]} '{odd[1]}', which no ledger has", where=path, remedy=_AGAIN
        )
    was = moved_from(connection)
    here = here or str(directory.resolve())
    rows = connection.execute(
        "SELECT events.job, name, data, body, doc FROM events JOIN jobs ON jobs.id = events.job"
        f" JOIN bodies ON bodies.job = jobs.id LEFT JOIN {OUTPUTS} AS made"
        ' ON made.uuid = jobs.uuid AND made."index" = jobs."index"'
        " WHERE events.kind = 'done' AND instr(data, '\"made\"')"
    )
    compared = 0
    for job, name, data, body, document in rows:
        said = orjson.loads(data)
        for what, text, digest in (("input", body, said["given"]), ("output", document, said["made"])):
            compared += 1
            if text is None or digest not in _digests(text, here, was):
                raise CampaignError(
                    f"the {what} of job {job} '{name}' is not what it was when the job ran",
                    where=path,
                    remedy="the ledger was edited: restore it from a copy or a crate",
                )
    return compared


def _digests(text: str, here: str, was: Iterable[str]) -> set[str]:
    """The digests that a text may have been noted under: it names the folder where the campaign was then."""
    texts = {text, *(text.replace(f"{here}/", f"{each}/") for each in was)}
    return {digest_of(each.encode()) for each in texts}
