"""The benchmarks of learning say what they lack."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_rows_without_data_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import learn

    rows = learn.rows(True, tmp_path)
    assert len(rows) == len(learn.PARTS)
    assert all(row.ours is None and "absent" in row.note and row.quick for row in rows)


def test_potentials_without_data_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import potentials_mlearn

    rows = list(potentials_mlearn.rows(quick=False))
    assert len(rows) == len(potentials_mlearn.PUBLISHED)
    assert all(row.ours is None and "absent" in row.note for row in rows)
