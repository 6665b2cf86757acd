"""A study of a table as a graph."""

from __future__ import annotations

import csv

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from studies_for_tests import VACANCIES, vacancies

from zonemelt.flows.studies import StudyMaker, study_job
from zonemelt.tasks.errors import InputError, UnknownKeyError


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


def test_what_is_not_said_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="'group' is not said"):
        StudyMaker(table="t.csv", target="Ev").make()
    table = tmp_path / "t.csv"
    with pytest.raises(InputError, match="there is no such file"):
        StudyMaker(table=str(table), target="Ev", group="name").make()
    table.write_text("name,a,Ev\nx,1,2\n")
    for more, error, says in (
        ({"seeds": []}, InputError, "seeds \\[\\]"),
        ({"models": ["ridges"]}, UnknownKeyError, "did you mean 'ridge'"),
        ({"models": ["ridge", {"family": "ridge"}]}, InputError, "a name of its own"),
    ):
        with pytest.raises(error, match=says):
            StudyMaker(table=str(table), target="Ev", group="name", **more).make()


@pytest.mark.parametrize("model", ["linear", {"family": "linear"}])
def test_a_linear_model_has_a_law_however_it_is_written(tmp_path, model):
    table = tmp_path / "t.csv"
    table.write_text("name,a,Ev\n" + "".join(f"x{n % 3},{n},{2 * n}\n" for n in range(9)))
    study = StudyMaker(table=str(table), target="Ev", group="name", models=[model], folds=3)
    made = study_job.original(study=study.as_dict()).replace
    assert "linear law" in [one.name for one, _ in made.iterflow()]
