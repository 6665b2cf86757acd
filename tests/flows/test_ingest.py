"""An ingestion as a graph: every file has a report, batches may run apart, and a second time adds nothing."""

from __future__ import annotations

import csv
import json
import tarfile
from typing import TYPE_CHECKING

import outputs_for_tests as outputs
import pytest

from zonemelt.flows.ingest import IngestMaker
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.jobs import finish, ingest_batch
from zonemelt.tasks.ingest.reports import known_files
from zonemelt.tasks.ingest.sources import batches, units
from zonemelt.tasks.ingest.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def runs(tmp_path) -> Path:
    """Calculations in directories and in an archive, one of them twice, and what lies beside them."""
    folder = tmp_path / "runs"
    for number in range(4):
        (folder / f"{number}").mkdir(parents=True)
        frames = outputs.frames(2, energy_free=-20.0 - 10 * number)
        (folder / f"{number}" / "OUTCAR").write_text(outputs.outcar(frames))
        (folder / f"{number}" / "INCAR").write_text("NSW = 99\n")
    with tarfile.open(folder / "old.tar", "w") as archive:
        archive.add(folder / "0" / "OUTCAR", "copy/OUTCAR")
    (folder / "cut.out").write_text(outputs.espresso(outputs.frames(1), ended=False))
    return folder


def run(sources: list[str], dataset: Path, *, name: str = "run", files: int = 2) -> dict:
    """What the jobs of a flow do, without jobflow."""
    made = [
        ingest_batch(batch, dataset, run=name, number=number)
        for number, batch in enumerate(batches(units(sources), files=files))
    ]
    return finish(made, dataset, run=name, message="a test")


def test_counts_and_records(runs, tmp_path):
    told = run([str(runs)], tmp_path / "labels")
    expected = {verdict.value: 0 for verdict in Verdict}
    expected |= {"ingested": 4, "not a calculation": 4, "duplicate": 1, "truncated": 1}
    assert told["verdicts"] == expected
    assert (told["files"], told["records"], told["in_quarantine"]) == (10, 8, 1)
    dataset = open_dataset(tmp_path / "labels")
    assert len(dataset) == 8
    (cut,) = dataset.quarantine.records()
    assert "cut off" in cut.quality.reasons[0]


def test_files_without_records_are_told_with_their_reasons(runs, tmp_path):
    (runs / "OUTCAR").write_text((runs / "1" / "OUTCAR").read_text()[:900])
    table = tmp_path / "gaps.csv"
    table.write_text("formula,gap\nNaCl,5.0\n")
    told = run([str(runs), str(table)], tmp_path / "labels")["without_records"]
    assert [(one["verdict"], one["path"]) for one in told] == [("truncated", str(runs / "OUTCAR"))]
    (alone,) = run([str(table)], tmp_path / "gaps")["without_records"]
    assert alone["verdict"] == "not a calculation"
    assert "without a structure" in alone["reason"]


def test_one_line_a_file(runs, tmp_path):
    told = run([str(runs)], tmp_path / "labels")
    lines = [
        json.loads(line) for line in (tmp_path / "labels" / "ingest-report.jsonl").read_text().splitlines()
    ]
    with (tmp_path / "labels" / "ingest-report.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["path"] for line in lines] == [row["path"] for row in table]
    files = {str(path) for path in runs.rglob("*") if path.is_file()} - {str(runs / "old.tar")}
    assert {line["path"] for line in lines} == files | {f"{runs / 'old.tar'}::copy/OUTCAR"}
    assert {line["version"] for line in lines} == {told["version"]}
    assert sum(int(row["accepted"]) for row in table) == 8


@pytest.mark.parametrize("files", [1, 3, 100])
def test_batches_make_no_difference(runs, tmp_path, files):
    one, other = (run([str(runs)], tmp_path / name, files=size) for name, size in (("a", files), ("b", 5)))
    assert one["verdicts"] == other["verdicts"]
    assert (one["records"], one["accepted"]) == (other["records"], other["accepted"])


def test_a_second_time_adds_nothing(runs, tmp_path):
    first = run([str(runs)], tmp_path / "labels", name="1")
    second = run([str(runs)], tmp_path / "labels", name="2")
    assert second["verdicts"]["duplicate"] == 6
    assert second["version"] == first["version"]
    assert len(known_files(tmp_path / "labels")) == 5
    (runs / "new").mkdir()
    (runs / "new" / "OUTCAR").write_text(outputs.outcar(outputs.frames(3, energy_free=-99.0)))
    third = run([str(runs)], tmp_path / "labels", name="3")
    assert (third["verdicts"]["ingested"], third["records"]) == (1, first["records"] + 3)
    assert len((tmp_path / "labels" / "ingest-report.jsonl").read_text().splitlines()) == 10 + 10 + 11


def test_the_last_job_may_run_twice(runs, tmp_path):
    made = [
        ingest_batch(batch, tmp_path / "labels", run="x", number=number)
        for number, batch in enumerate(batches(units([str(runs)]), files=3))
    ]
    told = [finish(made, tmp_path / "labels", run="x", message="a test") for _ in range(2)]
    assert told[0] == told[1]
    assert len((tmp_path / "labels" / "ingest-report.jsonl").read_text().splitlines()) == 10


def test_paths_that_overlap_are_read_once(runs, tmp_path):
    (runs / "link").symlink_to(runs / "1")
    told = run([str(runs), str(runs / "0" / "OUTCAR")], tmp_path / "labels")
    assert told["verdicts"]["ingested"] == 4
    assert told["verdicts"]["duplicate"] == 1 + 2 + 1  # the copy, two behind the link, the named one
    assert told["files"] == 10 + 2 + 1


def test_through_jobflow(runs, tmp_path):
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    flow = IngestMaker(sources=[str(runs)], dataset=str(tmp_path / "labels"), batch_files=3).make()
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False, root_dir=tmp_path)
    output = store.query_one({"name": "finish_job"}, properties=["output"])["output"]
    assert output["verdicts"]["ingested"] == 4
    assert len(open_dataset(tmp_path / "labels")) == 8


def test_a_path_that_does_not_exist():
    with pytest.raises(InputError, match="does not exist"):
        IngestMaker(sources=["no/such/path"]).make()
    with pytest.raises(InputError, match="nothing to ingest"):
        IngestMaker(sources=[]).make()
