"""Read a crate back: verify every hash, and leave a campaign that `zonemelt resume` goes on with."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zonemelt import __version__
from zonemelt.tasks.errors import CampaignError, InputError, LedgerVersionError
from zonemelt.tasks.sqlite import connect, quote
from zonemelt.tasks.whole_files import make_private, sha256_of
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.schema import FILE_NAME, OUTPUTS, check_version
from zonemelt.workflows.engine.starting import user
from zonemelt.workflows.provenance.archives import MOST_BYTES, unpack
from zonemelt.workflows.provenance.hashes import (
    MANIFEST,
    is_inside,
    read_manifest,
    verify_files,
    verify_ledger,
)

CAMPAIGN = "campaign"  # the folder of a crate with what the campaign directory held
ABOUT = "zonemelt-crate.json"
FORMAT = 1
_LARGEST_ABOUT = 1 << 26  # bytes; campaigns have a few kilobytes


@dataclass(frozen=True, kw_only=True)
class _Referenced:
    """A file that a crate names by place and hash."""

    path: str
    place: str
    nbytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A crate that was opened.

    Attributes:
        directory: the campaign directory.
        files: how many files were verified.
        hashes: how many inputs and outputs of jobs were.
        absent: files that the crate names by reference and that are not where they were.
    """

    directory: Path
    files: int
    hashes: int
    absent: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {**asdict(self), "directory": str(self.directory)}


def open_crate(crate: str | Path, directory: str | Path, *, most_bytes: int = MOST_BYTES) -> Opened:
    """Open a crate as a campaign directory.

    Nothing appears under the name of the directory before every hash has been verified.

    Args:
        crate: an archive or a folder that ``zonemelt crate`` wrote.
        directory: a new campaign directory.
        most_bytes: how much may come out of an archive.

    Raises:
        InputError: there is no such crate.
        CampaignError: a file is not what the crate promises, or the archive is refused, or the directory is
            there already.
        LedgerVersionError: a newer version of zonemelt wrote it.
    """
    source, place = Path(crate), Path(directory).resolve()
    if not source.exists():
        raise InputError("there is no such crate", where=str(crate), remedy="name an archive or a folder")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise CampaignError(
            "a crate is opened in a new directory, and this one holds something",
            where=str(place),
            remedy="give another name",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.opening")
    try:
        if source.is_dir():
            _check_plain(source)
            shutil.copytree(source, aside)
        else:
            unpack(source, aside, most_bytes=most_bytes)
        about = _about(aside, source)
        manifest = read_manifest(aside, where=source)
        verify_files(aside, manifest, where=source)
        absent = _fetch_referenced(aside, about)
        hashes = _verify(aside / CAMPAIGN, str(about["was"]), source)
        _settle(aside, place, about)
    except PermissionError as error:
        raise CampaignError(
            f"it cannot be read or written: {error.strerror}",
            where=str(error.filename),
            remedy="ask its owner for the rights, or choose another directory",
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Opened(directory=place, files=len(manifest), hashes=hashes, absent=absent)


def _check_plain(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise CampaignError(
                f"{path.relative_to(folder)} is not a plain file",
                where=str(folder),
                remedy="get the crate again",
            )


def _about(root: Path, source: Path) -> dict[str, Any]:
    path = root / ABOUT
    try:
        with path.open("rb") as file:
            about = json.loads(file.read(_LARGEST_ABOUT))
        version, writer = int(about["format"]), str(about["zonemelt"])
        referenced = [_Referenced(**each) for each in about["referenced"]]
        _ = str(about["was"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CampaignError(
            f"this is not a crate of a campaign: its {ABOUT} is missing or damaged",
            where=str(source),
            remedy="name a crate that `zonemelt crate` wrote",
        ) from error
    if version > FORMAT:
        raise LedgerVersionError(
            f"the crate has format {version}, of zonemelt {writer}; this one, {__version__}, reads {FORMAT}",
            where=str(source),
            remedy=f"install zonemelt {writer} or newer",
        )
    for each in referenced:
        if not is_inside(each.path) or PurePosixPath(each.path).parts[0] != CAMPAIGN:
            raise CampaignError(
                f"it names a file by reference that would lie outside the campaign: {each.path!r:.100}",
                where=str(source),
                remedy="do not use it: whoever made it wants files of yours replaced",
            )
    return {**about, "referenced": referenced}


def _fetch_referenced(root: Path, about: dict[str, Any]) -> list[str]:
    """Copy the files that are named by reference, from where they were; returns those that are not there."""
    absent = []
    for each in about["referenced"]:
        path, target = Path(each.place), root / each.path
        if target.exists():
            continue  # it is in the crate, and was verified
        if path.is_file() and path.stat().st_size == each.nbytes and sha256_of(path) == each.sha256:
            make_private(target.parent)
            shutil.copyfile(path, target)
        else:
            absent.append(each.path)
    return absent


def _verify(campaign: Path, was: str, source: Path) -> int:
    connection = connect(campaign / FILE_NAME, read_only=True)
    try:
        check_version(connection, campaign / FILE_NAME)
        return verify_ledger(connection, source, here=was)
    except sqlite3.DatabaseError as error:
        raise CampaignError(
            f"its ledger is damaged: {error}", where=str(source), remedy="get the crate again"
        ) from error
    finally:
        connection.close()


def _settle(aside: Path, place: Path, about: dict[str, Any]) -> None:
    """Make the campaign at home in its new place, then give it its name."""
    campaign = aside / CAMPAIGN
    was = str(about["was"])
    ledger = Ledger(campaign)
    try:
        with ledger.transaction():
            ledger.put("workers", "")
            ledger.put("blocks", {})
            _rename(ledger.connection, was, str(place))
            ledger.event("opened", was=was, user=user(), crate=sha256_of(aside / MANIFEST))
    finally:
        ledger.close()
    kept = campaign / "crate"
    kept.mkdir(mode=0o700, exist_ok=True)
    for path in list(aside.iterdir()):
        if path.is_file():
            path.replace(kept / path.name)
    campaign.chmod(0o700)
    if place.exists():
        place.rmdir()  # it is empty
    campaign.replace(place)


def _rename(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Let paths in jobs and outputs lead to where the campaign is now."""
    if old == new:
        return
    tables = [
        row[0]
        for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if row[0] == OUTPUTS or row[0].startswith(f"{OUTPUTS}_")
    ]
    for table, column in [("bodies", "body"), ("responses", "response"), *((name, "doc") for name in tables)]:
        connection.execute(
            f"UPDATE {quote(table)} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?)",
            (f"{old}/", f"{new}/", f"{old}/"),
        )
