"""Looks at a campaign read only what is new, and say what was found so far."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from zonemelt.workflows.engine.inspect import Summary
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.progress import Follower, Pool, Progress, budget_of
from zonemelt.workflows.report.reading import outputs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks.report_campaigns import record_discovery

        found = tmp_path_factory.mktemp("progress") / "campaign"
        record_discovery(found, jobs=60, candidates=600)
    return found


def test_a_look_reads_what_is_new_once(place: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    parsed = outputs.parsed

    def counted(text):
        read.append(1)
        return parsed(text)

    monkeypatch.setattr(outputs, "parsed", counted)
    follower = Follower(place)
    first = follower.look()
    seen = len(read)
    assert seen == 60
    assert follower.look().rounds == first.rounds
    assert len(read) == seen
    assert Follower(place, results=False).look().rounds == []
    assert len(read) == seen


def test_what_a_look_says(place: Path):
    found = Follower(place).look()
    assert [pool.name for pool in found.pools] == ["cpu", "dft", "gpu"]
    assert sum(sum(pool.counts.values()) for pool in found.pools) == 60
    assert found.rounds[-1]["round"] == "10"
    assert found.best[0]["what"] == "confirmed"
    assert found.as_dict()["total"] == 60


def test_the_budget_is_that_of_the_file(tmp_path: Path):
    assert budget_of(tmp_path) is None
    (tmp_path / "campaign.yaml").write_text("budget_node_hours: 12.5\n")
    assert budget_of(tmp_path) == 12.5
    (tmp_path / "campaign.yaml").write_text("budget_node_hours: {")
    assert budget_of(tmp_path) is None


def test_a_picture_with_all_of_it():
    import io

    from rich.console import Console

    from zonemelt.workflows.watch import picture

    counts = {state.name.lower(): 0 for state in JobState} | {"done": 5, "running": 5}
    summary = Summary(
        directory="runs/x", name="oxides", status="running", version="0", created=0.0, counts=counts,
        rate=2.0, seconds_left=200.0, node_hours=1.25, undelivered=0, head=None,
    )  # fmt: skip
    progress = Progress(
        summary=summary, budget=4.0, hours_left=1.25, found="7 candidates, 1 stable and new",
        pools=[Pool(name="cpu", counts={"done": 5}), Pool(name="gpu", counts={"running": 5}, blocks=2)],
        rounds=[{"round": "3", "labels": "24", "energy, meV/atom": "4.0"}],
        best=[{"name": "[/bad]Fe2O3", "what": "stable", "value": "-3.0 meV/atom above the hull"}],
    )  # fmt: skip
    out = Console(file=io.StringIO(), width=100)
    out.print(picture(summary, width=100, progress=progress))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "about 1.2 more", "2.75 left of 4", "2 blocks  5 running", "3  labels 24  energy, meV/atom 4.0",
        "so far  7 candidates", "[/bad]Fe2O3", "-3.0 meV/atom above the hull, stable",
    ):  # fmt: skip
        assert part in text


def test_a_ledger_that_grows_is_read_on(place: Path, tmp_path: Path):
    import shutil

    copy = shutil.copytree(place, tmp_path / "c")
    follower = Follower(copy)
    with sqlite3.connect(copy / "ledger.db") as connection:
        rows = connection.execute("SELECT * FROM outputs ORDER BY rowid DESC LIMIT 20").fetchall()
        connection.execute("DELETE FROM outputs WHERE rowid > 40")
        connection.commit()
        before = follower.look()
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO outputs VALUES ({marks})", reversed(rows))
        connection.commit()
    connection.close()
    assert before.found
    after = follower.look()
    assert follower._outputs.labels == 60 - 3 - 11
    assert after.rounds == Follower(place).look().rounds
