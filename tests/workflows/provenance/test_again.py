"""Jobs that run again, and campaigns that are compared."""

from __future__ import annotations

import json
import shutil

import pytest
from graphs_for_tests import add, same, total
from hypothesis import given
from hypothesis import strategies as st
from jobflow import Flow
from provenance_for_tests import build, graph, read_back, write

from zonemelt import run_flow
from zonemelt.tasks.errors import CampaignError, InputError, StoreError
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.provenance.comparing import compare
from zonemelt.workflows.provenance.diff import diff
from zonemelt.workflows.provenance.rerun import rerun

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_a_dataset_at_the_same_place_in_two_campaigns_is_no_difference(tmp_path):
    for name in ("a", "b"):
        counted = same({"dataset": str(tmp_path / name / "dataset"), "version": "1"})
        run_flow(Flow([counted]), site="inline", directory=tmp_path / name)
    found = diff(tmp_path / "a", tmp_path / "b")
    assert not found.data
    assert found.counts == {"same": 1}


@pytest.mark.parametrize(
    "name", ["collect", "mean", "read", "after trajectory", "many", "after many", "total", "16"]
)
def test_a_job_makes_the_same_again(oxides, tmp_path, name):
    replay = rerun(oxides, name, to=tmp_path / "again", site="inline")
    assert [job.verdict for job in replay.jobs] == ["same"]
    assert not replay.jobs[0].code_changed


def test_in_workers(oxides, tmp_path):
    replay = rerun(oxides, "mean", to=tmp_path / "again", site="local")
    assert replay.agrees


def test_a_subtree(oxides, tmp_path):
    replay = rerun(oxides, "many", subtree=True, to=tmp_path / "again", site="inline")
    assert [(job.name, job.verdict) for job in replay.jobs] == [("many", "same"), ("after many", "same")]
    said = json.loads(json.dumps(replay.as_dict()))
    assert said["agrees"]


def test_the_campaign_is_only_read(oxides, tmp_path):
    before = (oxides / "ledger.db").read_bytes()
    rerun(oxides, "mean", to=tmp_path / "again", site="inline")
    assert (oxides / "ledger.db").read_bytes() == before


def test_what_jobs_keep_in_the_campaign_stays_as_it_is(tmp_path):
    """They keep it in the new campaign, and begin anew there; what they read lies there as a copy."""
    place = tmp_path / "keeping"
    first = write(text="words", directory=str(place / "first"))
    second = read_back(written=first.output, directory=str(place / "second"))
    run_flow(Flow([first, second]), directory=place, site="inline", ensure_success=True)
    files = [place / name / "text.txt" for name in ("first", "second")]
    before = [path.stat().st_mtime_ns for path in files]
    for name in ("write", "read_back"):
        again = tmp_path / f"again-{name}"
        assert [job.verdict for job in rerun(place, name, to=again, site="inline").jobs] == ["same"]
    assert [path.stat().st_mtime_ns for path in files] == before
    assert (tmp_path / "again-write" / "first" / "text.txt").read_text() == "words"
    assert (tmp_path / "again-read_back" / "first" / "text.txt").read_text() == "words"
    assert (tmp_path / "again-read_back" / "second" / "text.txt").read_text() == "WORDS"


