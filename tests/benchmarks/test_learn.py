"""The benchmarks of learning and of potentials say what they lack."""

from __future__ import annotations

from importlib import import_module

import pytest


def test_rows_without_data_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import learn

    rows = learn.rows(True, tmp_path)
    assert len(rows) == len(learn.PARTS)
    assert all(row.ours is None and "absent" in row.note and row.quick for row in rows)


@pytest.mark.parametrize("part", ["training", "mlearn", "acac", "finetune"])
def test_potentials_without_data_say_so(part, monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    rows = list(import_module(f"benchmarks.potentials_{part}").rows(quick=False))
    assert rows
    assert all(row.ours is None and "absent" in row.note for row in rows)
