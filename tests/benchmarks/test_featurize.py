"""The benchmark of graphs and shards says what it lacks."""

from __future__ import annotations

import pytest


@pytest.fixture
def featurize(monkeypatch, tmp_path):
    """The benchmark, where there are no data."""
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import featurize

    return featurize


@pytest.mark.parametrize("name", ["graphs", "shards"])
def test_rows_without_data_say_so(featurize, name):
    rows = featurize.group_rows(name, quick=True, million=False)
    assert rows
    assert all(row.ours is None and "absent" in row.note and row.quick for row in rows)