def test_an_output_that_was_edited_is_found(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    connection = connect(place / "ledger.db")
    connection.execute("UPDATE outputs SET doc = replace(doc, '\"output\":3.0', '\"output\":3.1')")
    connection.close()
    replay = rerun(place, "total", to=tmp_path / "again", site="inline")
    assert [job.verdict for job in replay.jobs] == ["differs"]
    assert replay.jobs[0].differences == [{"path": "", "first": 3.1, "second": 3.0}]
    assert rerun(place, "total", to=tmp_path / "loosely", site="inline", rtol=0.1).jobs[0].verdict == "close"


def test_what_cannot_be_rerun(oxides, tmp_path):
    with pytest.raises(InputError, match="'broken' is failed"):
        rerun(oxides, "broken", to=tmp_path / "a", site="inline")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(CampaignError, match="fresh directory"):
        rerun(oxides, "mean", to=tmp_path / "full", site="inline")


def test_a_file_that_is_missing(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    for path in (place / "blobs").glob("*/*.npy"):
        path.unlink()
    with pytest.raises(StoreError, match="was given names is missing"):
        rerun(place, "mean", to=tmp_path / "again", site="inline")


def test_two_runs_of_one_graph_are_the_same(oxides, tmp_path):
    other = build(tmp_path / "other", graph())
    found = diff(oxides, other)
    assert found.same, found.as_dict()
    assert set(found.counts) == {"same"}


def test_what_differs_is_told_apart(tmp_path):
    def flow(first, second, more):
        one, two = add(first, 1), add(second, 2)
        one.name, two.name = "one", "two"
        last = total([one.output, two.output])
        return Flow([one, two, last, *more])

    run_flow(flow(1, 2, []), site="inline", directory=tmp_path / "a")
    run_flow(flow(1, 5, [same(1)]), site="inline", directory=tmp_path / "b")
    found = diff(tmp_path / "a", tmp_path / "b")
    assert found.counts == {"same": 1, "given": 2, "only_second": 1}
    assert found.only_second == {"same": 1}
    connection = connect(tmp_path / "b" / "ledger.db")
    connection.execute("UPDATE outputs SET doc = replace(doc, '\"output\":2,', '\"output\":2.5,')")
    connection.close()
    (parted,) = diff(tmp_path / "a", tmp_path / "b").parted
    assert parted["name"] == "one"
    assert parted["differences"] == [{"path": "", "first": 2, "second": 2.5}]
    (tmp_path / "a" / "campaign.yaml").write_text("rounds: 2\noracles: {gpaw: {cutoff: 250}}\n")
    (tmp_path / "b" / "campaign.yaml").write_text("rounds: 2\noracles: {gpaw: {cutoff: 350}}\n")
    assert diff(tmp_path / "a", tmp_path / "b").spec == {"oracles.gpaw.cutoff": (250, 350)}
    with pytest.raises(InputError, match="same directory"):
        diff(tmp_path / "a", tmp_path / "a")


def test_a_job_that_says_which_job_it_is_makes_the_same(tmp_path):
    def flow():
        one = add(1, 2)
        return Flow([one, spoken := same({"of": one.uuid}), same(spoken.output)])

    run_flow(flow(), site="inline", directory=tmp_path / "a")
    run_flow(flow(), site="inline", directory=tmp_path / "b")
    found = diff(tmp_path / "a", tmp_path / "b")
    assert found.same, found.as_dict()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("random_state", (1, 2)),
        ("start_seed", (1, 2)),
        ("checkpoint", ("one", "two")),
        ("ensemble", ("one", "two")),
        ("test_set", ("one", "two")),
    ],
)
def test_whatever_names_data_is_compared(tmp_path, key, values):
    for name, value in zip("ab", values, strict=True):
        run_flow(same({key: value}), site="inline", directory=tmp_path / name)
    assert list(diff(tmp_path / "a", tmp_path / "b").data) == [f"same args.0.{key}"]


@given(JSON)
def test_everything_equals_itself(value):
    assert compare(value, json.loads(json.dumps(value)), rtol=0, atol=0).equal


@given(st.floats(-1e6, 1e6), st.floats(-1e-3, 1e-3))
def test_tolerance(value, shift):
    found = compare({"x": [value]}, {"x": [value + shift]}, rtol=0, atol=5e-4)
    assert found.equal == (abs(value - (value + shift)) <= 5e-4)


def test_differences_name_their_place():
    found = compare({"a": [1, {"b": "x"}], "c": 1}, {"a": [1, {"b": "y"}], "d": 1})
    assert sorted(each["path"] for each in found.differences) == ["a.1.b", "c", "d"]
    assert compare([1, 2], [1]).differences == [{"path": "", "first": "2 items", "second": "1 items"}]
    assert not compare(1, True).equal
