"""A version of a dataset, opened: as tables, records, structures or labels, in batches of bounded size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.datasets.arrays import CRYSTAL_COLUMNS, LABEL_COLUMNS, Labels, crystals_of, labels_of
from zonemelt.tasks.datasets.check import verify_part
from zonemelt.tasks.datasets.levels import LEVEL_COLUMNS, one_level
from zonemelt.tasks.datasets.rows import records_of
from zonemelt.tasks.datasets.scan import BATCH, rows_at, scan
from zonemelt.tasks.datasets.schema import CONTENT
from zonemelt.tasks.datasets.versions import VERSIONS, Version, find_version, last_entry, read_version
from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.datasets.versions import Member
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

PROPERTY = "properties."  # before the name of a property, in the columns of a frame
FRAME_COLUMNS = (
    "identifier", "formula", "elements", "natoms", "volume", "energy_free", "energy_sigma0",
    "energy_per_atom", "correction_energy", "max_force", "theory", "verdict", "source", "frame",
)  # fmt: skip


def open_dataset(directory: Path | str, version: str | None = None) -> Dataset:
    """Open a version of a dataset.

    Args:
        directory: of the dataset.
        version: its hash, or the beginning of it; the newest where there is none.

    Raises:
        InputError: there is no dataset, or no such version.
        StoreError: the version is damaged.
    """
    directory = Path(directory)
    if version is not None and (directory / VERSIONS).is_dir():
        name: str | None = find_version(directory, version)
    else:
        name = last_entry(directory)[1]
    if name is None:
        raise InputError(
            "there is no dataset here" if directory.is_dir() else "there is no such directory",
            where=str(directory),
            remedy="`zonemelt ingest PATH --out DATASET` makes one",
        )
    return Dataset(directory=directory, info=read_version(directory, name))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The records of one version that may be used, or, as :attr:`quarantine`, those that may not.

    The order of the rows is the same in all that it gives, and belongs to the version.

    Attributes:
        directory: where it lies.
        info: what the version says of itself.
        quarantined: whether these are the records in quarantine.
    """

    directory: Path
    info: Version
    quarantined: bool = False

    def __len__(self) -> int:
        return self.info.quarantined if self.quarantined else self.info.records

    @property
    def version(self) -> str:
        """The hash of the version: what belongs into the provenance of what is made from it."""
        return self.info.hash

    @property
    def quarantine(self) -> Dataset:
        """The records that were not accepted, with the reasons."""
        return Dataset(directory=self.directory, info=self.info, quarantined=True)

    @property
    def theories(self) -> dict[str, Theory]:
        """Key → level of theory, without what differs with the elements."""
        return self.info.theories

    def frame(self, columns: Sequence[str] | None = None, where: Any = None) -> Any:
        """A table of what is said of each record, as a ``pandas.DataFrame`` with one row a record.

        Args:
            columns: any of :mod:`zonemelt.tasks.datasets.schema`, and ``properties.NAME`` for the value of a
                property; a usual choice where there are none.
            where: as for :meth:`records`.

        Raises:
            InputError: no such column, or a filter that cannot be applied.
        """
        import pandas as pd
        import pyarrow as pa

        from zonemelt.tasks.datasets.schema import arrow_schema

        names = list(columns or self._usual())
        own = [name for name in names if name.startswith(PROPERTY)]
        stored = [name for name in names if name not in own]
        read = list(dict.fromkeys([*stored, "properties"] if own else stored))
        batches = list(self.batches(read, where=where))
        schema = pa.schema([arrow_schema().field(name) for name in read])
        frame = pa.Table.from_batches(batches, schema=schema).to_pandas()
        if own:
            properties = [json.loads(text) for text in frame["properties"]]
            if properties and where is None:
                _check_there(own, {key for said in properties for key in said})
            for name in own:
                key = name.removeprefix(PROPERTY)
                values = [said[key]["value"] if key in said else None for said in properties]
                frame[name] = pd.Series(values, index=frame.index, dtype=None if values else float)
        return frame[names]

    def _usual(self) -> tuple[str, ...]:
        return (*FRAME_COLUMNS, "reasons") if self.quarantined else FRAME_COLUMNS

    def batches(self, columns: Sequence[str], *, where: Any = None, batch: int = BATCH) -> Iterator[Any]:
        """The rows as ``pyarrow.RecordBatch`` with some columns, at most ``batch`` rows each."""
        return scan(
            self.directory,
            self.info.parts,
            columns=columns,
            where=where,
            batch=batch,
            quarantine=self.quarantined,
        )

    def records(self, where: Any = None) -> Iterator[Record]:
        """The records, one after the other; what does not fit is not read where the files allow it.

        Args:
            where: column → value, such as ``{"elements": "Al-Au"}``, or an expression such as
                ``pyarrow.compute.field("natoms") < 20``.

        Raises:
            InputError: a filter that cannot be applied.
            StoreError: a part is missing or damaged.
        """
        for rows in self.batches(list(CONTENT), where=where, batch=256):
            yield from records_of(rows, self.info.theories)

    def crystals(self, batch: int = BATCH, where: Any = None) -> Iterator[Crystals]:
        """The structures, at most ``batch`` at a time, without an object for each."""
        return (crystals_of(rows) for rows in self.batches(CRYSTAL_COLUMNS, where=where, batch=batch))

    def labels(self, batch: int = BATCH, where: Any = None) -> Iterator[Labels]:
        """Energies, forces and stresses, in the same batches as :meth:`crystals`."""
        return (labels_of(rows) for rows in self.batches(LABEL_COLUMNS, where=where, batch=batch))

    def take(self, indices: Sequence[int]) -> list[Record]:
        """Some records by their place, in the order asked for; only the row groups that hold them are read.

        Raises:
            InputError: there is no such place.
        """
        return list(records_of(self.rows(indices, list(CONTENT)), self.info.theories))

    def rows(self, indices: Sequence[int] | NDArray[np.int64], columns: Sequence[str]) -> Any:
        """Some rows by their place, in the order asked for, as one ``pyarrow.RecordBatch``.

        Raises:
            InputError: there is no such place.
            StoreError: a part is missing or damaged.
        """
        import numpy as np
        import pyarrow as pa

        from zonemelt.tasks.datasets.schema import arrow_schema

        places = np.asarray(indices, np.int64).reshape(-1)
        if len(places) and (places.min() < 0 or places.max() >= len(self)):
            raise InputError(
                f"places {places.min()} to {places.max()} of {len(self)} records",
                where=f"dataset {self.directory}",
                remedy="places count from 0",
            )
        first = np.concatenate([[0], np.cumsum([self._size(part) for part in self.info.parts])])
        owners = np.searchsorted(first, places, side="right") - 1
        by_part = np.argsort(owners, kind="stable")
        tables = [
            rows_at(
                self.directory,
                self.info.parts[owner],
                places[owners == owner] - first[owner],
                columns=columns,
                quarantine=self.quarantined,
            )
            for owner in np.unique(owners).tolist()
        ]
        if not tables:
            schema = pa.schema([arrow_schema().field(name) for name in columns])
            return pa.RecordBatch.from_pylist([], schema=schema)
        (found,) = pa.concat_tables(tables).take(np.argsort(by_part)).combine_chunks().to_batches()
        return found

    def verify(self) -> None:
        """Work out the hashes of all parts again.

        Raises:
            StoreError: a part is missing or damaged; the error names the file and the remedy.
        """
        for part in self.info.parts:
            verify_part(self.directory, part.hash)

    def one_theory(self, ignoring: Collection[str] = ()) -> str:
        """The key of the one level of theory of all records, as :func:`zonemelt.tasks.records.one_theory`.

        Raises:
            InputError: there are no records, the levels differ, or an element has two setups or values of U.
        """
        return one_level(self.batches(LEVEL_COLUMNS), self.info.theories, ignoring=ignoring)

    def _size(self, part: Member) -> int:
        ranges = part.quarantine_left_out if self.quarantined else part.left_out
        return (part.quarantined if self.quarantined else part.records) - sum(
            end - first for first, end in ranges
        )


def _check_there(columns: Sequence[str], names: Collection[str]) -> None:
    """Refuse columns of properties that no record has.

    Raises:
        UnknownKeyError: there is such a one; with the nearest that some record has.
    """
    for column in columns:
        if (name := column.removeprefix(PROPERTY)) not in names:
            raise UnknownKeyError.of(name, names, where="properties of the dataset")
