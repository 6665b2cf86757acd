"""zonemelt ingest: counts by verdict, JSON, and going on in a campaign's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import outputs_for_tests as outputs
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def runs(home: Path) -> Path:
    for number in range(2):
        (home / "runs" / str(number)).mkdir(parents=True)
        text = outputs.outcar(outputs.frames(2, energy_free=-10.0 * (number + 1)))
        (home / "runs" / str(number) / "OUTCAR").write_text(text)
    (home / "runs" / "INCAR").write_text("NSW = 99\n")
    return home / "runs"


def test_counts_by_verdict(zonemelt, runs):
    said = zonemelt("ingest", "runs", "--out", "labels", "--site", "inline", "-d", "here")
    rows = {" ".join(line.split()[:-1]): line.split()[-1] for line in said.splitlines() if line.split()}
    assert (rows["ingested"], rows["not a calculation"], rows["in all"]) == ("2", "1", "3")
    assert "4 records accepted, 0 in quarantine" in said


def test_json_alone_on_standard_output(zonemelt, runs):
    words = ("ingest", "runs", "--out", "labels", "--site", "inline", "-d", "here")
    found = zonemelt.json(*words)
    assert (found["files"], found["records"]) == (3, 4)
    assert zonemelt.json(*words) == found  # it has ended: nothing is done again


def test_another_ingestion_does_not_go_on_there(zonemelt, runs):
    zonemelt("ingest", "runs", "--out", "labels", "--site", "inline", "-d", "here")
    refused = zonemelt.refused("ingest", "runs", "--out", "others", "--site", "inline", "-d", "here")
    assert "another campaign" in refused


def test_a_path_that_does_not_exist(zonemelt, home):
    assert "does not exist" in zonemelt.refused("ingest", "nowhere", "--out", "labels")
