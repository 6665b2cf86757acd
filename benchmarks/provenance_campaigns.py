"""Campaigns for the benchmark of provenance: some are run, large ones only told to a ledger."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.engine_graphs import GROUP, add_job, same_job, total_job
from benchmarks.report import say
from jobflow import Flow

from zonemelt.workflows.engine.circumstances import Circumstances, digest_of
from zonemelt.workflows.engine.commit import commit_plain
from zonemelt.workflows.engine.graph import JobRow, job_rows
from zonemelt.workflows.engine.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobflow import Job

    from zonemelt.workflows.engine.results import Result


def screening(jobs: int) -> Flow:
    """One job that all others come from, many that use it, and one that comes from all."""
    source = same_job(1)
    mapped = [add_job(source.output, number) for number in range(jobs)]
    groups = [mapped[at : at + GROUP] for at in range(0, len(mapped), GROUP)]
    sums = [total_job([one.output for one in group]) for group in groups]
    last = total_job([one.output for one in sums])
    last.name = "last"
    return Flow([source, *mapped, *sums, last], name="screening")


def run_screening(place: Path, jobs: int) -> int:
    """Run one in this process; returns how many jobs it has."""
    from zonemelt.workflows.engine.run import run_flow

    flow = screening(jobs)
    say(f"a campaign of {len(flow.jobs)} jobs")
    run_flow(flow, site="inline", directory=place, ensure_success=True)
    return len(flow.jobs)


def record_screening(place: Path, jobs: int) -> int:
    """Let a ledger know such a campaign as if it had run: rows, outputs and events by the engine's own code.

    Returns:
        How many jobs it has.
    """
    say(f"a ledger of about {jobs} jobs")
    rows = _rows(jobs)
    place.mkdir(parents=True)
    ledger, here = Ledger(place), Circumstances()
    under = here.name("no source")
    with ledger.transaction():
        ledger.put("name", "screening")
        ledger.put("status", "finished")
        ledger.describe(here.untold(place, under))
        ledger.event("submitted", jobs=len(rows))
        ids = ledger.insert(rows)
        ledger.mark_running(ids)
        results = [_result(job, row, under) for job, row in zip(ids, rows, strict=True)]
        for at in range(0, len(results), 500):
            commit_plain(ledger, results[at : at + 500])
    ledger.close()
    return len(rows)


def _rows(jobs: int) -> list[JobRow]:
    source = job_rows(same_job(1))[0]
    one, many = add_job(same_job(1).output, 7_777_777), total_job([])
    mapped = [_copy(one, [source.uuid], number) for number in range(jobs)]
    sums = [_copy(many, [row.uuid for row in mapped[at : at + GROUP]]) for at in range(0, jobs, GROUP)]
    last = _copy(many, [row.uuid for row in sums])._replace(name="last")
    return [source, *mapped, *sums, last]


def _copy(job: Job, parents: Sequence[str], number: int = 0) -> JobRow:
    """A job like another one that refers to other outputs; a Flow of so many takes long to make."""
    row, name = job_rows(job)[0], str(uuid.uuid4())
    body = json.loads(row.body)
    references: list[Any] = [
        {
            "@module": "jobflow.core.reference", "@class": "OutputReference", "@version": None,
            "uuid": parent, "attributes": [], "output_schema": None,
        }
        for parent in parents
    ]  # fmt: skip
    body["uuid"] = name
    body["function_args"] = [references[0], number] if len(parents) == 1 else [references]
    text = json.dumps(body, separators=(",", ":"))
    return row._replace(uuid=name, body=text, parents=list(parents))


def _result(job: int, row: JobRow, under: str) -> Result:
    document = json.dumps(
        {"uuid": row.uuid, "index": 1, "output": job, "metadata": {}, "hosts": [], "name": row.name},
        separators=(",", ":"),
    )
    now = time.time()
    return {
        "ok": True, "job": job, "attempt": 1, "uuid": row.uuid, "index": 1, "document": document,
        "start": now, "end": now + 0.01, "host": "nowhere", "pid": 1, "under": under,
        "given": digest_of(row.body.encode()),
        "made": digest_of(document.encode()),
    }  # fmt: skip
