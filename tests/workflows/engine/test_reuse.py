"""Results of earlier campaigns stand in for identical jobs, and only for those."""

from __future__ import annotations

import sqlite3
import sys

import numpy as np
import pytest
from graphs_for_tests import add, executions, map_reduce, note, total
from jobflow import Flow
from jobs_for_mishaps import read_file as read
from jobs_for_mishaps import write_file
from jobs_with_values import about_structure, array, mean_of, structure, trajectory

from zonemelt import run_flow
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.stores import open_store
from zonemelt.workflows.engine.reuse import source_digest


def reused(directory):
    with sqlite3.connect(directory / "ledger.db") as connection:
        return connection.execute(
            "SELECT COUNT(*) FROM events WHERE kind = 'done' AND json_extract(data, '$.reused') IS NOT NULL"
        ).fetchone()[0]


def run(make, tmp_path, name, **options):
    flow, last = make()
    responses = run_flow(flow, site="inline", directory=tmp_path / name, **options)
    return responses[last.uuid][max(responses[last.uuid])].output, responses


@pytest.mark.parametrize("size", [1, 10, 100])
def test_a_dynamic_graph_runs_no_job_again(tmp_path, notes, size):
    def make():
        mapped = map_reduce(size)
        after = note(str(notes), mapped.output, name="after")
        return Flow([mapped, after]), after

    first, before = run(make, tmp_path, "first")
    again, after = run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert again == first
    assert len(after) == len(before)
    assert not set(after) & set(before)
    assert list(executions(notes).values()) == [1]
    assert reused(tmp_path / "again") == sum(len(after[uuid]) for uuid in after)


def test_only_what_changed_runs(tmp_path, notes):
    def make(number):
        parts = [note(str(notes), name=f"part {i}") for i in range(3)]
        sums = [add(i, 1) for i in range(3)] + [add(number, 1)]
        joined = total([part.output for part in sums])
        return Flow([*parts, *sums, joined]), joined

    run(lambda: make(1), tmp_path, "first")
    output, _ = run(lambda: make(5), tmp_path, "again", reuse=[tmp_path / "first"])
    assert output == 1 + 2 + 3 + 6
    assert set(executions(notes).values()) == {1}
    assert reused(tmp_path / "again") == 6  # all but the new sum and the total


def test_files_come_along(tmp_path):
    def make():
        numbers, crystal, written = array(5000), structure(6), write_file("w.txt", "weights")
        paths = [
            mean_of(numbers.output["values"]),
            about_structure(crystal.output),
            read(written.output["file"]),
        ]
        return Flow([numbers, crystal, written, *paths]), paths[-1]

    run(make, tmp_path, "first")
    run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert reused(tmp_path / "again") == 6
    third, responses = run(make, tmp_path, "third", reuse=[tmp_path / "again"])
    assert third == ["w.txt", "weights"]
    large = [r for uuid in responses for r in responses[uuid].values() if isinstance(r.output, dict)]
    assert any(isinstance(r.output.get("values"), np.ndarray) for r in large)


def test_additional_stores_come_along(tmp_path):
    def make():
        job = trajectory(5)
        return Flow([job]), job

    run(make, tmp_path, "first")
    run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert reused(tmp_path / "again") == 1
    outputs = []
    for name in ("first", "again"):
        store = open_store(directory=tmp_path / name)
        store.connect()
        (document,) = store.query(load=True)
        outputs.append(document["output"])
    assert outputs[0] == outputs[1]


def test_a_changed_source_is_not_reused(tmp_path, monkeypatch):
    module = tmp_path / "changing_job.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from jobflow import job\n\n@job\ndef answer():\n    return {}\n"

    def write(value):
        module.write_text(text.format(value))
        sys.modules.pop("changing_job", None)
        source_digest.cache_clear()
        import linecache

        linecache.clearcache()
        import changing_job

        def make():
            job = changing_job.answer()
            return Flow([job]), job

        return make

    assert run(write(1), tmp_path, "first")[0] == 1
    assert run(write(1), tmp_path, "same", reuse=[tmp_path / "first"])[0] == 1
    assert reused(tmp_path / "same") == 1
    assert run(write(2222), tmp_path, "changed", reuse=[tmp_path / "first"])[0] == 2222
    assert reused(tmp_path / "changed") == 0


def test_a_job_may_decline(tmp_path):
    def make():
        job = add(1, 2)
        job.update_config({"manager_config": {"cache": False}})
        return Flow([job]), job

    run(make, tmp_path, "first")
    run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert reused(tmp_path / "again") == 0


def test_there_must_be_a_campaign(tmp_path):
    with pytest.raises(InputError, match="no campaign to reuse"):
        run(lambda: (Flow([add(1)]), None), tmp_path, "c", reuse=[tmp_path / "nowhere"])
