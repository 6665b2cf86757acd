"""Datasets in forms that other programs read: extended XYZ, JSON lines, CSV; streamed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.datasets.dataset import FRAME_COLUMNS
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.whole_files import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zonemelt.tasks.datasets.dataset import Dataset


def export(dataset: Dataset, target: Path | str, *, form: str | None = None, where: Any = None) -> int:
    """Write the records of a dataset into one file, which is there whole or not at all.

    Args:
        dataset: what to write; its ``quarantine``, if that is wanted.
        target: the file.
        form: extxyz, jsonl or csv; by the ending of the file where none is said.
        where: as for ``Dataset.records``.

    Returns:
        How many records were written.

    Raises:
        InputError: the file exists, the form is unknown, or the filter cannot be applied.
        StoreError: the file cannot be written.
    """
    target = Path(target)
    ending = target.suffix.lstrip(".")
    form = form or ("extxyz" if ending == "xyz" else ending)
    if form not in WRITERS:
        raise UnknownKeyError.of(form, WRITERS, where=f"form of {target}")
    if target.exists():
        raise InputError("the file exists", where=str(target), remedy="name another one, or delete it first")
    with whole_file(target) as temporary:
        return WRITERS[form](dataset, temporary, where)


def _extxyz(dataset: Dataset, path: Path, where: Any) -> int:
    """Frames that ASE reads, with what it has no name for in one entry of their comment lines."""
    from zonemelt.tasks.convert.extxyz import frame_of

    return _texts(path, (frame_of(record) for record in dataset.records(where)))


def _jsonl(dataset: Dataset, path: Path, where: Any) -> int:
    """One record a line, whole."""
    return _texts(path, (record.model_dump_json() + "\n" for record in dataset.records(where)))


def _texts(path: Path, texts: Iterable[str]) -> int:
    """Write texts one after the other; returns how many there were."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(text)
            written += 1
    return written


def _csv(dataset: Dataset, path: Path, where: Any) -> int:
    """What ``Dataset.frame`` has in its usual columns."""
    import pyarrow as pa
    from pyarrow import csv

    from zonemelt.tasks.datasets.schema import arrow_schema

    written = 0
    schema = pa.schema([arrow_schema().field(name) for name in FRAME_COLUMNS])
    with csv.CSVWriter(path, schema) as file:
        for batch in dataset.batches(FRAME_COLUMNS, where=where):
            file.write_batch(batch)
            written += len(batch)
    return written


WRITERS: Final[Mapping[str, Callable[[Dataset, Path, Any], int]]] = {
    "extxyz": _extxyz,
    "jsonl": _jsonl,
    "csv": _csv,
}
"""Form → what writes it."""
