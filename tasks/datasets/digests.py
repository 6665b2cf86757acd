"""Digests of records: of their bits, column by column, so that no library's way of writing files counts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.datasets.schema import CONTENT, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

DIGEST_BYTES: Final = 16  # of the SHA-256 of a record: no two records of 10¹² share them by chance

Slices = tuple[memoryview, list[int]]  # bytes of a column, and where the value of each row begins and ends


def digests(batch: Any) -> list[bytes]:
    """The digest of every row of a ``pyarrow.RecordBatch`` with the columns of the content.

    A digest is over the bytes of all numbers and texts in the order of the columns, with the length of each
    and with what is null: little-endian, 64 bits a number.
    """
    fixed: list[NDArray[np.uint8]] = []
    slices: list[Slices] = []
    for name in CONTENT:
        column = batch.column(name)
        fixed.append(_bytes(_numpy(column.is_valid()), len(column)))
        _take_apart(column, fixed, slices)
    head = np.ascontiguousarray(np.concatenate(fixed, axis=1))
    width, heads = head.shape[1], memoryview(head.tobytes())
    sha256, found = hashlib.sha256, []
    for row in range(len(batch)):
        parts = [heads[row * width : (row + 1) * width]]
        parts += [data[bounds[row] : bounds[row + 1]] for data, bounds in slices]
        found.append(sha256(b"".join(parts)).digest()[:DIGEST_BYTES])
    return found


def _take_apart(column: Any, fixed: list[NDArray[np.uint8]], slices: list[Slices]) -> None:
    """Add the bytes of one column: to ``fixed`` those of which each row has equally many."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type) and not pa.types.is_string(column.type):
        fixed.append(_bytes(_numpy(pc.fill_null(column, pa.scalar(0).cast(column.type))), len(column)))
        return
    bounds, values = _bounds(column)
    fixed.append(_bytes(np.diff(bounds), len(column)))
    if not isinstance(values, np.ndarray):  # texts in lists: the lengths of these, then what they say
        lengths, values = _bounds(values)
        slices.append(_slices(np.diff(lengths), bounds))
        bounds = lengths[bounds]
    slices.append(_slices(values, bounds))


def _bounds(column: Any) -> tuple[NDArray[np.int64], Any]:
    """Where each row of a column of lists or texts begins, and the end of the last; and all their values."""
    import pyarrow as pa

    if pa.types.is_list(column.type):
        offsets = column.offsets.to_numpy().astype(np.int64)
        if column.null_count and np.diff(offsets)[_numpy(column.is_null()) == 1].any():
            return _bounds(pa.array(column.to_pylist(), column.type))  # values below a null do not count
        values = column.values
        return offsets, values if pa.types.is_string(values.type) else _numpy(values)
    _, offsets, data = column.buffers()
    if offsets is None:
        return np.zeros(len(column) + 1, np.int64), np.empty(0, np.uint8)
    found = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return found.astype(np.int64), np.frombuffer(data or b"", np.uint8)


def _numpy(array: Any) -> NDArray[Any]:
    found: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return found.astype(np.uint8) if found.dtype == bool else found


def _bytes(values: NDArray[Any], rows: int) -> NDArray[np.uint8]:
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return little.view(np.uint8).reshape(rows, values.dtype.itemsize)


def _slices(values: NDArray[Any], bounds: NDArray[np.int64]) -> Slices:
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return memoryview(little.view(np.uint8).data), (bounds * values.dtype.itemsize).tolist()


class PartHash:
    """The hash of a part: of the digests of its records in their order, those in quarantine apart."""

    def __init__(self) -> None:
        self._tables = {False: hashlib.sha256(), True: hashlib.sha256()}

    def add(self, found: Iterable[bytes], *, quarantined: bool) -> None:
        """Add the digests of further records."""
        for digest in found:
            self._tables[quarantined].update(digest)

    def hexdigest(self) -> str:
        """The hash."""
        whole = hashlib.sha256(f"zonemelt part {SCHEMA_VERSION}".encode())
        for table in self._tables.values():
            whole.update(table.digest())
        return whole.hexdigest()
