"""Rows of a version as a stream of batches: only the columns asked for, only the rows that fit."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.datasets.parts import damaged, open_part, part_file
from zonemelt.tasks.datasets.repeated import kept
from zonemelt.tasks.datasets.schema import arrow_schema
from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.tasks.datasets.versions import Member

BATCH: Final = 8192  # rows: with ten atoms each about 5 MB


def scan(
    directory: Path,
    parts: Sequence[Member],
    *,
    columns: Sequence[str],
    where: Any = None,
    batch: int = BATCH,
    quarantine: bool = False,
) -> Iterator[Any]:
    """The rows of parts, without those that are left out.

    Args:
        directory: of the dataset.
        parts: of a version, in order.
        columns: to read.
        where: see :func:`expression`.
        batch: rows in a batch, at most; a batch ends where a row group does.
        quarantine: read what is in quarantine, not what may be used.

    Yields:
        Some rows, as a ``pyarrow.RecordBatch``.

    Raises:
        InputError: an unknown column, or a filter that cannot be applied.
        StoreError: a part is missing or damaged.
    """
    import pyarrow as pa
    from pyarrow import dataset
    from pyarrow.fs import LocalFileSystem

    if unknown := [name for name in columns if name not in arrow_schema().names]:
        raise UnknownKeyError.of(unknown[0], arrow_schema().names, where="columns of the dataset")
    try:
        wanted = expression(where)
        dataset.dataset(arrow_schema().empty_table()).scanner(filter=wanted)
    except (pa.ArrowException, OverflowError) as error:
        raise InputError(
            f"the filter cannot be applied: {error}", where=f"where={where!r}", remedy=_FILTERS
        ) from error
    form = dataset.ParquetFileFormat(
        default_fragment_scan_options=dataset.ParquetFragmentScanOptions(
            page_checksum_verification=True, use_buffered_stream=True
        )
    )
    for part in parts:
        if not (part.quarantined if quarantine else part.records):
            continue
        open_part(directory, part.hash, quarantine=quarantine).close()  # says what is wrong, if anything is
        path = part_file(directory, part.hash, quarantine=quarantine)
        chosen = _together(wanted, _without(part.quarantine_left_out if quarantine else part.left_out))
        try:
            whole = form.make_fragment(str(path), filesystem=LocalFileSystem())
            # A scanner of all row groups reads ahead, up to a gigabyte; of one it holds that one.
            for group in whole.split_by_row_group(filter=chosen, schema=arrow_schema()):
                scanner = group.scanner(
                    schema=arrow_schema(), columns=list(columns), filter=chosen, batch_size=batch
                )
                for rows in scanner.to_batches():
                    if len(rows):
                        yield rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(path, f"cannot be read: {error}") from error


_FILTERS: Final = "compare a column with a value of its type: {'elements': 'Al-Au'}, pc.field('natoms') < 20"


def expression(where: Any) -> Any:
    """What to filter by, as a ``pyarrow.compute.Expression``.

    Args:
        where: such an expression, or column → value: one of a list or set of values, or None for what is
            absent.

    Raises:
        UnknownKeyError: no such column.
    """
    import pyarrow.compute as pc

    if where is None or isinstance(where, pc.Expression):
        return where
    if not isinstance(where, dict):
        raise InputError("a filter is a mapping or an expression", where=f"where={where!r}", remedy=_FILTERS)
    if unknown := [name for name in where if name not in arrow_schema().names]:
        raise UnknownKeyError.of(unknown[0], arrow_schema().names, where="columns of the dataset")
    return _together(*(_equal(name, value) for name, value in where.items()))


def where_said(said: Sequence[str]) -> dict[str, Any]:
    """A filter from texts such as ``elements=Al-Au``; an empty value asks for what is absent.

    Raises:
        InputError: a text is not of that form, or its value not of the type of the column.
    """
    import pyarrow as pa

    where: dict[str, Any] = {}
    for text in said:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError("a filter is COLUMN=VALUE", where=f"'{text}'", remedy="say elements=Al-Au, say")
        if name not in arrow_schema().names:
            raise UnknownKeyError.of(name, arrow_schema().names, where="columns of the dataset")
        kind = arrow_schema().field(name).type
        try:
            where[name] = pa.scalar(value).cast(kind).as_py() if value else None
        except pa.ArrowException as error:
            raise InputError(f"no {kind}: {error}", where=f"'{text}'", remedy=_FILTERS) from error
    return where


def _equal(name: str, value: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    field = pc.field(name)
    if value is None:
        return field.is_null()
    if isinstance(value, list | tuple | set | frozenset):
        return field.isin(pa.array(list(value), arrow_schema().field(name).type))
    return field == pc.scalar(value)


def _without(ranges: Sequence[tuple[int, int]]) -> Any:
    """A filter that leaves out ranges of rows; None where there are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not ranges:
        return None
    row = pc.field("row")
    if len(ranges) <= 8:  # noqa: PLR2004 (so few are compared with the statistics of the row groups)
        return ~reduce(lambda a, b: a | b, ((row >= first) & (row < end) for first, end in ranges))
    import numpy as np

    rows = np.concatenate([np.arange(first, end) for first, end in ranges])
    return ~row.isin(pa.array(rows))


def _together(*expressions: Any) -> Any:
    said = [one for one in expressions if one is not None]
    return reduce(and_, said) if said else None


def rows_at(
    directory: Path,
    part: Member,
    rows: NDArray[np.int64],
    *,
    columns: Sequence[str],
    quarantine: bool = False,
) -> Any:
    """Some rows of a part, counted without those left out, as a ``pyarrow.Table`` in the order asked for.

    Only the row groups that hold them are read.

    Raises:
        StoreError: the part is missing or damaged.
    """
    import numpy as np
    import pyarrow as pa

    file = open_part(directory, part.hash, quarantine=quarantine)
    ranges = part.quarantine_left_out if quarantine else part.left_out
    stored = kept(part.quarantined if quarantine else part.records, ranges)[np.asarray(rows, np.int64)]
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    first = np.concatenate([[0], np.cumsum(sizes)])
    groups = np.searchsorted(first, stored, side="right") - 1
    needed = np.unique(groups)
    starts = np.concatenate([[0], np.cumsum(np.asarray(sizes)[needed])])
    try:
        table = file.read_row_groups(needed.tolist(), columns=list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        path = part_file(directory, part.hash, quarantine=quarantine)
        raise damaged(path, f"cannot be read: {error}") from error
    return table.select(list(columns)).take(stored - first[groups] + starts[np.searchsorted(needed, groups)])
