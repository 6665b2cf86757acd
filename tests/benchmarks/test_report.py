"""The benchmarks speak one format, and a small one runs from start to report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"name", "unit", "ours", "peer", "peer_name", "ratio", "target", "met", "spread", "seconds"}


@pytest.fixture
def report():
    """The shared module of the benchmarks."""
    from benchmarks import report

    return report


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.engine", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def check(text: str) -> list[dict]:
    """The rows of a report, after a look at its form."""
    found = json.loads(text)
    assert found.keys() == {"machine", "rows"}
    assert {"cpu", "cores", "commit", "date"} <= found["machine"].keys()
    for row in found["rows"]:
        assert row.keys() >= KEYS
        assert row["ours"] is not None or row["note"]
        assert (row["met"] is None) == (not row["target"] or row["ours"] is None)
    assert len({row["name"] for row in found["rows"]}) == len(found["rows"])
    return found["rows"]


def test_a_small_benchmark_reports_in_the_format():
    ended = run("--quick", "--json", "--only", "restart", "--jobs", "20")
    assert ended.returncode == 0, ended.stderr
    rows = check(ended.stdout)
    assert [row["name"] for row in rows] == [
        "restart to first dispatch, 20 jobs", "zonemelt status --json, 20 jobs", "zonemelt --help",
    ]  # fmt: skip
    assert all(row["quick"] for row in rows)


@pytest.mark.slow
def test_every_engine_agrees_on_every_graph():
    ended = run(
        "--quick", "--json", "--jobs", "60", "--only", "fan", "chain", "map-reduce", "diamond", "replace"
    )
    assert ended.returncode == 0, ended.stderr
    assert len(check(ended.stdout)) == 5 * 8


def test_a_time_for_half_the_jobs_is_none(report):
    from benchmarks.engine_rates import check_done

    check_done(60, "fan", 60, engine="x")
    check_done(60, "diamond", 62, engine="x")
    check_done(30, "replace", 60, engine="x")  # a job and its successor under one name
    for done, graph in ((30, "fan"), (31, "diamond"), (59, "replace")):
        with pytest.raises(RuntimeError, match=f"x did {done} of 60 jobs of {graph}"):
            check_done(done, graph, 62 if graph == "diamond" else 60, engine="x")


def test_an_unknown_name_is_refused():
    ended = run("--only", "fun")
    assert ended.returncode == 2
    assert "invalid choice: 'fun'" in ended.stderr


class TestRows:
    def test_ratio_and_target(self, report):
        row = report.Row(name="a", unit="jobs/s", ours=10.0, peer=4.0, target="ratio >= 2.5")
        assert (row.ratio, row.met) == (2.5, True)
        assert report.Row(name="a", unit="s", ours=2.0, target="ours <= 1").met is False

    def test_what_was_not_measured_is_neither_met_nor_missed(self, report):
        row = report.Row(name="a", unit="s", target="ours <= 1", note="there is no data")
        assert row.met is None
        assert check(report.as_json([row], about={"cpu": "", "cores": 1, "commit": "", "date": ""}))

    def test_a_target_that_cannot_be_read(self, report):
        with pytest.raises(ValueError, match="not 'wall'"):
            report.Row(name="a", unit="s", ours=1.0, target="wall <= 1")

    def test_spread(self, report):
        assert report.spread([1.0]) is None
        assert report.spread([2.0, 3.0, 6.0]) == pytest.approx(4 / 3)  # of the middle one

    def test_the_table_names_everything(self, report):
        row = report.Row(
            name="fan", unit="ms", ours=1.0, peer=2.0, peer_name="them", target="ours <= 2", spread=0.1,
            note="quiet machine",
        )  # fmt: skip
        table = report.as_table([row])
        for word in ("fan", "1 ms", "2", "them", "0.5", "ours <= 2", "yes", "10%", "fan: quiet machine"):
            assert word in table
