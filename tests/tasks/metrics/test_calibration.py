"""Metrics of predicted deviations, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.calibration import (
    coverage,
    ence,
    judge_deviations,
    miscalibration_area,
    negative_log_likelihood,
    rank_correlation,
    sharpness,
)
from zonemelt.tasks.metrics.deviations import floored
from zonemelt.tasks.metrics.recalibration import conformal_factor, recalibrate


def gaussian(count: int, seed: int = 0, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors drawn with known u, and those u times a factor."""
    generator = np.random.default_rng(seed)
    deviations_N = generator.uniform(0.1, 2.0, count)
    return deviations_N * generator.standard_normal(count), factor * deviations_N


def test_right_deviations_of_a_gaussian_are_found_right():
    found = judge_deviations(*gaussian(200_000))
    assert found["miscalibration_area"] < 0.003
    assert found["ence"] < 0.01
    assert found["within_1_sigma"] == pytest.approx(0.6827, abs=0.004)
    assert found["within_2_sigma"] == pytest.approx(0.9545, abs=0.003)
    assert found["sharpness"] == pytest.approx(np.sqrt((2**3 - 0.1**3) / 3 / 1.9), rel=0.01)
    assert 0.3 < found["spearman"] < 0.6


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_wrong_deviations_have_the_area_and_ence_of_theory(factor):
    errors_N, deviations_N = gaussian(200_000, factor=factor)
    p = np.linspace(0, 1, 20_001)[1:-1]
    observed = 2 * norm.cdf(factor * norm.ppf((1 + p) / 2)) - 1
    assert miscalibration_area(errors_N, deviations_N) == pytest.approx(np.abs(observed - p).mean(), abs=3e-3)
    assert ence(errors_N, deviations_N) == pytest.approx(abs(1 - 1 / factor), rel=0.02)


def test_area_is_exact_for_a_handful():
    """Two labels, at the 25 % and the 75 % interval: triangles of side 1/4."""
    errors_N = norm.ppf((1 + np.array([0.25, 0.75])) / 2)
    assert miscalibration_area(errors_N, np.ones(2)) == pytest.approx(4 * 0.25**2 / 2)
    assert miscalibration_area(np.zeros(3), np.ones(3)) == pytest.approx(0.5)
    assert miscalibration_area(np.full(3, 1e9), np.ones(3)) == pytest.approx(0.5)


def test_likelihood_is_that_of_scipy():
    errors_N, deviations_N = gaussian(50)
    expected = -norm.logpdf(errors_N, scale=deviations_N).mean()
    assert negative_log_likelihood(errors_N, deviations_N) == pytest.approx(expected)


def test_order_of_errors_is_seen_and_constant_deviations_have_none():
    errors_N = np.array([0.1, -0.2, 0.3, -0.4])
    assert rank_correlation(errors_N, np.abs(errors_N)) == pytest.approx(1.0)
    assert rank_correlation(errors_N, 1 / np.abs(errors_N)) == pytest.approx(-1.0)
    assert rank_correlation(errors_N, np.ones(4)) is None
    assert ence(errors_N, np.ones(4)) is None


def test_what_cannot_be_judged_is_named():
    with pytest.raises(InputError, match="prediction 1"):
        ence(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="prediction 0"):
        coverage(np.array([np.nan]), np.ones(1))
    with pytest.raises(InputError, match="shape"):
        miscalibration_area(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="shape"):
        sharpness(np.array([]))


@settings(max_examples=30)
@given(st.integers(1, 40), st.floats(0.01, 100))
def test_metrics_know_no_unit(seed, unit):
    one, other = judge_deviations(*gaussian(60, seed)), judge_deviations(
        *(unit * values for values in gaussian(60, seed))
    )  # fmt: skip
    for name in ("ence", "miscalibration_area", "spearman", "within_1_sigma"):
        assert one[name] == pytest.approx(other[name])
    assert other["sharpness"] == pytest.approx(unit * one["sharpness"])
    assert 0 <= one["miscalibration_area"] <= 0.5


def test_scale_repairs_a_factor_and_isotonic_a_distortion():
    errors_N, deviations_N = gaussian(4000, factor=0.2)
    new_N, same_N = gaussian(4000, seed=1, factor=0.2)
    scaled = recalibrate(errors_N, deviations_N)
    assert scaled.calibrated_K[0] == pytest.approx(5, rel=0.05)
    assert miscalibration_area(new_N, scaled(same_N)) < 0.02
    bent = recalibrate(errors_N, deviations_N**3, kind="isotonic")
    only_scaled = recalibrate(errors_N, deviations_N**3)
    assert ence(new_N, bent(same_N**3)) < 0.1 < 0.5 * ence(new_N, only_scaled(same_N**3))
    assert (np.diff(bent.calibrated_K) >= 0).all()
    exact = recalibrate(
        np.r_[np.zeros(50), np.ones(50)], np.r_[np.ones(50), np.full(50, 2.0)], kind="isotonic"
    )
    assert exact(np.array([0.5, 3.0])).tolist() == pytest.approx([0.05 * 0.5**0.5, 1.0])
    with pytest.raises(InputError, match="isotonic"):
        recalibrate(errors_N, deviations_N, kind="isotonik")
    with pytest.raises(InputError, match="zero"):
        recalibrate(np.zeros(3), np.ones(3))


def test_conformal_intervals_hold_what_they_promise_for_any_errors():
    """Skewed errors and useless u: averaged over calibration sets the coverage is k/(n + 1) exactly."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(2000):
        errors_N, deviations_N = generator.exponential(size=40), generator.uniform(0.5, 1.5, 40)
        factor = conformal_factor(errors_N[:39], deviations_N[:39], coverage=0.9)
        held.append(abs(errors_N[39]) <= factor * deviations_N[39])
    assert np.mean(held) == pytest.approx(36 / 40, abs=0.02)


def test_conformal_takes_the_right_error_and_refuses_too_few():
    assert conformal_factor(np.arange(1.0, 10.0), np.ones(9), coverage=0.9) == 9.0
    assert conformal_factor(np.arange(1.0, 10.0), np.full(9, 2.0), coverage=0.5) == 2.5
    with pytest.raises(InputError, match="give 9 data or more"):
        conformal_factor(np.ones(8), np.ones(8), coverage=0.9)
    with pytest.raises(InputError, match="probability"):
        conformal_factor(np.ones(8), np.ones(8), coverage=90)


def test_deviations_are_never_zero():
    errors = np.array([1.0, -1.0])
    assert floored(np.array([0.0, 3.0]), errors, size=2).tolist() == [0.02, 3.0]
    assert floored(None, errors, size=3).tolist() == [1.0, 1.0, 1.0]
    assert floored(None, np.zeros(2), size=1).item() > 0
