"""The benchmark of classical models says what it lacks, and measures what it has."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

FORMULAS = ["NaCl", "KCl", "MgO", "CaO", "Fe", "Ni", "GaAs", "InP", "Si", "Ge", "LiF", "CsI"]


@pytest.fixture
def shallow(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import learn_shallow

    return learn_shallow


def test_absent_data_are_said_to_be_absent(shallow):
    found = shallow.rows(True)
    assert len(found) == 5
    assert all(row.ours is None and "absent" in row.note and row.quick for row in found)


def test_a_task_is_measured_beside_its_leaderboard(shallow, tmp_path):
    place = tmp_path / "02_matbench" / "composition"
    place.mkdir(parents=True)
    gaps = np.random.default_rng(0).uniform(0, 5, 60)
    lines = [f"{n},{FORMULAS[n % 12]}{n // 12 + 1},{gap},{n % 5}" for n, gap in enumerate(gaps)]
    text = "\n".join(["mbid,formula,target,fold", *lines])
    (place / "matbench_expt_gap.csv.gz").write_bytes(gzip.compress(text.encode()))
    board = "task,algorithm,mean mae,std mae\nmatbench_expt_gap,Best,0.1,0.01\nmatbench_steels,Best,80,1\n"
    (tmp_path / "02_matbench" / "leaderboard_v0.1.csv").write_text(board)
    models = [{"family": "ridge", "grid": {}}, {"family": "knn", "grid": {}}]
    found = list(
        shallow.matbench_rows(
            "expt_gap", models, unit="eV", limit=9, peer="Best", seeds=2, protocol={"inner": 3}, quick=False
        )
    )
    assert [row.name.split(", ")[-1] for row in found] == ["ridge", "knn", "stacked", "chosen by inner error"]
    assert [row.met for row in found] == [None, None, True, True]
    assert all(row.peer == 0.1 and row.ours > 0 for row in found)
