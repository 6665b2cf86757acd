"""Calibration and intervals on errors whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.said import Said, of_all_members
from zonemelt.tasks.train.uncertainty import uncertainty_of


def parts(*, claimed=1.0, sizes=(400, 3000), skewed=False, lean=None, own=True):
    """What is said of samples with known deviations, and their labels."""
    generator = np.random.default_rng(1)
    said, labels = {}, {}
    for part, size in zip(("validation", "test"), sizes, strict=False):
        deviation = generator.uniform(0.2, 1.0, (size, 1))
        noise = (
            generator.exponential(size=(size, 1)) - np.log(2) if skewed else generator.normal(size=(size, 1))
        )
        mean = generator.normal(size=(size, 1))
        labels[part] = mean + deviation * noise
        said[part] = Said(
            mean_NP=mean,
            deviation_NP=claimed * deviation if own else None,
            lean_NP=None if lean is None else np.full((size, 1), lean),
        )
    return said, labels


@pytest.mark.parametrize("kind", ["scale", "isotonic"])
def test_deviations_that_claim_too_little_are_mended(kind):
    said, labels = parts(claimed=0.4)
    found = uncertainty_of(said, labels, ["y"], recalibration=kind)["y"]
    assert found.report.part == "test"
    assert found.report.samples == 3000
    assert found.report.raw["miscalibration_area"] > 0.15
    assert found.report.calibrated["miscalibration_area"] < 0.03
    assert found.report.calibrated["ence"] < 0.15 < found.report.raw["ence"]
    deviations = found.calibration.deviation(np.array([0.4 * 0.3, 0.4 * 0.9]))
    assert deviations == pytest.approx([0.3, 0.9], rel=0.25 if kind == "isotonic" else 0.1)


@pytest.mark.parametrize("own", [True, False])
def test_intervals_hold_what_they_promise(own):
    said, labels = parts(claimed=7.0, own=own, sizes=(3000, 3000))
    report = uncertainty_of(said, labels, ["y"])["y"].report
    for promised, held in report.coverage.items():
        assert held == pytest.approx(float(promised), abs=0.04)
    assert set(report.coverage) == {"0.5", "0.68", "0.8", "0.9", "0.95"}
    for name in ("spearman", "ence"):  # what is the same for all can neither be ordered nor binned
        assert (report.calibrated[name] is None) == (not own)


def test_without_a_test_part_validation_is_judged_in_turn():
    said, labels = parts(sizes=(500,))
    report = uncertainty_of(said, labels, ["y"])["y"].report
    assert report.part == "validation"
    assert report.samples == 500
    assert report.coverage["0.9"] == pytest.approx(0.9, abs=0.04)


def test_intervals_that_lean_with_the_labels_are_shorter():
    said, labels = parts(skewed=True)
    leaning, labels_too = parts(skewed=True, lean=0.5)
    straight = uncertainty_of(said, labels, ["y"])["y"].report
    leant = uncertainty_of(leaning, labels_too, ["y"])["y"].report
    assert leant.coverage["0.9"] == pytest.approx(0.9, abs=0.04)
    assert leant.width["0.9"] < 0.9 * straight.width["0.9"]


def test_what_cannot_be_promised_is_not():
    said, labels = parts(sizes=(40, 40))
    labels["validation"][::5] = np.nan
    calibration = uncertainty_of(said, labels, ["y"])["y"].calibration
    assert calibration.samples == 32
    assert len(calibration.factors) == 96  # 32 of 33
    with pytest.raises(InputError, match=r"32 samples .* cannot promise a coverage of 0.98"):
        calibration.sides(np.ones(3), None, coverage=0.98)
    with pytest.raises(InputError, match="a coverage of 1"):
        calibration.sides(np.ones(3), None, coverage=1.0)
    exact = {part: each.mean_NP.copy() for part, each in said.items()}
    exact["validation"][:8] += 1.0  # 8 of 40 may all be in the fold that is left out
    assert uncertainty_of(said, exact, ["y"]) == {}
    labels["validation"][9:] = np.nan
    assert uncertainty_of(said, labels, ["y"]) == {}


def test_variances_of_members_add_up_to_that_of_their_mixture():
    generator = np.random.default_rng(0)
    means, deviations = generator.normal(size=(3, 4, 2)), generator.uniform(0.5, 2, (3, 4, 2))
    pairs = zip(means, deviations, strict=True)
    together = of_all_members([Said(mean_NP=m, deviation_NP=d) for m, d in pairs])
    second_moment = (deviations**2 + means**2).mean(axis=0)
    np.testing.assert_allclose(together.mean_NP, means.mean(axis=0))
    np.testing.assert_allclose(together.deviation_NP**2, second_moment - means.mean(axis=0) ** 2)
    points = of_all_members([Said(mean_NP=m) for m in means])
    np.testing.assert_allclose(points.deviation_NP, means.std(axis=0))
    assert of_all_members([Said(mean_NP=means[0])]).deviation_NP is None


def test_members_that_agree_lean_as_they_do_and_others_less():
    one = Said(mean_NP=np.zeros((1, 1)), deviation_NP=np.ones((1, 1)), lean_NP=np.full((1, 1), 0.6))
    far = Said(mean_NP=np.full((1, 1), 4.0), deviation_NP=np.ones((1, 1)), lean_NP=np.full((1, 1), 0.6))
    assert of_all_members([one, one]).lean_NP.item() == pytest.approx(0.6)
    assert of_all_members([one, far]).lean_NP.item() == pytest.approx(0.6 / np.sqrt(5))
