"""Errors are those of the definitions; what cannot be judged is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.evaluation import LARGEST, evaluate

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


def judged(labels, predicted, **more):
    names = [f"r{i}" for i in range(len(labels))]
    elements = [frozenset({"Al"} if i % 2 else {"Al", "O"}) for i in range(len(labels))]
    return evaluate(np.array(labels), np.array(predicted), names_N=names, elements_N=elements, **more)


@settings(max_examples=40)
@given(numbers, st.integers(0, 100))
def test_as_scikit_learn_has_it(labels, seed):
    predicted = np.array(labels) + np.random.default_rng(seed).normal(size=len(labels))
    found = judged(labels, predicted)
    assert found["mae"] == pytest.approx(mean_absolute_error(labels, predicted))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(labels, predicted))
    assert found["mae"] <= found["rmse"] * (1 + 1e-12)
    if np.std(labels) > 1e-3:
        assert found["r2"] == pytest.approx(r2_score(labels, predicted), rel=1e-6)


def test_where_the_errors_are():
    labels, predicted = np.arange(20.0), np.arange(20.0)
    predicted[4] += 3.0
    predicted[7] -= 2.0
    found = judged(labels, predicted)
    assert found["bias"] == pytest.approx(1 / 20)
    assert found["elements"][0] == {"element": "O", "records": 10, "mae": pytest.approx(0.3)}
    assert found["elements"][1] == {"element": "Al", "records": 20, "mae": pytest.approx(0.25)}
    assert [one["record"] for one in found["largest"][:2]] == ["r4", "r7"]
    assert found["largest"][1]["error"] == -2.0
    assert len(found["largest"]) == LARGEST
    assert found["uncertainty"] is None
    assert found["intervals"] is None


def test_deviations_and_intervals_are_judged_too():
    labels = np.linspace(0, 1, 40)
    found = judged(labels, labels + 0.1, deviations_N=np.full(40, 0.11), low_N=labels, high_N=labels + 0.2)
    assert found["uncertainty"]["within_1_sigma"] == 1.0
    assert found["intervals"] == {"held": 1.0, "mean_width": pytest.approx(0.2)}


def test_what_has_no_order_has_no_correlation():
    found = judged([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    assert found["r2"] is None
    assert found["spearman"] is None


@pytest.mark.parametrize(
    ("labels", "predicted", "says"),
    [
        ([], [], "no record has a label"),
        ([1.0, np.nan], [1.0, 1.0], "record r1: the label is nan"),
        ([1.0, 1.0], [np.inf, 1.0], "record r0: the prediction is inf"),
    ],
)
def test_what_cannot_be_judged(labels, predicted, says):
    with pytest.raises(InputError, match=says):
        judged(labels, predicted)
