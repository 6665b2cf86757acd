"""Parts of datasets: files of records that are named by their content and never change."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import Field

from zonemelt.tasks.datasets.derived import with_derived
from zonemelt.tasks.datasets.digests import PartHash, digests
from zonemelt.tasks.datasets.rows import batch_of
from zonemelt.tasks.datasets.schema import METADATA, SCHEMA_VERSION, arrow_schema
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.theory import Document, Theory
from zonemelt.tasks.whole_files import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from zonemelt.tasks.records import Record

PARTS: Final = "parts"
QUARANTINE: Final = "quarantine"

ROWS: Final = 8192  # of a row group, at most …
ATOMS: Final = 200_000  # … and where it ends before: about 10 MB, what random access reads for one record
TEXTS: Final = ("formula", "elements", "verdict", "theory", "hubbard_u", "setups", "provenance", "oracle")
TEXTS_OF_SOURCES: Final = ("source", "sha256", "calculation", "parser", "host", "log", "correction_scheme")


class Part(Document):
    """A part that was written."""

    hash: str = Field(description="of its records; its files are named by it")
    records: int = Field(description="accepted, or not judged")
    quarantined: int


def part_file(directory: Path, name: str, *, quarantine: bool = False) -> Path:
    """Where the records of a part lie, or those in its quarantine."""
    return directory / (QUARANTINE if quarantine else PARTS) / f"{name}.parquet"


def write_part(directory: Path | str, records: Iterable[Record]) -> Part:
    """Write records as a part of a dataset; it belongs to no version before :func:`commit`.

    The records are streamed. The same records in the same order give the same part; where it exists already,
    it stays. A process that is killed on the way leaves no part.

    Args:
        directory: of the dataset; made where there is none.
        records: those whose quality is not accepted go into the quarantine of the part.

    Raises:
        StoreError: the part cannot be written.
        InputError: a record cannot be stored.
    """
    with PartWriter(Path(directory)) as writer:
        remaining = iter(records)
        while block := list(islice(remaining, ROWS)):
            for group in _bounded(block):
                for quarantine in (False, True):
                    if chosen := [r for r in group if _is_quarantined(r) == quarantine]:
                        writer.write(*batch_of(chosen), quarantine=quarantine)
        return writer.finish()


def _is_quarantined(record: Record) -> bool:
    return record.quality is not None and not record.quality.accepted


def _bounded(records: list[Record]) -> Iterator[list[Record]]:
    """Split where the atoms would become too many for one row group."""
    group: list[Record] = []
    atoms = 0
    for record in records:
        group.append(record)
        atoms += len(record.geometry.symbols)
        if atoms >= ATOMS:
            yield group
            group, atoms = [], 0
    if group:
        yield group


class PartWriter:
    """Writes the two files of one part; each batch becomes a row group.

    Args:
        directory: of the dataset.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._name = f".{secrets.token_hex(8)}.tmp"
        self._hash = PartHash()
        self._rows = {False: 0, True: 0}
        self._writers: dict[bool, Any] = {}
        self._levels: dict[str, Theory] = {}

    def __enter__(self) -> Self:
        try:
            for folder in (PARTS, QUARANTINE):
                (self.directory / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.directory, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for quarantine, writer in self._writers.items():
            with suppress(OSError):  # of a full disk, which the block has said already
                if writer.is_open:
                    writer.close()
            self._temporary(quarantine=quarantine).unlink(missing_ok=True)

    def write(self, batch: Any, levels: Mapping[str, Theory], *, quarantine: bool = False) -> None:
        """Write a batch with the columns of the content, whose levels of theory are ``levels``."""
        found = digests(batch)
        self._hash.add(found, quarantined=quarantine)
        self._levels.update(levels)
        try:
            self._writer(quarantine=quarantine).write_batch(
                with_derived(batch, found, self._rows[quarantine]), row_group_size=max(len(batch), 1)
            )
        except OSError as error:
            raise _unwritable(self.directory, error) from error
        self._rows[quarantine] += len(batch)

    def finish(self) -> Part:
        """Give the files their names: first the quarantine, then the records, whose file makes it a part."""
        part = Part(hash=self._hash.hexdigest(), records=self._rows[False], quarantined=self._rows[True])
        about = part.model_dump() | {
            "schema": SCHEMA_VERSION,
            "theories": {key: theory.model_dump(mode="json") for key, theory in sorted(self._levels.items())},
        }
        try:
            self._writer(quarantine=False)
            for quarantine in sorted(self._writers, reverse=True):
                writer, target = (
                    self._writers[quarantine],
                    part_file(self.directory, part.hash, quarantine=quarantine),
                )
                writer.add_key_value_metadata({METADATA.decode(): json.dumps(about, sort_keys=True)})
                writer.close()
                if not target.exists():
                    settle(self._temporary(quarantine=quarantine), target)
        except OSError as error:
            raise _unwritable(self.directory, error) from error
        return part

    def _temporary(self, *, quarantine: bool) -> Path:
        return part_file(self.directory, "", quarantine=quarantine).with_name(self._name)

    def _writer(self, *, quarantine: bool) -> Any:
        from pyarrow import parquet

        if quarantine not in self._writers:
            self._writers[quarantine] = parquet.ParquetWriter(
                self._temporary(quarantine=quarantine),
                arrow_schema(),
                compression="zstd",
                use_dictionary=[*TEXTS, *TEXTS_OF_SOURCES],
                write_page_checksum=True,
            )
        return self._writers[quarantine]


def _unwritable(directory: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the dataset cannot be written: {error.strerror or error}",
        where=str(directory),
        remedy="is there space, and is it a directory that you may write to?",
    )


def open_part(directory: Path, name: str, *, quarantine: bool = False) -> Any:
    """A file of a part as a ``pyarrow.parquet.ParquetFile``.

    Raises:
        StoreError: it is missing or damaged.
        InputError: it was written by a later version of zonemelt.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = part_file(directory, name, quarantine=quarantine)
    try:
        file = parquet.ParquetFile(path, page_checksum_verification=True, memory_map=True)
        about = json.loads(file.metadata.metadata[METADATA])
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise damaged(path, "is missing" if not path.exists() else f"cannot be read: {error}") from error
    if about.get("schema") != SCHEMA_VERSION:
        raise InputError(
            f"its columns are of version {about.get('schema')}, this program knows {SCHEMA_VERSION}",
            where=str(path),
            remedy="read it with the version of zonemelt that wrote it, or a later one",
        )
    return file


def about_part(directory: Path, name: str) -> tuple[Part, dict[str, Theory]]:
    """What the footer of a file of a part says: the part, and its levels of theory by key.

    Raises:
        StoreError: the footer is damaged.
    """
    about = json.loads(open_part(directory, name).metadata.metadata[METADATA])
    try:
        theories = {key: Theory.model_validate(theory) for key, theory in about["theories"].items()}
        return Part(**{name: about[name] for name in Part.model_fields}), theories
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(part_file(directory, name), f"has a damaged footer: {error}") from error


def damaged(path: Path, what: str) -> StoreError:
    """The error for a file of a part that is not as it was written."""
    return StoreError(
        f"this part of the dataset {what}",
        where=str(path),
        remedy="put back a copy of the file from a backup or another copy of the dataset, or delete it and "
        "ingest its sources again: equal records give a file of the same name",
    )
