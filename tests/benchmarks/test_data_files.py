"""Data of the benchmarks: where they are looked for, and arrays that are kept for the next run."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest


@pytest.fixture
def files(monkeypatch, tmp_path):
    """The module, and a folder with two files."""
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import data_files

    salt = {"Z": [11, 17], "lattice": [[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]}
    with gzip.open(tmp_path / "some.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({**salt, "frac": [[0, 0, 0], [0.5, 0.5, 0.5]]}) + "\n" for _ in range(3))
    (tmp_path / "some.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    return data_files


def test_what_is_there_is_read_and_what_is_not_is_said(files):
    place = files.data("some.jsonl.gz")
    assert len(files.lines(place)) == 3
    (line,) = files.lines(place, 1)
    assert files.atoms_of(line).get_chemical_formula() == "ClNa"
    assert files.table("some.csv.gz") == [{"a": "1", "b": "2"}]
    assert files.data("others") is files.table("others") is None
    assert files.absent("gaps", "eV", quick=True).note == "the data are absent: set ZONEMELT_DATA"


def test_arrays_are_kept_whole(files, tmp_path):
    place = tmp_path / "work" / "features.npz"
    files.keep(place, a=np.arange(3), b=np.eye(2))
    with np.load(place, allow_pickle=False) as found:
        assert found["a"].tolist() == [0, 1, 2]
        assert found["b"].shape == (2, 2)
    assert [one.name for one in place.parent.iterdir()] == [place.name]
