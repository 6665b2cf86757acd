"""Ingest files and tables: look for them, read batches side by side, make a version of the dataset.

The graph grows when it is known what there is: ``plan_job`` replaces itself by a job for each batch and
by the one that makes the version.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobflow import Flow, Maker, Response, job

from zonemelt.tasks.ingest.jobs import finish_job, ingest_batch_job
from zonemelt.tasks.ingest.sources import BATCH_BYTES, BATCH_FILES, absolute, batches, units
from zonemelt.tasks.ingest.tables.columns import read_table_settings


@dataclass
class IngestMaker(Maker):
    """Wire one ingestion.

    Args:
        name: of the campaign.
        sources: files, directories, archives, and addresses such as ``mp:Si-O``.
        dataset: directory of the dataset; made where there is none.
        batch_files: files that one job reads, at most.
        batch_bytes: the same, bytes.
        message: of the version that is made.
        table: what is known of tables among them, as :class:`.columns.TableSettings` has it.
    """

    name: str = "ingest"
    sources: list[str] = field(default_factory=list)
    dataset: str = "dataset"
    batch_files: int = BATCH_FILES
    batch_bytes: int = BATCH_BYTES
    message: str = ""
    table: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Flow:
        """Build the graph as far as it is known before anything has been looked at.

        Raises:
            InputError: a path does not exist, an address or ``table`` is not as it must be, or the dataset
                cannot be written.
        """
        plan = plan_job(
            sources=absolute(self.sources),
            dataset=str(Path(self.dataset).absolute()),
            batch_files=self.batch_files,
            batch_bytes=self.batch_bytes,
            message=self.message or f"ingested {', '.join(self.sources)}",
            table=read_table_settings(self.table),
        )
        plan.config.manager_config = {"cache": False}  # what there is may have changed
        return Flow([plan], output=plan.output, name=self.name)


@job
def plan_job(
    *,
    sources: list[str],
    dataset: str,
    batch_files: int,
    batch_bytes: int,
    message: str,
    table: dict[str, Any],
) -> Response[Any]:
    """Look for what there is to ingest, and become the jobs that do it.

    Args:
        sources: absolute paths and addresses.
        dataset: directory of the dataset.
        batch_files: files that one job reads, at most.
        batch_bytes: the same, bytes.
        message: of the version that is made.
        table: what is known of tables among them.
    """
    found = batches(units(sources), files=batch_files, size=batch_bytes)
    run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"  # its reports are found in this order
    reading = [
        ingest_batch_job(batch=batch, dataset=dataset, run=run, number=number, table=table)
        for number, batch in enumerate(found)
    ]
    last = finish_job(batches=[one.output for one in reading], dataset=dataset, run=run, message=message)
    for one in (*reading, last):
        one.config.manager_config = {"cache": False}  # they write into the dataset
    return Response(replace=Flow([*reading, last], output=last.output, name="ingest"))
