"""The commands that show a campaign as it goes, and its report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"


def test_one_look(zonemelt, mixed: Path):
    found = zonemelt.json("watch", mixed)
    assert found["total"] == 17
    assert sum(sum(pool["counts"].values()) for pool in found["pools"]) == 17
    assert found["best"] == found["rounds"] == []


def test_watching_what_has_ended_ends(zonemelt, mixed: Path):
    assert "17 jobs: 13 done" in zonemelt("watch", mixed)


def test_a_report_for_programs(zonemelt, mixed: Path, tmp_path: Path):
    found = zonemelt.json("report", mixed, "--out", tmp_path / "r.html")
    assert found["report"] == str(tmp_path / "r.html")
    assert found["summary"]["counts"]["failed"] == 1
    reasons = found["sections"]["failures"]["tables"][1]["rows"]
    assert [row["reason"] for row in reasons] == ["RuntimeError: the cell is bad"]


def test_a_report_that_cannot_be_written(zonemelt, mixed: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in zonemelt.refused("report", mixed, "--out", tmp_path / "file" / "r.html")


def test_a_test_of_notifications(zonemelt, home: Path, mixed: Path):
    assert "say whom in ~/.zonemelt.yaml" in zonemelt.refused("notify", mixed)
    words = [sys.executable, "-c", WRITE, str(home / "paper"), "{event}: {message}"]
    (home / ".zonemelt.yaml").write_text(f"notify:\n  command: {words!r}\n  events: [ended]\n")
    assert "told of milestones: ended" in zonemelt("notify", mixed)
    assert (home / "paper").read_text() == "test: campaign: a test"
    (home / ".zonemelt.yaml").write_text("notify:\n  command: [/no/such/program]\n")
    assert "program cannot be run" in zonemelt.refused("notify", mixed)
    (home / ".zonemelt.yaml").write_text("notify:\n  webhook: http://example.org/s3cret\n")
    refused = zonemelt.refused("notify", mixed)
    assert "https address" in refused
    assert "s3cret" not in refused
