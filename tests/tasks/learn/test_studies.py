"""Studies of tables with known laws."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from studies_for_tests import VACANCIES, vacancies

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.studies import compare, linear_law, rows_of_csv, table_of_rows


def test_the_law_is_found_in_its_units():
    rows = vacancies()
    rows[4]["Vr_max"] = ""
    document, refused = table_of_rows(rows, **VACANCIES)
    table = PropertyTable.of(document)
    law = linear_law(table)
    found = {label: one["value"] for label, one in law["coefficients"].items()}
    assert found["Eb_sum"] == pytest.approx(0.1, abs=0.02)
    assert found["Vr_max"] == pytest.approx(-1.5, abs=0.05)
    assert found["Eg"] == pytest.approx(0.5, abs=0.05)
    assert 0 < law["coefficients"]["Eg"]["std"] < 0.05
    summary, _ = compare(table, ["linear"], task="vacancies", protocols=[Protocol()])
    assert law["mae"] < summary["models"]["linear"]["mae"]["mean"] < 0.22
    assert [(one.row, one.reason) for one in refused] == [(4, "'Vr_max' is no finite number")]
    folds = dict(zip(table.groups_N, table.folds_N, strict=True))
    assert all(folds[name] == fold for name, fold in zip(table.groups_N, table.folds_N, strict=True))


def test_all_other_columns_are_features_and_support_vectors_learn_from_them():
    generator = np.random.default_rng(1)
    rows = []
    for number in range(160):
        a, b, load = generator.normal(), generator.normal(), generator.uniform(0.5, 5)
        hardness = 20 + 5 * a + 3 * np.tanh(2 * b) - 2 * load
        rows.append(
            {"name": f"c{number // 2}", "Hardness": hardness, "Load": load, "a": a, "b": b, "same": 1.0}
        )
    document, refused = table_of_rows(rows, target="Hardness", unit="GPa", group="name")
    assert document["labels"] == ["Load", "a", "b", "same"]
    assert not refused
    models = [{"family": "svr", "grid": {"C": [10.0, 100.0]}}]
    summary, _ = compare(PropertyTable.of(document), models, task="hardness", protocols=[Protocol()])
    assert summary["models"]["svr"]["r2"] > 0.9


def test_tables_are_read_and_absent_columns_named(tmp_path):
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_text("a,y,g\n,1,x\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert rows_of_csv(plain) == rows_of_csv(packed) == [{"a": "", "y": "1", "g": "x"}]
    plain.write_text("a,y,g\n,1,x\n", encoding="utf-8-sig")  # as spreadsheets write it
    assert rows_of_csv(plain) == [{"a": "", "y": "1", "g": "x"}]
    with pytest.raises(UnknownKeyError, match="did you mean 'y'"):
        table_of_rows(rows_of_csv(plain), target="yy", unit="", group="g")
    with pytest.raises(InputError, match="none of 1 rows is complete"):
        table_of_rows(rows_of_csv(plain), target="y", unit="", group="g")
    plain.write_text("a,y\n")
    with pytest.raises(InputError, match="no rows"):
        rows_of_csv(plain)
    (tmp_path / "torn.csv.gz").write_bytes(packed.read_bytes()[:10] + b"\xff" * 20)
    for path in (tmp_path / "absent.csv", tmp_path, tmp_path / "torn.csv.gz"):
        with pytest.raises(InputError, match="cannot be read"):
            rows_of_csv(path)


def test_models_of_one_name_are_refused_before_anything_is_fitted(monkeypatch):
    monkeypatch.setattr("zonemelt.tasks.learn.studies.evaluate_fold", None)
    table = PropertyTable.of(table_of_rows(vacancies(), **VACANCIES)[0])
    models = ["ridge", {"family": "ridge", "grid": {"alpha": [1.0]}}]
    with pytest.raises(InputError, match="a name of its own"):
        compare(table, models, task="vacancies", protocols=[Protocol()])
