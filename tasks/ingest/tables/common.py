"""What the readers of tables share: lines of files, and what to say where a table does not say it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from typing import IO, TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence, Ingested, Property
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.ingest.origin import Origin

UNKNOWN: Final = "unknown"  # the unit of what a table gives no unit
NOTHING_KNOWN: Final = Convergence(electronic=None, complete=None)
_OPENERS: Final[dict[bytes, Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


def theory_unstated(origin: Origin) -> Theory:
    """The level of theory of a file that says nothing of it: its own, so that it mixes with no other.

    Whoever knows that two files share one says so: by reading them with a theory, or by
    ``ignoring=("version",)`` where they are put together.
    """
    return Theory(code=UNKNOWN, version=f"of {origin.calculation}")


def ingested(origin: Origin, *, parser: str, row: int) -> Ingested:
    """The provenance of one row of a table; each row is a calculation of its own."""
    return Ingested(
        source=origin.source,
        sha256=origin.sha256,
        calculation=f"{origin.calculation}-{row}",
        parser=parser,
    )


def parser_of(package: str) -> str:
    """A library and its version, for the provenance."""
    from importlib.metadata import version

    return f"{package} {version(package)}"


def opened(path: Path) -> IO[bytes]:
    """A file for reading, decompressed as its first bytes demand."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}",
            where=str(path),
            remedy="is it there, and may you read it?",
        ) from None
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    stream: IO[bytes] = path.open("rb") if opener is None else opener(path, "rb")
    return stream


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, one at a time, as they are.

    Raises:
        InputError: it is empty, or cannot be read to its end.
    """
    some = False
    try:
        with opened(path) as file:
            for line in file:
                some = True
                yield line
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"it cannot be read to its end: {error}", where=str(path), remedy="fetch it again"
        ) from None
    if not some:
        raise InputError("the file is empty", where=str(path), remedy="leave it out")


def text_of(line: bytes) -> str:
    """A line as text.

    Raises:
        ValueError: it is no UTF-8; the message is for a person.
    """
    try:
        return line.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise ValueError(
            f"byte {error.start + 1} (0x{byte:02x}) is no UTF-8: save the file as UTF-8"
        ) from None


def property_of(value: Any, *, unit: str = UNKNOWN) -> Property | None:
    """A value of a table as a property; what no property can hold becomes its JSON text, and None None."""
    if value is None:
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str | bool):
        return Property(value=value, unit="" if unit == UNKNOWN else unit)
    if isinstance(value, int | float):
        return Property(value=float(value), unit=unit)
    if isinstance(value, list | tuple) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in value
    ):
        return Property(value=tuple(map(float, value)), unit=unit)
    return Property(value=json.dumps(value, default=str, sort_keys=True), unit="")
