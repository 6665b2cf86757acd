"""The rows that a network of one outer fold may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.fold_result import rows_tested, split_of_fold


@given(st.lists(st.integers(-1, 2), min_size=12, max_size=40), st.integers(0, 2), st.integers(0, 3))
def test_no_row_is_in_two_parts(folds, fold, seed):
    folds = [*folds, 0, 1, 2, 0, 1, 2]
    parts = split_of_fold(folds, fold, validation=0.3, seed=seed)
    tested = rows_tested(folds, fold)
    together = [*parts["train"], *parts["validation"], *tested]
    assert sorted(together) == [row for row, one in enumerate(folds) if one >= 0]


@pytest.mark.parametrize("fold", [-1, 3])
def test_a_fold_that_nothing_is_tested_in(fold):
    with pytest.raises(InputError, match=f"fold {fold} has no rows"):
        split_of_fold([0, 1, 2, -1], fold)
