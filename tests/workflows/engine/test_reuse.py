"""Results of earlier campaigns stand in for identical jobs, and only for those."""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import ClassVar

import numpy as np
import pytest
from graphs_for_tests import add, executions, map_reduce, note, text_of, total
from jobflow import Flow
from jobs_for_mishaps import read_file as read
from jobs_for_mishaps import write_file
from jobs_with_values import (
    about_structure,
    array,
    array_in_a_large_document,
    brings_to,
    mean_of,
    structure,
    trajectory,
    unresolved,
)

from zonemelt import run_flow
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.stores import open_store
from zonemelt.workflows.engine import reuse
from zonemelt.workflows.engine.pools import InlineWorkers
from zonemelt.workflows.engine.sources import source_digest


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


def test_files_that_files_name_come_along(tmp_path):
    def make():
        large = array_in_a_large_document(5000)
        return Flow([large, mean := mean_of(large.output["values"])]), mean

    first, _ = run(make, tmp_path, "first")
    again, responses = run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert again == first
    assert reused(tmp_path / "again") == 2
    outputs = [r.output for uuid in responses for r in responses[uuid].values()]
    (large,) = (one for one in outputs if isinstance(one, dict) and "values" in one)
    np.testing.assert_array_equal(large["values"], np.arange(5000.0))


def test_a_result_whose_file_is_gone_is_computed(tmp_path):
    def make():
        job = array(5000)
        return Flow([job]), job

    first, _ = run(make, tmp_path, "first")
    expected = np.array(first["values"])
    for path in (tmp_path / "first" / "blobs").glob("??/*.npy"):
        path.unlink()
    again, _ = run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    np.testing.assert_array_equal(again["values"], expected)
    assert reused(tmp_path / "again") == 0


def test_what_an_earlier_campaign_brought_may_not_suit_this_site(tmp_path):
    """Then the job runs, and it is its own response that is refused: the campaign goes on."""

    class Elsewhere(InlineWorkers):
        pools: ClassVar = {"cpu": None, "gpu": None}

    def make():
        job, other = brings_to("gpu"), add(1, 2)
        return Flow([job, other]), other

    flow, _ = make()
    run_flow(flow, site=Elsewhere(), directory=tmp_path / "first", ensure_success=True)
    output, responses = run(make, tmp_path, "again", reuse=[tmp_path / "first"])
    assert output == 3
    assert len(responses) == 1


def test_references_in_an_output_lead_to_what_the_job_was_given(tmp_path):
    """Arguments of the same content may come in another order."""

    def make(names):
        parts = {"x": add(1), "y": add(2)}
        job = unresolved({name: parts[name].output for name in names})
        after = text_of([job.output["value"][name] for name in "xy"])
        return Flow([*parts.values(), job, after]), after

    first, _ = run(lambda: make("xy"), tmp_path, "first")
    again, _ = run(lambda: make("yx"), tmp_path, "again", reuse=[tmp_path / "first"])
    assert again == first
    assert reused(tmp_path / "again") == 4


def test_a_job_that_is_not_there_is_looked_for_once(tmp_path, monkeypatch):
    run(lambda: (Flow([job := add(0, 0)]), job), tmp_path, "first")
    looked: list[str] = []
    plain = reuse.job_digest

    def counted(body, *rest):
        looked.append(json.loads(body)["uuid"])
        return plain(body, *rest)

    monkeypatch.setattr(reuse, "job_digest", counted)
    run(
        lambda: (Flow([job := add(number, 1) for number in range(1, 30)]), job),
        tmp_path,
        "again",
        reuse=[tmp_path / "first"],
    )
    assert len(looked) == len(set(looked)) == 30  # the job of the earlier campaign among them
