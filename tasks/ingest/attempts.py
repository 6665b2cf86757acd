"""Read one file with the readers of its kind, the best first, until one reads all of it."""

from __future__ import annotations

import contextlib
import glob
import io
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.tasks.ingest.files import bare_name, plain_copy
from zonemelt.tasks.ingest.kept import Kept
from zonemelt.tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.ingest.readers import Reader


NO_STRUCTURE: Final = (
    "a composition without a structure: tables of compositions are read where they are learned from"
)


@dataclass(kw_only=True)
class Attempt:
    """What one reader made of a file.

    Attributes:
        reader: it.
        records: what it read.
        bad: what it read and is no record: how many, and the first reason.
        error: why it stopped; empty where it came to the end.
        doubt: why the last record is not to be believed.
    """

    reader: Reader
    records: Kept
    bad: int = 0
    bad_reason: str = ""
    error: str = ""
    doubt: str = ""

    @property
    def whole(self) -> bool:
        """Whether it came to the end and found something, be it frames that are no records.

        Those are not left to the next reader: ASE fills forces that are missing with zeros.
        """
        return bool(len(self.records) or self.bad) and not self.error

    @property
    def failure(self) -> str:
        """In words, for the report."""
        why = self.error or ("; ".join(filter(None, ["no records", self.bad_reason])))
        return f"{self.reader.name}: {why}"


@dataclass(kw_only=True)
class Reading:
    """What came of all attempts.

    Attributes:
        best: the one that counts; None where there was no reader.
        tried: those before it, or all where none read anything, and why they failed.
        broken: why the file could not be decompressed to its end.
        plain: where its content lies.
    """

    best: Attempt | None = None
    tried: list[str] = field(default_factory=list)
    broken: str = ""
    plain: Path | None = None


def read(path: Path, origin: Origin, readers: Sequence[Reader], folder: Path) -> Reading:
    """Read a file with the first reader that reads all of it, or else with the one that reads most.

    Args:
        path: of the file, compressed or not.
        origin: where it comes from.
        readers: the best first.
        folder: a temporary place.

    Raises:
        InputError: it cannot be decompressed at all.
        OSError: it cannot be opened.
    """
    (folder / "plain").mkdir()
    plain, broken = plain_copy(path, folder / "plain")
    reading = Reading(broken=broken, plain=plain)
    attempts: list[Attempt] = []
    for number, reader in enumerate(readers):
        staged = _staged(path, plain, reader, folder / f"staged-{number}") if reader.beside else plain
        attempt = try_reader(staged, origin, reader, Kept(folder, f"kept-{number}"))
        attempts.append(attempt)
        if attempt.whole:
            break
    best = max(attempts, key=lambda one: (one.whole, len(one.records)), default=None)
    reading.best = best
    reading.tried = [one.failure for one in attempts if one is not best or not len(one.records)]
    return reading


def try_reader(path: Path, origin: Origin, reader: Reader, records: Kept) -> Attempt:
    """Read a plain file with one reader; whatever it raises is its answer."""
    attempt = Attempt(reader=reader, records=records)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # some parsers print
        warnings.simplefilter("ignore")  # what parsers warn of is told by the records' flags
        try:
            for found in reader.read(path, origin):
                if isinstance(found, Record):
                    records.add(found)
                    continue
                attempt.bad += 1
                why = f"{found.where}: {found.reason}" if isinstance(found, BadRow) else NO_STRUCTURE
                attempt.bad_reason = attempt.bad_reason or why
        except ZonemeltError as error:
            attempt.error = error.what
        except Exception as error:  # noqa: BLE001 (a parser may raise anything for a broken file)
            attempt.error = _short(f"{type(error).__name__}: {error}")
        if reader.check is not None and records.last is not None:
            attempt.doubt = reader.check(path, records.last)
    records.close()
    return attempt


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]} …"  # noqa: PLR2004 (characters of a report's line)


def _staged(path: Path, plain: Path, reader: Reader, folder: Path) -> Path:
    """The file with what its reader wants beside it, all plain, in places as they were."""
    inner = folder / path.parent.name
    inner.mkdir(parents=True)
    target = inner / reader.called(bare_name(path.name))
    target.symlink_to(plain.resolve())
    stem = glob.escape(bare_name(path.name).rpartition(".")[0])
    for pattern in reader.beside:
        above = pattern.startswith("../")
        source, into = (path.parent.parent, folder) if above else (path.parent, inner)
        for other in sorted(source.glob(pattern.removeprefix("../").format(stem=stem))):
            if other.is_file() and not (into / bare_name(other.name)).exists():
                _copy(other, into)
    return target


def _copy(other: Path, into: Path) -> None:
    try:
        plain, _ = plain_copy(other, into)
    except (InputError, OSError):
        return  # its reader says what it lacks
    if plain == other:
        (into / other.name).symlink_to(other.resolve())
