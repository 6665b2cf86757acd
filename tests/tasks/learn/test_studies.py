"""The two studies, on generated tables with known laws."""

from __future__ import annotations

import numpy as np
import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.studies import (
    VACANCY_COLUMNS,
    hardness_study,
    linear_law,
    table_of_rows,
    vacancy_study,
)


def vacancies(count: int = 90) -> list[dict[str, str]]:
    """Rows as a CSV gives them, with the published kind of law and 0.2 eV of noise."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        bond, potential, gap = (float(v) for v in generator.uniform([8, -4, 0], [20, 2, 6]))
        energy = 0.1 * bond - 1.5 * potential + 0.5 * gap + 0.7 + 0.2 * generator.normal()
        values = [bond, potential, gap, 0.01 * generator.random(), energy]
        named = dict(zip((*VACANCY_COLUMNS, "Ev"), map(str, values), strict=True))
        rows.append({"formula": f"A{number // 3 + 1}O", **named})
    return rows


def test_vacancy_law_is_found_in_its_units():
    rows = vacancies()
    rows[4]["Vr_max"] = ""
    study = vacancy_study(rows, models=["linear"])
    law = linear_law(study.table)
    found = {label: one["value"] for label, one in law["coefficients"].items()}
    assert found["Eb_sum"] == pytest.approx(0.1, abs=0.02)
    assert found["Vr_max"] == pytest.approx(-1.5, abs=0.05)
    assert found["Eg"] == pytest.approx(0.5, abs=0.05)
    assert 0 < law["coefficients"]["Eg"]["std"] < 0.05
    assert law["mae"] < study.summary["models"]["linear"]["mae"]["mean"] < 0.22
    assert [(one.row, one.reason) for one in study.refused] == [(4, "'Vr_max' is no finite number")]
    assert study.summary["unit"] == "eV"
    folds = dict(zip(study.table.groups_N, study.table.folds_N, strict=True))
    assert all(folds[n] == f for n, f in zip(study.table.groups_N, study.table.folds_N, strict=True))


def test_hardness_is_learned_by_support_vectors_under_its_load():
    generator = np.random.default_rng(1)
    rows = []
    for number in range(160):
        a, b, load = generator.normal(), generator.normal(), generator.uniform(0.5, 5)
        hardness = 20 + 5 * a + 3 * np.tanh(2 * b) - 2 * load
        rows.append(
            {"name": f"c{number // 2}", "Hardness": hardness, "Load": load, "a": a, "b": b, "same": 1.0}
        )
    study = hardness_study(rows, models=[{"family": "svr", "grid": {"C": [10.0, 100.0]}}])
    assert study.table.labels == ("Load", "a", "b", "same")
    assert study.summary["models"]["svr"]["r2"] > 0.9
    assert not study.refused


def test_absent_columns_and_empty_tables_are_refused():
    with pytest.raises(InputError, match="no column 'Eg'"):
        vacancy_study([{"formula": "MgO", "Eb_sum": "1", "Vr_max": "1"}])
    with pytest.raises(InputError, match="no rows"):
        hardness_study([])
    with pytest.raises(InputError, match="none of 1 rows is complete"):
        table_of_rows([{"a": "", "y": 1, "g": "x"}], columns=["a"], target="y", unit="", group="g")
