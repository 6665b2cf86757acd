"""What is to be ingested, as units of work that jobs can be told: files of a calculation, or an address."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.calculations import calculations
from zonemelt.tasks.ingest.tables.addresses import is_address, read_address
from zonemelt.tasks.ingest.verdicts import Verdict
from zonemelt.tasks.ingest.walk import Found, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Unit = list[dict[str, Any]]  # files of one calculation, the best first, as JSON holds them
BATCH_FILES: Final = 200
BATCH_BYTES: Final = 256 << 20  # of one job: half a minute to a few minutes


def absolute(sources: Iterable[str]) -> list[str]:
    """Paths made absolute, so that jobs find them wherever they run.

    Raises:
        InputError: there is no such path, or nothing at all is to be ingested.
    """
    found = []
    for source in sources:
        if os.path.lexists(source):
            found.append(str(Path(source).absolute()))
        elif is_address(source):
            found.append(_address(source))
        else:
            raise InputError(
                "it does not exist", where=source, remedy="name a file, a directory or an archive"
            )
    if not found:
        raise InputError("nothing to ingest", where="PATH", remedy="name a file, a directory or an archive")
    return found


def _address(source: str) -> str:
    """An address whose path, if it has one, is absolute: jobs run elsewhere."""
    scheme, _, rest = source.partition(":")
    path, mark, options = rest.partition("?")
    here = scheme == "store" and Path(path).exists()
    address = f"{scheme}:{Path(path).absolute()}{mark}{options}" if here else source
    read_address(address)  # checks its grammar, and fetches nothing yet
    return address


def units(sources: Sequence[str]) -> Iterator[Unit]:
    """Everything below some sources, one unit for each calculation; each file comes once."""
    seen: set[tuple[int, int]] = set()
    for source in sources:
        if is_address(source) and not os.path.lexists(source):
            yield [{"path": source, "source": source}]
            continue
        for files in calculations(_once(walk(Path(source)), seen)):
            yield [as_json(found) for found in files]


def _once(files: Iterable[Found], seen: set[tuple[int, int]]) -> Iterator[Found]:
    """Leave out what was found before: paths may overlap, and links may lead to a file twice."""
    for found in files:
        about = _status(found.path) if found.verdict is None else None
        if about is not None:
            place = (about.st_dev, about.st_ino)
            if place in seen:
                reason = "this very file was found before, by another path or link"
                yield Found(path=found.path, source=found.source, verdict=Verdict.DUPLICATE, reason=reason)
                continue
            seen.add(place)
        yield found


def as_json(found: Found) -> dict[str, Any]:
    """A file as a job is told of it."""
    told: dict[str, Any] = {"path": str(found.path), "source": found.source}
    if found.verdict is not None:
        told |= {"verdict": found.verdict.value, "reason": found.reason}
    return told


def from_json(told: dict[str, Any]) -> Found:
    """The file that a job was told of."""
    return Found(
        path=Path(told["path"]),
        source=told["source"],
        verdict=Verdict(told["verdict"]) if told.get("verdict") else None,
        reason=told.get("reason", ""),
    )


def batches(
    found: Iterable[Unit], *, files: int = BATCH_FILES, size: int = BATCH_BYTES
) -> Iterator[list[Unit]]:
    """Units in batches of about equal work, in their order.

    Args:
        found: units of work.
        files: in a batch, at most.
        size: of a batch, bytes; a larger unit is a batch of its own.
    """
    batch: list[Unit] = []
    weight = count = 0
    for unit in found:
        heavy = sum(_size(told["path"]) for told in unit)
        if batch and (count + len(unit) > files or weight + heavy > size):
            yield batch
            batch, weight, count = [], 0, 0
        batch.append(unit)
        weight, count = weight + heavy, count + len(unit)
    if batch:
        yield batch


def _size(path: str) -> int:
    about = _status(Path(path))
    return 0 if about is None else about.st_size


def _status(path: Path) -> os.stat_result | None:
    """What the system says of a file; None of an address, or of a file that is gone since it was found."""
    try:
        return path.stat()
    except OSError:
        return None
