"""Our results over folds and seeds, beside published ones."""

from __future__ import annotations

import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.leaderboard import CHOSEN, STACKED, summarize

DOUBT = dict.fromkeys(
    ("ence", "miscalibration_area", "sharpness", "spearman", "nll", "coverage", "mean_width"), 0.5
)
PUBLISHED = [{"algorithm": "other", "mae": 2.5, "std": 0.1, "source": "a paper"}]


def result(
    model: str, fold: int, mae: float, *, seed: int | None = 0, inner: float = 1.0, spearman=0.5
) -> dict:
    return {
        "model": model, "family": "ridge", "fold": fold, "seed": seed, "mae": mae, "rmse": mae, "r2": 0.5,
        "inner_mae": inner, "settings": {}, "uncertainty": {**DOUBT, "spearman": spearman},
        "strange_rows": [1], "warnings": {"slow": 2}, "cpu_seconds": 1.5,
    }  # fmt: skip


def test_means_and_spreads_over_folds_and_seeds():
    found = summarize(
        [result("a", f, mae + 0.1 * s, seed=s) for f, mae in ((0, 1.0), (1, 3.0)) for s in (0, 1)],
        task="t", unit="eV", published=PUBLISHED,
    )  # fmt: skip
    one = found["models"]["a"]
    assert one["mae"]["mean"] == pytest.approx(2.05)
    assert one["mae"]["std"] == pytest.approx(1.0)
    assert one["mae"]["folds"] == pytest.approx([1.05, 3.05])
    assert one["mae"]["seed_std"] == pytest.approx(0.1 / 2**0.5)
    assert one["cpu_seconds"] == 6.0
    assert (one["strange_rows"], one["warnings"]) == (4, 8)
    assert [row["algorithm"] for row in found["leaderboard"]] == ["a", "other"]
    assert [row["ours"] for row in found["leaderboard"]] == [True, False]


def test_choice_goes_by_the_inner_error_and_not_by_the_test():
    found = summarize(
        [
            result("a", 0, 9.0, inner=0.1), result("b", 0, 1.0, inner=0.2),
            result("a", 1, 1.0, inner=0.3), result("b", 1, 5.0, inner=0.2, spearman=None),
            result(STACKED, 0, 2.0, inner=0.0), result(STACKED, 1, 2.0, inner=0.0),
        ],
        task="t", unit="eV", published=[],
    )  # fmt: skip
    assert found["models"][CHOSEN]["mae"]["folds"] == [9.0, 5.0]
    assert [one["model"] for one in found["models"][CHOSEN]["chosen"]] == ["a", "b"]
    assert found["models"]["b"]["uncertainty"]["spearman"] is None
    assert found["models"][CHOSEN]["family"] == "several"


def test_a_mean_over_seeds_stands_beside_its_seeds_and_is_not_chosen():
    each = [result("a", fold, 2.0 + fold, seed=seed, inner=0.5) for fold in (0, 1) for seed in (0, 1)]
    mean = [result("mean", fold, 1.0 + fold, seed=None, inner=0.1) for fold in (0, 1)]
    other = [result("b", fold, 9.0, seed=seed, inner=0.9) for fold in (0, 1) for seed in (0, 1)]
    found = summarize([*each, *mean, *other], task="t", unit="eV", published=[])
    assert found["seeds"] == [0, 1]
    assert found["models"]["mean"]["mae"]["folds"] == [1.0, 2.0]
    assert found["models"]["mean"]["mae"]["seed_std"] is None
    assert {one["model"] for one in found["models"][CHOSEN]["chosen"]} == {"a"}
    with pytest.raises(InputError, match="'mean' has no result of fold 1 with seed None"):
        summarize([*each, mean[0]], task="t", unit="eV", published=[])


def test_half_a_comparison_is_refused():
    whole = [result("a", 0, 1.0), result("a", 1, 1.0)]
    with pytest.raises(InputError, match="'b' has no result of fold 1"):
        summarize([*whole, result("b", 0, 1.0)], task="t", unit="eV", published=[])
    with pytest.raises(InputError, match="no results"):
        summarize([], task="t", unit="eV", published=[])
    with pytest.raises(InputError, match="source of each number"):
        summarize(whole, task="t", unit="eV", published=[{"algorithm": "x", "mae": 1.0}])


def test_two_results_of_one_model_are_refused_and_not_one_of_them_dropped():
    with pytest.raises(InputError, match="'a' has two results of fold 0 with seed 0"):
        summarize([result("a", 0, 1.0), result("a", 0, 2.0)], task="t", unit="eV", published=[])
