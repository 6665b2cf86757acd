"""Errors that signals tell of are learned, and an affine map survives what ruins a factor."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.calibration import ence, miscalibration_area
from zonemelt.tasks.metrics.error_model import FEWEST, fit, forest_signals
from zonemelt.tasks.metrics.recalibration import LEAST, recalibrate


def drawn(count, seed):
    """Errors whose width depends on one signal in a way that is not monotone; the other says nothing."""
    generator = np.random.default_rng(seed)
    signals = generator.uniform(-1, 1, (count, 2))
    width = 0.1 + signals[:, 0] ** 2
    return signals, width, width * generator.normal(size=count)


def test_width_that_is_not_monotone_is_learned():
    signals, _, errors = drawn(1500, 0)
    model = fit(errors, signals)
    new, width, new_errors = drawn(1500, 1)
    found = model(new)
    assert np.corrcoef(np.log(found), np.log(width))[0, 1] > 0.9
    assert miscalibration_area(new_errors, found) < 0.05
    assert ence(new_errors, found) < 0.2
    assert np.array_equal(found, fit(errors, signals)(new))


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_hold_what_they_promise_where_errors_are_not_gaussian(coverage):
    signals, width, _ = drawn(2000, 4)
    errors = width * np.random.default_rng(5).standard_t(3, size=2000)
    model = fit(errors[:1000], signals[:1000])
    new, new_errors = signals[1000:], errors[1000:]
    within = np.abs(new_errors) <= model.widths(new, coverage=coverage)
    assert within.mean() == pytest.approx(coverage, abs=0.04)
    own = miscalibration_area(new_errors, model(new), model.scores_N)
    assert own < 0.03
    assert own < miscalibration_area(new_errors, model(new))


def test_errors_in_another_unit_have_deviations_in_it():
    signals, _, errors = drawn(200, 2)
    assert fit(1000 * errors, signals)(signals) == pytest.approx(
        1000 * fit(errors, signals)(signals), rel=1e-6
    )


def test_nothing_is_certain():
    signals, _, errors = drawn(200, 3)
    errors[signals[:, 0] > 0] = 0.0
    assert fit(errors, signals)(signals).min() > 0


def test_signals_of_a_forest_are_finite_and_the_training_rows_are_near():
    generator = np.random.default_rng(0)
    features = np.column_stack([generator.normal(size=(80, 2)), np.ones(80)])
    labels = features[:, 0] ** 2
    forest = ExtraTreesRegressor(10, random_state=0).fit(features[:60], labels[:60])
    found = forest_signals(forest, features[:60], labels[:60], features)
    assert found.shape == (80, 9)
    assert np.isfinite(found).all()
    assert found[:60, 5].max() < found[60:, 5].min()  # the distance to the nearest
    assert found[:, 0] == pytest.approx(forest.predict(features))


@pytest.mark.parametrize(
    ("errors", "signals", "words"),
    [
        (np.ones(FEWEST - 1), np.ones((FEWEST - 1, 1)), "give 50 or more"),
        (np.ones(60), np.ones((59, 1)), "59 rows of signals"),
        (np.zeros(60), np.ones((60, 1)), "all zero"),
        (np.full(60, np.nan), np.ones((60, 1)), "numbers that are none"),
    ],
)
def test_bad_input_is_told(errors, signals, words):
    with pytest.raises(InputError, match=words):
        fit(errors, signals)


def test_affine_map_survives_rows_that_agree_and_are_wrong():
    generator = np.random.default_rng(0)
    claimed = generator.uniform(0.5, 2.0, 600)
    claimed[::30] = 0.001  # trees that agree
    errors = np.sqrt(0.3**2 + claimed**2) * generator.normal(size=600)
    old, new = slice(0, 300), slice(300, 600)

    def area(kind):
        return miscalibration_area(
            errors[new], recalibrate(errors[old], claimed[old], kind=kind)(claimed[new])
        )

    assert area("affine") < 0.05
    assert area("scale") > 0.3


def test_affine_map_finds_its_two_numbers_and_never_falls():
    generator = np.random.default_rng(1)
    claimed = generator.uniform(0.0, 3.0, 4000) + 1e-6
    errors = np.sqrt(0.4**2 + 0.5**2 * claimed**2) * generator.normal(size=4000)
    found = recalibrate(errors, claimed, kind="affine")
    assert found.deviations_K == (0.0, 1.0)
    assert found(np.array([0.0]))[0] == pytest.approx(0.4, abs=0.04)
    assert found(np.array([1e4]))[0] / 1e4 == pytest.approx(0.5, abs=0.03)
    assert (np.diff(found(np.linspace(0, 5, 50))) >= 0).all()
    none = recalibrate(generator.normal(size=200) * 1e-3, np.full(200, 2.0), kind="affine")
    assert none(np.array([0.0]))[0] >= LEAST * 1e-3 * 0.9
