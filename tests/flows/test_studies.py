"""A study of a table as a graph."""

from __future__ import annotations

import csv

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from studies_for_tests import VACANCIES, vacancies

from zonemelt.flows.studies import StudyMaker
from zonemelt.tasks.errors import InputError


def test_a_table_is_read_compared_and_its_law_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = vacancies()
    rows[4]["Eg"] = ""
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = {**VACANCIES, "columns": list(VACANCIES["columns"])}
    models = ["linear", {"family": "knn", "grid": {"n_neighbors": [4]}}]
    maker = StudyMaker(name="vacancies", table="t.csv", models=models, inner=2, **about)
    store = JobStore(MemoryStore())
    run_locally(maker.make(), store=store, ensure_success=True, log=False)
    found = {one["metadata"]["step"]: one for one in store.query({}, load=True)}
    summary = found["summary"]["output"]
    assert set(summary["models"]) == {"linear", "knn", "stacked", "chosen by inner error"}
    assert summary["models"]["linear"]["mae"]["mean"] < 0.25
    assert found["law"]["output"]["coefficients"]["Vr_max"]["value"] == pytest.approx(-1.5, abs=0.05)
    (refused,) = found["table"]["metadata"]["refused"]
    assert (refused["row"], refused["reason"]) == (4, "'Eg' is no finite number")


def test_what_is_not_said_is_asked_for():
    with pytest.raises(InputError, match="'group' is not said"):
        StudyMaker(table="t.csv", target="Ev").make()
