"""zonemelt dataset show, versions, check, export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import ase.io
import pandas as pd
import pytest
from datasets_for_tests import record

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.records import Record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    folder = tmp_path / "labels"
    for first, message in ((0, "the first ones"), (15, "[more] of them")):
        part = write_part(folder, [record(n) for n in range(first, first + 20)])
        commit(folder, [part], message=message)
    return folder


def test_show_counts(zonemelt, labels: Path):
    said = zonemelt("dataset", "show", labels)
    assert "[more] of them" in said
    assert "32 records in 2 parts, 5 repeated ones left out" in said
    assert "VASP PBE" in said
    assert "█" in said
    found = zonemelt.json("dataset", "show", labels)
    assert found["counts"] == {"accepted": 32, "quarantined": 3}
    assert found["elements"]["Au"] == 32
    assert sum(found["histogram"]["counts"]) == found["ranges"]["energy_per_atom"]["records"]
    frame = open_dataset(labels).frame()
    assert found["ranges"]["max_force"]["largest"] == frame.max_force.max()
    assert found["ranges"]["natoms"]["mean"] == pytest.approx(frame.natoms.mean())


def test_show_what_is_in_quarantine(zonemelt, labels: Path):
    assert "two atoms are 0.31 Å apart" in zonemelt("dataset", "show", labels, "--quarantine")
    reasons = zonemelt.json("dataset", "show", labels, "--quarantine")["reasons"]
    assert reasons == {"two atoms are 0.31 Å apart": 3}


def test_versions_are_listed_and_opened(zonemelt, labels: Path):
    found = zonemelt.json("dataset", "versions", labels)["versions"]
    assert [(one["records"], one["newest"]) for one in found] == [(18, False), (32, True)]
    first = found[0]["version"]
    assert zonemelt.json("dataset", "show", labels, "--version", first[:9])["records"] == 18
    said = zonemelt("dataset", "versions", labels)
    assert f"{found[1]['version'][:12]} newest" in said
    assert "the first ones" in said


def test_check_names_what_is_damaged(zonemelt, labels: Path):
    assert "0 missing or damaged" in zonemelt("dataset", "check", labels)
    path = min((labels / "parts").iterdir())
    path.write_bytes(path.read_bytes()[:1000])
    said = zonemelt("dataset", "check", labels, code=1)
    assert "✗" in said
    assert path.name in said
    assert "ingest its sources again" in said
    found = zonemelt.json("dataset", "check", labels, code=1)
    assert found["broken"] == 1


def test_a_damaged_log_or_version_is_told_among_the_other_files(zonemelt, labels: Path):
    log, newest = max((labels / "log").iterdir()), open_dataset(labels).version
    (labels / "versions" / f"{newest}.json").write_text("{}")
    assert zonemelt.json("dataset", "check", labels, code=1)["broken"] == 1
    log.write_text("{")
    found = zonemelt.json("dataset", "check", labels, code=1)
    broken = {one["path"].rpartition("/")[2] for one in found["files"] if one["error"]}
    assert broken == {log.name, f"{newest}.json"}


def test_export(zonemelt, labels: Path, tmp_path: Path):
    dataset = open_dataset(labels)
    said = zonemelt("dataset", "export", labels, tmp_path / "a.jsonl")
    assert said.startswith("32 records of version")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [Record.model_validate_json(line) for line in lines] == list(dataset.records())

    zonemelt("dataset", "export", labels, tmp_path / "a.csv", "--quarantine")
    assert len(pd.read_csv(tmp_path / "a.csv")) == 3

    found = zonemelt.json(
        "dataset", "export", labels, tmp_path / "a.extxyz", "--where", "elements=Al-Au", "--where", "natoms=2"
    )
    atoms = ase.io.read(tmp_path / "a.extxyz", ":")
    expected = list(dataset.records({"elements": "Al-Au"}))
    assert len(atoms) == found["records"] == len(expected) > 0
    for one, label in zip(atoms, expected, strict=True):
        assert one.get_chemical_formula() == "AlAu"
        assert one.positions == pytest.approx(label.geometry.atoms().positions)
        if label.forces is not None:
            assert one.get_forces() == pytest.approx(label.geometry.atoms().positions * 0 + label.forces)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_is_refused(zonemelt, labels: Path, tmp_path: Path):
    (tmp_path / "there.csv").write_text("mine")
    assert "the file exists" in zonemelt.refused("dataset", "export", labels, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert "did you mean 'extxyz'" in zonemelt.refused("dataset", "export", labels, "a.extxy")
    assert "did you mean 'natoms'" in zonemelt.refused(
        "dataset", "export", labels, "a.csv", "--where", "natom=3"
    )
    assert "there is no such directory" in zonemelt.refused("dataset", "show", tmp_path / "none")
    assert "no version begins with" in zonemelt.refused("dataset", "show", labels, "--version", "xyz")


@pytest.mark.parametrize("name", ["show", "versions", "check", "export"])
def test_help_has_examples(zonemelt, name: str):
    assert f"zonemelt dataset {name} labels" in zonemelt("dataset", name, "--help").partition("Examples:")[2]


def test_exported_json_has_no_lost_records(zonemelt, labels: Path, tmp_path: Path):
    zonemelt("dataset", "export", labels, tmp_path / "q.jsonl", "--quarantine")
    lines = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text().splitlines()]
    assert [line["quality"]["accepted"] for line in lines] == [False] * 3
