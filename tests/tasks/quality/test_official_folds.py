"""Official folds of a benchmark, row by row."""

from __future__ import annotations

import json

import pytest

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.quality.official_folds import folds_of_records, matbench_folds


def splits(path, *tested):
    """A file as matbench has it, with the rows (from 1) that each fold tests."""
    folds = {
        f"fold_{number}": {"train": [], "test": [f"mb-phonons-{row:04d}" for row in rows]}
        for number, rows in enumerate(tested)
    }
    path.write_text(json.dumps({"splits": {"matbench_phonons": folds}}))
    return path


def test_each_row_has_its_fold(tmp_path):
    path = splits(tmp_path / "splits.json", [2, 5], [1], [4, 3])
    folds = matbench_folds(path, "matbench_phonons")
    assert folds == [1, 0, 2, 2, 0]
    names = [f"matbench:matbench_phonons-{row}" for row in (4, 0, 1, 2, 3)]
    assert folds_of_records(folds, names) == [0, 1, 0, 2, 2]


@pytest.mark.parametrize("tested", [([1, 2], [2, 3]), ([1, 2], [4])])
def test_a_row_in_two_folds_or_in_none_is_refused(tested, tmp_path):
    with pytest.raises(InputError, match="in no fold, or in two"):
        matbench_folds(splits(tmp_path / "splits.json", *tested), "matbench_phonons")


def test_what_is_no_file_of_splits_is_refused(tmp_path):
    path = splits(tmp_path / "splits.json", [1])
    with pytest.raises(UnknownKeyError, match="did you mean 'matbench_phonons'"):
        matbench_folds(path, "matbench_phonon")
    path.write_text('{"splits": {"matbench_phonons": []}}')
    with pytest.raises(InputError, match="no file of splits"):
        matbench_folds(path, "matbench_phonons")
    with pytest.raises(InputError, match="no file of splits"):
        matbench_folds(tmp_path / "absent.json", "matbench_phonons")


def test_folds_are_for_all_rows_of_the_table():
    with pytest.raises(InputError, match="1 rows have no record, the first is row 1"):
        folds_of_records([0, 1], ["t-0"])
    with pytest.raises(InputError, match="'t-2' is none of 2 rows"):
        folds_of_records([0, 1], ["t-0", "t-1", "t-2"])
