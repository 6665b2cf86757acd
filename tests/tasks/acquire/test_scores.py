"""Scores for finding the best, against numerical integration and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from zonemelt.tasks.acquire.scores import (
    confidence_bound,
    distances,
    expected_improvement,
    limit_of_best,
    probability_beyond,
    probability_of_best,
)

NUMBERS = st.floats(-3, 3)


@settings(max_examples=25)
@given(mean=NUMBERS, deviation=st.floats(0.05, 2), best=NUMBERS, sign=st.sampled_from([-1, 1]))
def test_expected_improvement_is_the_integral(mean, deviation, best, sign):
    found = expected_improvement(np.array([mean]), np.array([deviation]), best=best, sign=sign)[0]
    least, most = mean - 12 * deviation, mean + 12 * deviation  # all there is, so that no peak is missed
    ends = (least, max(least, min(best, most))) if sign < 0 else (min(most, max(best, least)), most)
    wanted = quad(lambda x: sign * (x - best) * norm.pdf(x, mean, deviation), *ends, points=[mean])[0]
    assert found == pytest.approx(wanted, abs=1e-7)


@settings(max_examples=25)
@given(mean=NUMBERS, deviation=st.floats(0.05, 2), limit=NUMBERS, sign=st.sampled_from([-1, 1]))
def test_probability_is_that_of_the_normal_distribution(mean, deviation, limit, sign):
    found = probability_beyond(np.array([mean]), np.array([deviation]), limit=limit, sign=sign)[0]
    below = norm.cdf(limit, mean, deviation)
    assert found == pytest.approx(below if sign < 0 else 1 - below, abs=1e-12)


def test_what_is_certain_is_not_guessed():
    mean, none = np.array([-1.0, 0.0, 1.0]), np.zeros(3)
    assert probability_beyond(mean, none, limit=0.0).tolist() == [1.0, 0.5, 0.0]
    assert expected_improvement(mean, none, best=0.0).tolist() == [1.0, 0.0, 0.0]
    assert confidence_bound(mean, none, sign=1).tolist() == mean.tolist()


def test_a_deviation_that_is_no_number_is_not_taken_for_certainty():
    mean, lost = np.array([-1.0, 1.0]), np.full(2, np.nan)
    assert np.isnan(probability_beyond(mean, lost, limit=0.0)).all()
    assert np.isnan(expected_improvement(mean, lost, best=0.0)).all()
    assert np.isnan(confidence_bound(mean, lost)).all()


def test_bounds_are_optimistic():
    bound = confidence_bound(np.array([1.0, 2.0]), np.array([0.5, 2.0]), beta=2.0)
    assert bound.tolist() == [0.0, 2.0]


def test_limit_of_the_best_counts_labels_and_candidates_together():
    mean, labels = np.array([3.0, 1.0, 5.0]), np.array([0.0, 4.0])
    assert limit_of_best(mean, labels, fraction=0.4) == 1.0
    assert limit_of_best(mean, labels, fraction=0.4, sign=1) == 4.0
    likely = probability_of_best(mean, np.full(3, 1e-3), labels, fraction=0.4)
    assert likely == pytest.approx([0.0, 0.5, 0.0])


def test_one_mean_that_is_no_number_does_not_spoil_the_others():
    mean, deviation = np.array([3.0, np.nan, 1.0]), np.full(3, 1e-3)
    likely = probability_of_best(mean, deviation, np.array([4.0]), fraction=0.25)
    assert likely[[0, 2]] == pytest.approx([0.0, 0.5])
    assert np.isnan(likely[1])
    assert np.isnan(limit_of_best(np.array([np.nan]), np.empty(0), fraction=0.5))


def test_distance_is_to_the_nearest():
    known = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert distances(np.array([[0.0, 1.0], [3.0, 0.0]]), known) == pytest.approx([1.0, 3.0])
    assert np.isinf(distances(known, known[:0])).all()
