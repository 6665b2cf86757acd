"""zonemelt ingest: counts by verdict, JSON, and going on in a campaign's directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import outputs_for_tests as outputs
import pytest
import yaml

from zonemelt.tasks.datasets import open_dataset

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


def test_what_cannot_be_read_is_shown_with_its_reason(zonemelt, runs):
    (runs / "vasprun.xml").write_text("hello")
    said = zonemelt("ingest", "runs", "--out", "labels", "--site", "inline")
    assert "vasprun.xml: by its name it ought to be vasp-xml" in said


def test_a_path_that_does_not_exist(zonemelt, home):
    assert "does not exist" in zonemelt.refused("ingest", "nowhere", "--out", "labels")


def test_what_a_person_knows_of_tables(zonemelt, home):
    rows = [
        {
            "name": "a",
            "lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
            "Z": [13],
            "frac": [[0, 0, 0]],
            "e": -0.5,
        },
        {"name": "b", "lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "Z": [213], "frac": [[0, 0, 0]], "e": -1},
    ]
    (home / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = {
        "columns": {"identifier": "name", "targets": {"energy_sigma0": {"column": "e", "unit": "Ry/atom"}}},
        "theory": {"code": "vasp", "functional": "PBE"},
    }
    (home / "t.yaml").write_text(yaml.safe_dump(table))
    words = ("ingest", "t.jsonl", "--out", "labels", "--site", "inline", "--table")
    found = zonemelt.json(*words, "t.yaml")
    assert (found["accepted"], found["no_records"]) == (1, 1)
    (record,) = open_dataset(home / "labels").records()
    assert (record.identifier, record.theory.functional) == ("a", "PBE")
    assert record.energy_sigma0 == pytest.approx(-0.5 * 13.605693, rel=1e-6)
    (home / "t.yaml").write_text("columns: {identifer: x}")
    refused = zonemelt.refused(*words, "t.yaml")
    assert "table: columns.identifer: unknown key 'identifer'" in refused
    assert "did you mean 'identifier'?" in refused
    (home / "t.yaml").write_text("columns: {targets: {a: {column: 1}}}")
    assert "columns.targets.a.column: 1 cannot be used" in zonemelt.refused(*words, "t.yaml")
    (home / "t.yaml").write_text("- x")
    assert "not a mapping of columns" in zonemelt.refused(*words, "t.yaml")


def test_an_address_that_is_none_is_refused_before_anything_starts(zonemelt, home):
    refused = zonemelt.refused("ingest", "optimade:nowhere", "--out", "labels")
    assert "'nowhere' is no provider" in refused
    assert not (home / "labels").exists()
