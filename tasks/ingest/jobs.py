"""Ingestion as jobs: look for files, read a batch of them into a part of the dataset, make a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.datasets import Part, commit, write_part
from zonemelt.tasks.datasets.parts import about_part, open_part
from zonemelt.tasks.datasets.rows import records_of
from zonemelt.tasks.datasets.schema import content_schema
from zonemelt.tasks.ingest.ingest_file import ingest
from zonemelt.tasks.ingest.reports import (
    FOLDER,
    known_files,
    publish,
    read_reports,
    settled,
    write_reports,
)
from zonemelt.tasks.ingest.sources import from_json
from zonemelt.tasks.ingest.tables.columns import NOTHING_SAID, TableSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.ingest.sources import Unit
    from zonemelt.tasks.ingest.verdicts import FileReport
    from zonemelt.tasks.records import Record


def ingest_batch(
    batch: list[Unit], dataset: Path, *, run: str, number: int, table: TableSettings = NOTHING_SAID
) -> dict[str, Any]:
    """Read a batch of calculations into a part of a dataset; it belongs to no version yet.

    Args:
        batch: units of work, as :func:`~zonemelt.tasks.ingest.sources.units` makes them.
        dataset: directory of the dataset.
        run: name of the ingestion.
        number: of the batch.
        table: what is known of tables among them.

    Returns:
        ``part``: the :class:`~zonemelt.tasks.datasets.Part` as a dictionary; ``reports``: path, in the
        dataset, of what became of each file; ``files``: how many.
    """
    reports: list[FileReport] = []
    seen = known_files(dataset)

    def records() -> Iterator[Record]:
        for unit in batch:
            yield from ingest([from_json(told) for told in unit], reports=reports, seen=seen, table=table)

    part = write_part(dataset, records())
    path = Path(FOLDER) / run / f"{number:06d}.jsonl"
    write_reports(dataset / path, reports)
    return {"part": part.model_dump(), "reports": str(path), "files": len(reports)}


def finish(batches: list[dict[str, Any]], dataset: Path, *, run: str, message: str) -> dict[str, Any]:
    """Make a version of the parts of all batches, and say what became of each file.

    Args:
        batches: what :func:`ingest_batch` returned.
        dataset: directory of the dataset.
        run: name of the ingestion.
        message: of the version.

    Returns:
        What :func:`~zonemelt.tasks.ingest.reports.publish` returns, and ``dataset``, ``version``, ``records``
        and ``in_quarantine`` of the dataset as it is now.
    """
    reports: list[FileReport] = []
    parts: list[Part] = []
    read = settled(read_reports(dataset / batch["reports"]) for batch in batches)
    for batch, (of_batch, again) in zip(batches, read, strict=True):
        reports += of_batch
        part = _without(dataset, Part.model_validate(batch["part"]), again)
        parts += [part] if part.records or part.quarantined else []
    version = commit(dataset, parts, message=message)
    told = publish(dataset, reports, run=run, version=version.hash)
    return {
        **told,
        "dataset": str(dataset),
        "version": version.hash,
        "records": version.records,
        "in_quarantine": version.quarantined,
    }


def _without(dataset: Path, part: Part, sources: set[str]) -> Part:
    """A part without the records of some sources, which another batch has too."""
    if not sources:
        return part
    records = (
        record
        for record in records_in(dataset, part)
        if getattr(record.provenance, "source", None) not in sources
    )
    return write_part(dataset, records)


def records_in(dataset: Path, part: Part) -> Iterator[Record]:
    """All records of a part that belongs to no version yet, those in its quarantine last."""
    _, theories = about_part(dataset, part.hash)
    for quarantine in (False, True) if part.quarantined else (False,):
        file = open_part(dataset, part.hash, quarantine=quarantine)
        for rows in file.iter_batches(columns=content_schema().names):
            yield from records_of(rows, theories)


@job
def ingest_batch_job(
    *, batch: list[Unit], dataset: str, run: str, number: int, table: dict[str, Any]
) -> dict[str, Any]:
    """Read one batch; see :func:`ingest_batch`."""
    settings = TableSettings.model_validate(table)
    return ingest_batch(batch, Path(dataset), run=run, number=number, table=settings)


@job
def finish_job(*, batches: list[dict[str, Any]], dataset: str, run: str, message: str) -> dict[str, Any]:
    """Make a version; see :func:`finish`."""
    return finish(batches, Path(dataset), run=run, message=message)
