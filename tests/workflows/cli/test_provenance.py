"""The commands why, uses, diff, rerun, crate and open."""

from __future__ import annotations

import json

import pytest
from campaigns_for_tests import good
from graphs_for_tests import add
from jobflow import Flow

from zonemelt import run_flow
from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.crates import read_size


def test_why_and_uses(zonemelt, mixed):
    text = zonemelt("why", mixed, "after many")
    assert "map_reduce" not in text.splitlines()[0]
    assert "after many" in text
    assert "jobs, " in text.splitlines()[-1]
    assert zonemelt.json("why", mixed, "first")["totals"]["jobs"] == 1
    assert {job["name"] for job in zonemelt.json("uses", mixed, "first")["jobs"]} >= {"first", "broken"}
    assert zonemelt("why", mixed, "after many", "--dot").startswith("digraph")
    assert zonemelt("uses", mixed, "first", "--mermaid").startswith("flowchart")


def test_two_campaigns_and_a_replay_as_drawings(zonemelt, tmp_path):
    for name, second in (("one", 2), ("two", 3)):
        first = add(1, 1)
        run_flow(Flow([first, add(first.output, second)]), site="inline", directory=tmp_path / name)
    drawn = zonemelt("diff", tmp_path / "one", tmp_path / "two", "--mermaid")
    assert drawn.startswith("flowchart")
    assert "1 made the same<br/>1 given something else" in drawn
    assert "n0 --> n0" in drawn
    assert zonemelt("diff", tmp_path / "one", tmp_path / "two", "--dot").startswith("digraph")
    replayed = zonemelt("rerun", tmp_path / "one", "1", "--subtree", "--site", "inline", "--mermaid")
    assert replayed.startswith("flowchart")
    assert "n1 --> n2" in replayed
    assert replayed.count("same") == 2


def test_in_the_campaign_itself(zonemelt, mixed, monkeypatch):
    monkeypatch.chdir(mixed)
    assert "first" in zonemelt("why", "first")


def test_what_cannot_be_asked(zonemelt, mixed):
    assert "did you mean 'first'" in zonemelt.refused("why", mixed, "firsst")
    assert "one form at a time" in zonemelt.refused("why", mixed, "first", "--dot", "--json")
    assert "no such directory" in zonemelt.refused("why", "nowhere", "1")


def test_rerun(zonemelt, mixed, tmp_path):
    text = zonemelt("rerun", mixed, "first", "--site", "inline", "--directory", tmp_path / "again")
    assert "the same, by hash" in text
    said = zonemelt.json("rerun", mixed, "after many", "--site", "inline", "--directory", tmp_path / "b")
    assert said["agrees"]
    assert "failed" in zonemelt.refused("rerun", mixed, "broken", "--site", "inline")


def test_crate_open_and_diff(zonemelt, tmp_path):
    pytest.importorskip("rocrate", reason="rocrate is not installed")
    pytest.importorskip("prov", reason="prov is not installed")
    place = tmp_path / "numbers"
    run_flow(good(), site="inline", directory=place)
    assert "4 jobs" in zonemelt("crate", place)
    archive = tmp_path / "numbers.crate.zip"
    assert archive.exists()
    assert "exists already" in zonemelt.refused("crate", place)
    assert zonemelt.json("open", archive, tmp_path / "opened")["hashes"] == 8
    assert "holds something" in zonemelt.refused("open", archive, tmp_path / "opened")
    assert "the same: spec, code, data" in zonemelt("diff", place, tmp_path / "opened")
    run_flow(good(4), site="inline", directory=tmp_path / "more")
    text = zonemelt("diff", place, tmp_path / "more")
    assert "1 are only in" in text
    assert json.loads(zonemelt("diff", place, tmp_path / "more", "--json"))["counts"]["same"] == 3
    assert "more comes out" in zonemelt.refused("open", archive, tmp_path / "x", "--max-size", "1kB")


def test_sizes():
    assert [read_size(text, where="x") for text in ("500", "10MB", "2 GB", "1.5k")] == [
        500,
        10**7,
        2 * 10**9,
        1500,
    ]
    with pytest.raises(InputError, match="x: 'many' is not a size"):
        read_size("many", where="x")
