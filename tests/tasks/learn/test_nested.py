"""Nested cross-validation never looks at the outer test rows, and calibrates what it says of them."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from tables_for_tests import document

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.nested import Protocol, evaluate_fold, inner_splits, told
from zonemelt.tasks.learn.property_table import PropertyTable, grouped_folds
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.learn.stacking import stack_fold, weights_of

SMALL = Protocol(inner=3)
TREES = {"family": "extra_trees", "settings": {"n_estimators": 15}, "grid": {"centre": ["mean", "median"]}}
KNN = {"family": "knn", "grid": {"n_neighbors": [1]}}


def run(model, given=None, fold=0, protocol=SMALL, **changes):
    table = PropertyTable.of({**(document() if given is None else given), **changes})
    return evaluate_fold(table, ModelSpec.of(model), fold=fold, protocol=protocol)


@pytest.mark.parametrize("model", ["lasso", "svr", TREES])
def test_nothing_of_the_test_rows_reaches_the_model(model):
    given = document()
    test = np.flatnonzero(given["folds"] == 0)
    honest = run(model, given)
    wrong_labels = given["target"].copy()
    wrong_labels[test] = 1e6
    blind = run(model, given, target=wrong_labels)
    for key in ("settings", "inner_mae", "tried", "predictions", "left_out"):
        assert blind[key] == honest[key]
    assert blind["mae"] > 1e5
    far = given["values"].copy()
    far[test[0]] = 1e6
    scaled = run(model, given, values=far)
    assert scaled["left_out"] == honest["left_out"]
    assert scaled["predictions"]["mean"][1:] == honest["predictions"]["mean"][1:]
    assert scaled["predictions"]["width"][1:] == honest["predictions"]["width"][1:]


def test_noise_is_not_learned_by_choosing():
    """120 columns of noise: choosing columns or widths on all rows would find a law in them."""
    generator = np.random.default_rng(3)
    given = {
        "values": generator.normal(size=(60, 120)), "labels": [str(n) for n in range(120)],
        "target": generator.normal(size=60), "folds": np.arange(60) % 3, "unit": "eV",
    }  # fmt: skip
    for fold in range(3):
        found = run({"family": "lasso", "grid": {"alpha": [0.1, 0.3, 1.0]}}, given, fold=fold)
        table = PropertyTable.of(given)
        train, _ = table.parts(fold)
        known = np.abs(table.target_N[train] - table.target_N[train].mean()).mean()
        assert found["inner_mae"] > 0.85 * known
        assert found["r2"] < 0.2


def test_groups_are_whole_inside_too():
    """A column that names the group tells everything of the others of it, and nothing of another group."""
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 4)
    given = {
        "values": groups[:, None] + 0.0, "labels": ["group"], "target": generator.normal(size=24)[groups],
        "folds": grouped_folds(groups.astype(str), folds=3, seed=0), "unit": "eV",
    }  # fmt: skip
    assert run(KNN, given)["inner_mae"] < 0.1
    assert run(KNN, given, groups=groups.astype(str))["inner_mae"] > 0.5
    table = PropertyTable.of({**given, "groups": groups.astype(str)})
    train, test = table.parts(0)
    for fit, held in inner_splits(table, train, protocol=SMALL):
        assert not set(groups[train[fit]]) & set(groups[train[held]])
    assert not set(groups[train]) & set(groups[test])


def test_result_is_json_and_repeatable():
    found = run(TREES, protocol=Protocol(inner=3, importance=2))
    assert {**run(TREES, protocol=Protocol(inner=3, importance=2)), "cpu_seconds": 0} == {
        **found, "cpu_seconds": 0,
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found
    assert [one["column"] for one in found["importance"][:2]] == ["column 0", "column 1"]
    assert found["fits"] == 3 * (2 + 1) + 1
    other = run(TREES, protocol=Protocol(inner=3, seed=1))
    assert other["predictions"]["mean"] != found["predictions"]["mean"]


def test_intervals_hold_about_what_they_promise():
    given = document(rows=600, noise=1.0)
    found = run("ridge", given, protocol=Protocol(inner=5, coverage=0.8))["uncertainty"]
    assert found["coverage"] == pytest.approx(0.8, abs=0.07)
    assert found["miscalibration_area"] < 0.05
    trees = run(TREES, given)["uncertainty"]
    assert trees["miscalibration_area"] < trees["raw"]["miscalibration_area"] + 0.02
    assert trees["coverage"] == pytest.approx(0.9, abs=0.07)


def test_predictions_stay_within_what_the_property_can_be():
    given = document()
    given["target"] = np.maximum(given["target"], 0.0)
    assert min(run("linear", given)["predictions"]["mean"]) < 0
    found = run("linear", given, bounds=[0.0, None])
    assert min(found["predictions"]["mean"]) == 0.0
    assert min(found["left_out"]["mean"]) == 0.0


def test_blocks_choose_columns():
    good = run({"family": "ridge", "blocks": ["first"]})
    bad = run({"family": "ridge", "blocks": ["rest"]})
    assert good["r2"] > 0.5 > bad["r2"]
    with pytest.raises(InputError, match="did you mean 'rest'"):
        run({"family": "ridge", "blocks": ["rset"]})


def test_rows_with_what_no_training_row_has_are_named():
    given = document()
    strange = np.zeros((60, 1))
    strange[3] = 1.0
    given |= {"values": np.hstack([given["values"], strange]), "labels": [*given["labels"], "fraction U"]}
    assert run("ridge", given)["strange_rows"] == [3]
    assert run("ridge", given, fold=1)["strange_rows"] == []


def test_gaps_are_refused_or_filled():
    values = document()["values"]
    values[7, 1] = np.nan
    with pytest.raises(InputError, match=r"row 7: 'column 1' is not known"):
        run("ridge", values=values)
    assert run({"family": "ridge", "missing": "median"}, values=values)["mae"] < 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": np.full(60, 2.0)}, "same in all training rows"),
        ({"target": np.r_[np.nan, np.zeros(59)]}, "row 0: the label is nan"),
        ({"target": np.zeros(59)}, "59 labels"),
        ({"values": np.full((60, 4), np.inf)}, "infinite"),
        ({"values": np.ones((60, 4))}, "no column varies"),
        ({"labels": ["a"]}, "4 columns with 1 names"),
        ({"folds": np.zeros(60)}, "one fold"),
        ({"groups": ["a"] * 60}, "group 'a' are in several folds"),
        ({"fold": []}, "did you mean 'folds'"),
    ],
)
def test_bad_tables_are_refused(changes, told):
    with pytest.raises(InputError, match=told):
        run("ridge", {**document(), **changes})


def test_absent_folds_and_too_many_inner_ones_are_refused():
    with pytest.raises(InputError, match="there are folds 0, 1, 2"):
        run("ridge", fold=3)
    with pytest.raises(InputError, match="inner folds"):
        run("ridge", protocol=Protocol(inner=41))
    with pytest.raises(InputError, match="fewer folds"):
        grouped_folds(["a", "b"], folds=3, seed=0)


def test_weights_are_those_of_the_least_absolute_error():
    generator = np.random.default_rng(0)
    true = generator.normal(size=200)
    good, bad = true + 0.1 * generator.normal(size=200), generator.normal(size=200)
    weights = weights_of(true, np.array([good, bad]))
    tried = np.linspace(0, 1, 1001)
    errors = [np.abs(w * good + (1 - w) * bad - true).mean() for w in tried]
    assert weights[0] == pytest.approx(tried[np.argmin(errors)], abs=2e-3)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0


def test_stack_takes_its_weights_from_training_rows_only():
    given = document()
    table = PropertyTable.of(given)
    found = [evaluate_fold(table, ModelSpec.of(m), fold=0, protocol=SMALL) for m in ("ridge", "svr")]
    stack = stack_fold(table, found, coverage=0.9)
    assert stack["inner_mae"] <= min(one["inner_mae"] for one in found) + 1e-9
    given["target"][given["folds"] == 0] = 99.0
    blind = stack_fold(PropertyTable.of(given), found, coverage=0.9)
    assert blind["settings"] == stack["settings"]
    assert blind["predictions"] == stack["predictions"]
    with pytest.raises(InputError, match="several folds"):
        stack_fold(table, [found[0], {**found[1], "fold": 1}], coverage=0.9)
    with pytest.raises(InputError, match="of another table"):
        stack_fold(PropertyTable.of(document(rows=30)), found, coverage=0.9)


def test_what_cannot_be_promised_is_refused_before_anything_is_fitted(monkeypatch):
    monkeypatch.setattr("zonemelt.tasks.learn.nested.choose_and_fit", None)
    with pytest.raises(InputError, match=r"cannot promise a coverage of 0\.999"):
        run("ridge", protocol=Protocol(coverage=0.999))
    with pytest.raises(InputError, match=r"a coverage of 90"):
        run("ridge", protocol=Protocol(coverage=90))
    with pytest.raises(UnknownKeyError, match="did you mean 'affine'"):
        Protocol(recalibration="afine")


def test_a_warning_without_words_is_counted():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for message in ("", "of two\nlines", ""):
            warnings.warn(message, stacklevel=1)
    assert told(caught) == {"": 2, "of two": 1}
