"""Every family is a pipeline that learns, is repeatable, and refuses what it does not know."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from tables_for_tests import document

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.median_trees import CentredExtraTrees
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.shallow import FAMILIES, ModelSpec
from zonemelt.tasks.metrics.deviations import predict

TREES = {"n_estimators": 20}


def fitted(family: str, seed: int = 0):
    """A model of all rows of the first two folds."""
    table = PropertyTable.of(document())
    train, test = table.parts(2)
    settings = TREES if "n_estimators" in FAMILIES[family].make(0).get_params() else {}
    model = ModelSpec.of({"family": family, "settings": settings}).pipeline(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a Gaussian process says that its noise is at a bound
        return table, test, model.fit(table.values_NF[train], table.target_N[train])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_and_is_repeatable(family):
    table, test, model = fitted(family)
    mean_M, deviation_M = predict(model, table.values_NF[test], kind=FAMILIES[family].deviations)
    error = np.abs(mean_M - table.target_N[test]).mean()
    assert error < 0.6 * np.abs(table.target_N[test] - table.target_N.mean()).mean()
    again, _ = predict(fitted(family)[2], table.values_NF[test], kind="residuals")
    assert again.tolist() == mean_M.tolist()
    assert (deviation_M is None) == (FAMILIES[family].deviations == "residuals")
    if deviation_M is not None:
        assert deviation_M.shape == mean_M.shape
        assert (deviation_M > 0).all()
    assert FAMILIES[family].about


@pytest.mark.parametrize("family", ["svr", "ridge", "gaussian_process", "extra_trees"])
def test_predictions_follow_the_unit_of_the_target(family):
    table = PropertyTable.of(document(rows=30))
    settings = TREES if family == "extra_trees" else {}
    model = ModelSpec.of({"family": family, "settings": settings}).pipeline(seed=0)
    kind = FAMILIES[family].deviations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = predict(model.fit(table.values_NF, table.target_N), table.values_NF, kind=kind)
        other = predict(model.fit(table.values_NF, 1000 * table.target_N + 5), table.values_NF, kind=kind)
    assert other[0] == pytest.approx(1000 * one[0] + 5, rel=1e-4, abs=1e-2)
    if one[1] is not None:
        assert other[1] == pytest.approx(1000 * one[1], rel=1e-3, abs=1e-2)


def test_gaps_are_refused_or_filled_from_training_rows():
    values = np.array([[0.0, 1.0], [np.nan, 2.0], [4.0, 3.0], [8.0, 5.0]])
    model = ModelSpec.of({"family": "linear", "missing": "median"}).pipeline(seed=0)
    model.fit(values, np.arange(4.0))
    assert model.regressor_["fill"].statistics_.tolist() == [4.0, 2.5]
    assert "fill" not in ModelSpec.of("linear").pipeline(seed=0).regressor.named_steps


def test_median_trees_are_extra_trees_with_another_centre():
    table = PropertyTable.of(document())
    ours = CentredExtraTrees(15, random_state=1).fit(table.values_NF, table.target_N)
    theirs = ExtraTreesRegressor(15, random_state=1).fit(table.values_NF, table.target_N)
    shifted = table.values_NF + 0.1
    assert ours.predict(shifted).tolist() == theirs.predict(shifted).tolist()
    median = CentredExtraTrees(15, random_state=1, centre="median").fit(table.values_NF, table.target_N)
    found = np.median([tree.predict(shifted) for tree in theirs.estimators_], axis=0)
    assert median.predict(shifted).tolist() == found.tolist()


def test_median_beats_mean_where_many_labels_are_zero():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(300, 3))
    target = np.where(generator.random(300) < 0.8, 0.0, 3.0)
    errors = {}
    for centre in ("mean", "median"):
        model = CentredExtraTrees(50, centre=centre, random_state=0).fit(values[:200], target[:200])
        errors[centre] = np.abs(model.predict(values[200:]) - target[200:]).mean()
    assert errors["median"] < 0.8 * errors["mean"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("svm", "did you mean 'svr'"),
        ({"name": "x"}, "no family"),
        ({"family": "svr", "grids": {}}, "did you mean 'grid'"),
        ({"family": "ridge", "grid": {"alphas": [1.0]}}, "did you mean 'alpha'"),
        ({"family": "ridge", "grid": {"alpha": []}}, "nothing to try"),
        ({"family": "ridge", "missing": "zero"}, "unknown key 'zero'"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest(given, told):
    with pytest.raises(InputError, match=told):
        ModelSpec.of(given)


def test_lists_of_json_become_tuples():
    spec = ModelSpec.of({"family": "mlp", "grid": {"hidden_layer_sizes": [[8], [8, 8]]}})
    assert spec.tried == {"hidden_layer_sizes": ((8,), (8, 8))}


@pytest.mark.parametrize("family", ["linear", "ridge", "lasso", "mlp"])
def test_models_that_extrapolate_do_not_go_astray(family):
    """A column that is rounding in all training rows, and a moment in one that is asked about."""
    values = np.random.default_rng(0).normal(size=(40, 2)) * [1.0, 1e-7]
    model = ModelSpec.of(family).pipeline(seed=0).fit(values, values[:, 0] + 1e5 * values[:, 1])
    assert abs(model.predict(np.array([[0.0, 1.5]]))[0]) < 20


@pytest.mark.parametrize("values", [0.1, "scale", None])
def test_what_is_tried_is_a_list(values):
    with pytest.raises(InputError, match=r"model svr, grid, gamma: .* is no list"):
        ModelSpec.of({"family": "svr", "grid": {"gamma": values}})
