"""Versions of a dataset: which parts belong together, what the newest is, and who came before.

A version is named by its content: the same set of parts is the same version, in whatever order and in how
many steps they were added. The history is a log of numbered entries; each is made by a link that succeeds
for one writer only, so that of two which commit at once the other sees the first and builds upon it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field, ValidationError

from zonemelt.tasks.datasets.parts import Part, about_part
from zonemelt.tasks.datasets.repeated import Ranges, count
from zonemelt.tasks.datasets.schema import SCHEMA_VERSION
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.theory import Document, Theory
from zonemelt.tasks.whole_files import settle_names, write_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

VERSIONS: Final = "versions"
LOG: Final = "log"


class Member(Part):
    """A part in a version."""

    left_out: Ranges = Field(
        default=(), description="rows [first, end) that another part, or it, has already"
    )
    quarantine_left_out: Ranges = ()


class Version(Document):
    """What a version holds."""

    schema_version: int = SCHEMA_VERSION
    hash: str = Field(description="of its parts, whatever their order")
    parts: tuple[Member, ...] = Field(description="in the order of their hashes, which is that of the rows")
    records: int = Field(description="that may be used: accepted, or not judged")
    quarantined: int
    repeated: int = Field(description="rows left out because an equal one is there")
    counts: dict[str, int] = Field(description="records by verdict")
    theories: dict[str, Theory] = Field(description="key → level of theory, without U and setups")
    parents: tuple[str, ...]
    message: str
    created: datetime = Field(description="not part of the hash, nor are message and parents")


def version_hash(parts: Iterable[str]) -> str:
    """The hash of a version with these parts."""
    said = [f"zonemelt version {SCHEMA_VERSION}", *sorted(set(parts))]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def commit(
    directory: Path | str,
    parts: Iterable[Part],
    *,
    message: str,
    parent: str | None = None,
    replacing: Collection[str] = (),
) -> Version:
    """Add parts to a dataset: make a version that has those of its parent and these.

    Records of equal content are kept once; ``repeated`` counts the others. What several processes commit at
    once is all kept.

    Args:
        directory: of the dataset.
        parts: what :func:`write_part` returned.
        message: why, for those who look at the history.
        parent: the version to build on. On another than the newest a version aside is made: it can be opened
            by its hash, and the newest stays the newest.
        replacing: hashes of parts of the parent that the new version does without, because their records were
            judged or read anew. Earlier versions keep them.

    Raises:
        InputError: the parent is not there, or what is to be replaced is no part of it.
        StoreError: it cannot be written, or a part is missing or damaged.
    """
    directory, added = Path(directory), [part.hash for part in parts]
    while True:
        number, newest = last_entry(directory)
        base = newest if parent is None else find_version(directory, parent)
        old = {part.hash for part in read_version(directory, base).parts} if base else set()
        if strange := sorted(set(replacing) - old):
            raise InputError(
                f"it has no part {strange[0]}",
                where=f"version {base} of {directory}",
                remedy="replace only parts that the parent has: `zonemelt dataset versions` lists them",
            )
        version = _write_version(directory, (old - set(replacing)) | set(added), message=message, parent=base)
        if base != newest or version.hash == newest or _enter(directory, number + 1, version.hash, message):
            return version


def _write_version(directory: Path, parts: Collection[str], *, message: str, parent: str | None) -> Version:
    """The version with these parts; where it exists already, it stays as it is."""
    name = version_hash(parts)
    path = directory / VERSIONS / f"{name}.json"
    if path.exists():
        return read_version(directory, name)
    theories: dict[str, Theory] = {}
    members = []
    for part in sorted(parts):
        about, levels = about_part(directory, part)
        members.append(about)
        theories |= levels
    found, counts, repeated = count(directory, members)
    version = Version(
        hash=name,
        parts=tuple(
            Member(
                **part.model_dump(),
                left_out=found[part.hash, False],
                quarantine_left_out=found[part.hash, True],
            )
            for part in members
        ),
        records=sum(number for verdict, number in counts.items() if verdict != "quarantined"),
        quarantined=counts.get("quarantined", 0),
        repeated=repeated,
        counts=counts,
        theories=dict(sorted(theories.items())),
        parents=(parent,) if parent else (),
        message=message,
        created=datetime.now(UTC),
    )
    write_whole(path, version.model_dump_json(indent=1).encode())
    return version


def read_version(directory: Path, name: str) -> Version:
    """A version by its whole hash.

    Raises:
        StoreError: its file is missing or damaged.
        InputError: it was written by a later version of zonemelt.
    """
    path = directory / VERSIONS / f"{name}.json"
    try:
        text = path.read_text()
        if (schema := json.loads(text)["schema_version"]) != SCHEMA_VERSION:
            raise InputError(
                f"it is of version {schema} of the columns, this program knows {SCHEMA_VERSION}",
                where=str(path),
                remedy="use the version of zonemelt that wrote it, or a later one",
            )
        version = Version.model_validate_json(text)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise StoreError(
            f"the version cannot be read: {error}",
            where=str(path),
            remedy="put back the file from a copy of the dataset, or open another version",
        ) from error
    if version.hash != name or version_hash(part.hash for part in version.parts) != name:
        raise StoreError(
            "the version is not what its name says",
            where=str(path),
            remedy="put back the file from a copy of the dataset, or open another version",
        )
    return version


def find_version(directory: Path, beginning: str) -> str:
    """The whole hash of the version whose hash begins so.

    Raises:
        InputError: there is none, or more than one.
    """
    found = sorted(p.stem for p in (directory / VERSIONS).glob("*.json") if p.stem.startswith(beginning))
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"{'more than one' if found else 'no'} version begins with '{beginning}'",
        where=str(directory),
        remedy="`zonemelt dataset versions` lists them",
    )


def last_entry(directory: Path) -> tuple[int, str | None]:
    """Number and version of the last entry of the log; (-1, None) of an empty one."""
    paths = _entry_files(directory)
    return (int(paths[-1].stem), _entry(paths[-1])["version"]) if paths else (-1, None)


def entries(directory: Path) -> list[dict[str, str]]:
    """All entries of the log, the oldest first: version, message and time of each."""
    return [_entry(path) for path in _entry_files(directory)]


def _entry(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
        return {name: str(found[name]) for name in ("version", "message", "created")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the entry of the log cannot be read: {error}",
            where=str(path),
            remedy="put back the file from a copy of the dataset, or open a version by its hash",
        ) from error


def _entry_files(directory: Path) -> list[Path]:
    return sorted((directory / LOG).glob("[0-9]*.json"))


def _enter(directory: Path, number: int, version: str, message: str) -> bool:
    """Make a version the newest, unless somebody else has made an entry of this number."""
    entry = {"version": version, "message": message, "created": datetime.now(UTC).isoformat()}
    temporary = directory / LOG / f".{secrets.token_hex(8)}.tmp"
    try:
        temporary.parent.mkdir(exist_ok=True)
        with temporary.open("w") as file:
            file.write(json.dumps(entry))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, directory / LOG / f"{number:08}.json")
        settle_names(directory / LOG)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(
            f"no entry can be made in the log: {error.strerror}",
            where=str(directory / LOG),
            remedy="is there space? the file system must know hard links",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return True
