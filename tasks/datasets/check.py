"""Whether a dataset is as it was written: every digest and every hash is worked out again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.datasets.digests import PartHash, digests
from zonemelt.tasks.datasets.parts import PARTS, QUARANTINE, Part, about_part, damaged, open_part, part_file
from zonemelt.tasks.datasets.repeated import count
from zonemelt.tasks.datasets.versions import LOG, VERSIONS, last_entry, read_version
from zonemelt.tasks.errors import StoreError, ZonemeltError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found about one file of a dataset.

    Attributes:
        path: of the file.
        error: what is wrong, with the remedy; None where it is as it was written.
        note: what to know of it, though nothing is wrong.
    """

    path: Path
    error: ZonemeltError | None = None
    note: str = ""


def check_dataset(directory: Path | str) -> Iterator[Finding]:
    """Look at every part and every version of a dataset, and at what killed writers left behind.

    The parts come first, one finding each: a row group is in memory at a time.

    Args:
        directory: of the dataset.
    """
    directory = Path(directory)
    names = {path.stem for path in (directory / VERSIONS).glob("*.json")}
    used: set[str] = set()
    broken: list[Finding] = []
    newest = None
    try:
        newest = last_entry(directory)[1]
    except StoreError as error:  # parts and versions can be whole all the same
        broken.append(Finding(path=Path(error.where), error=error))
    for name in sorted(names | ({newest} if newest else set())):
        try:
            used |= {part.hash for part in read_version(directory, name).parts}
        except ZonemeltError as error:
            broken.append(Finding(path=directory / VERSIONS / f"{name}.json", error=error))
    there = {path.stem for path in (directory / PARTS).glob("*.parquet") if not path.name.startswith(".")}
    damage = False
    for name in sorted(used | there):
        finding = _part(directory, name, in_use=name in used)
        damage |= finding.error is not None
        yield finding
    yield from broken
    if not damage:
        unread = {finding.path.stem for finding in broken}
        yield from (_version(directory, name) for name in sorted(names - unread))
    for folder in (PARTS, QUARANTINE, VERSIONS, LOG):
        for path in sorted((directory / folder).glob(".*.tmp")):
            yield Finding(
                path=path, note="unfinished: if nobody writes to the dataset now, it may be deleted"
            )


def _part(directory: Path, name: str, *, in_use: bool) -> Finding:
    path = part_file(directory, name)
    try:
        verify_part(directory, name)
    except ZonemeltError as error:
        return Finding(path=path, error=error)
    return Finding(path=path, note="" if in_use else "in no version: `commit` was not called, or was killed")


def verify_part(directory: Path, name: str) -> Part:
    """Work out the digests of all records of a part, and its hash; pages are compared with their checksums.

    Raises:
        StoreError: a file is missing, cannot be read, or holds something else than its name says.
        InputError: it was written by a later version of zonemelt.
    """
    whole, path = PartHash(), part_file(directory, name)
    part, theories = about_part(directory, name)
    if wrong := [key for key, theory in theories.items() if theory.key != key]:
        raise damaged(path, f"has an altered level of theory {wrong[0]}")
    _verify_table(directory, name, part.records, whole, theories, quarantine=False)
    if part.quarantined:
        _verify_table(directory, name, part.quarantined, whole, theories, quarantine=True)
    if whole.hexdigest() != name:
        raise damaged(path, "holds other records than its name says")
    return part


def _verify_table(
    directory: Path,
    name: str,
    expected: int,
    whole: PartHash,
    theories: Collection[str],
    *,
    quarantine: bool,
) -> None:
    import pyarrow as pa

    path, first = part_file(directory, name, quarantine=quarantine), 0
    file = open_part(directory, name, quarantine=quarantine)
    try:
        for batch in file.iter_batches():  # all columns, for the checksums of their pages
            end = first + len(batch)
            found = digests(batch)
            if found != batch.column("digest").to_pylist():
                raise damaged(path, f"holds altered records among its rows {first} to {end}")
            if batch.column("row").to_pylist() != list(range(first, end)):
                raise damaged(path, f"has its rows {first} to {end} out of order")
            if unknown := set(batch.column("theory").unique().to_pylist()) - set(theories):
                raise damaged(path, f"does not say what the level of theory {min(unknown)} is")
            whole.add(found, quarantined=quarantine)
            first = end
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise damaged(path, f"cannot be read: {error}") from error
    if first != expected:
        raise damaged(path, f"holds {first} records where {expected} were written")


def _version(directory: Path, name: str) -> Finding:
    """Whether a version says what follows from its parts."""
    path = directory / VERSIONS / f"{name}.json"
    version = read_version(directory, name)
    left_out, counts, repeated = count(directory, version.parts)
    said = {(part.hash, False): part.left_out for part in version.parts}
    said |= {(part.hash, True): part.quarantine_left_out for part in version.parts}
    if (said, version.counts, version.repeated) == (left_out, counts, repeated):
        return Finding(path=path)
    return Finding(
        path=path,
        error=StoreError(
            "its counts, or the rows it leaves out, do not follow from its parts",
            where=str(path),
            remedy="put back the file from a copy of the dataset; without one, delete it and commit again",
        ),
    )
