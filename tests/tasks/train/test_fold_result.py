"""The rows that a network of one outer fold may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.fold_result import mean_of_seeds, rows_tested, split_of_fold


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


def result(seed, mean, deviation, **changes):
    """What a network with a seed says of three rows of fold 1, whose labels are 0."""
    said = {"rows": [3, 4, 5], "true": [0.0] * 3, "mean": mean, "deviation": deviation, "width": [1.0] * 3}
    return {
        "model": "net", "family": "cogn", "fold": 1, "seed": seed, "predictions": said,
        "folder": f"/net-{seed}",
        "inner_mae": 0.1 * seed, "strange_rows": [4], "cpu_seconds": 2.0, **changes,
    }  # fmt: skip


def test_the_mean_over_seeds_is_their_mixture():
    one, other = result(1, [1.0, 2.0, -1.0], [0.5] * 3), result(2, [3.0, 2.0, 1.0], [0.1] * 3)
    found = mean_of_seeds([one, other])
    own = (0.5**2 + 0.1**2) / 2
    assert found["predictions"]["mean"] == [2.0, 2.0, 0.0]
    assert found["predictions"]["deviation"] == pytest.approx([(1 + own) ** 0.5, own**0.5, (1 + own) ** 0.5])
    assert found["predictions"]["width"] is None  # no row is left to promise anything by
    assert (found["mae"], found["rmse"], found["r2"]) == (4 / 3, pytest.approx((8 / 3) ** 0.5), None)
    assert (found["model"], found["seed"]) == ("net, mean of 2 seeds", None)
    assert (found["inner_mae"], found["cpu_seconds"]) == (pytest.approx(0.15), 4.0)
    assert found["uncertainty"]["coverage"] is None
    assert found["uncertainty"]["sharpness"] == pytest.approx(((2 + 3 * own) / 3) ** 0.5)


def test_a_mean_over_seeds_needs_no_deviations_and_the_same_rows():
    points = [result(seed, [float(seed)] * 3, None, inner_mae=None) for seed in (1, 3)]
    found = mean_of_seeds(points)
    assert found["predictions"]["deviation"] == [1.0] * 3
    assert found["inner_mae"] is None
    for others in (points[:1], [points[0], points[1] | {"fold": 2}], [points[0], points[1] | {"model": "x"}]):
        with pytest.raises(InputError, match=r"results, or of several models or folds"):
            mean_of_seeds(others)
