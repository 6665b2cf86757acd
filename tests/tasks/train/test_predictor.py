"""Any model is opened by its folder; what it cannot promise it does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from collections_for_tests import CGCNN, fit, labelled, metals, volumes

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.train.model_folder import CARD, load_model
from zonemelt.tasks.train.predict import predict
from zonemelt.tasks.train.predictor import open_model

CRYSTALS = metals(("Al", "Cu"), np.linspace(3.7, 4.3, 30))
ROWS = np.random.default_rng(0).permutation(60)
SPLIT = {"train": ROWS[:30], "validation": ROWS[30:45], "test": ROWS[45:]}


@pytest.fixture(scope="module")
def collection():
    values = volumes(CRYSTALS)
    rare = np.where(np.arange(60) % 5, np.nan, values**2)
    return labelled(CRYSTALS, {("volume", "Å³"): values, ("rare", "Å⁶"): rare})


@pytest.fixture(scope="module")
def models(tmp_path_factory, collection):
    """A folder for each kind of head."""
    folder = tmp_path_factory.mktemp("models")
    for loss in ("mae", "gaussian", "quantile", "evidential"):
        fit(
            collection, folder / loss, split=SPLIT, loss=loss, architecture=CGCNN,
            settings={"epochs": 20, "learning_rate": 1e-2},
        )  # fmt: skip
    return folder


@pytest.mark.parametrize("loss", ["mae", "gaussian", "quantile", "evidential"])
def test_every_head_is_trained_judged_and_opened_again(models, loss):
    opened = open_model(models / loss)
    assert opened.properties == (("volume", "Å³"), ("rare", "Å⁶"))
    found = opened.predict(CRYSTALS)
    model, card = load_model(models / loss)
    np.testing.assert_array_equal(found.mean_NP, predict(model, card, CRYSTALS))
    spread = volumes(CRYSTALS).std()
    errors = np.abs(found.mean_NP[:, 0] - volumes(CRYSTALS))
    assert errors[SPLIT["test"]].mean() < 0.5 * spread
    assert card.metrics["test mae volume (Å³)"] == pytest.approx(errors[SPLIT["test"]].mean(), rel=1e-4)
    assert (found.deviation_NP is None) == (loss == "mae")
    if found.deviation_NP is not None:
        assert (found.deviation_NP > 0).all()
    report = card.uncertainty["volume"].report
    assert (report.part, report.samples) == ("test", 15)
    assert set(report.coverage) == {"0.5", "0.68", "0.8", "0.9"}  # 15 samples promise 15/16 at most


def test_a_promise_is_that_of_the_card(models, collection):
    opened = open_model(models / "quantile")
    held = CRYSTALS.take(SPLIT["test"])
    (low, high), truth = _first(opened.predict(held), 0.8), volumes(held)
    inside = ((low <= truth) & (truth <= high)).mean()
    assert inside == opened.uncertainty["volume"].report.coverage["0.8"]
    with pytest.raises(InputError, match="15 samples of the validation part cannot promise"):
        _first(opened.predict(held), 0.95)


def _first(predicted, coverage):
    """Of the first property alone: the other one has too few labels to promise anything."""
    from dataclasses import replace

    said = replace(
        predicted.said, mean_NP=predicted.mean_NP[:, :1], deviation_NP=predicted.said.deviation_NP[:, :1],
        lean_NP=predicted.said.lean_NP[:, :1],
    )  # fmt: skip
    alone = replace(predicted, properties=predicted.properties[:1], mean_NP=said.mean_NP, said=said)
    return tuple(end[:, 0] for end in alone.interval(coverage))


def test_what_was_not_calibrated_has_no_interval(models, collection, tmp_path):
    with pytest.raises(InputError, match="property 'rare': the model was not calibrated"):
        open_model(models / "mae").predict(CRYSTALS).interval(0.8)
    fit(collection, tmp_path, split={"train": SPLIT["train"]}, settings={"epochs": 1}, loss="gaussian")
    found = open_model(tmp_path).predict(CRYSTALS)
    assert found.deviation_NP is not None
    with pytest.raises(InputError, match="property 'volume': the model was not calibrated"):
        found.interval()
    assert open_model(tmp_path).card.metrics == {}


def test_what_is_no_model_is_refused(models, tmp_path):
    with pytest.raises(InputError, match="there is no model"):
        open_model(tmp_path)
    (tmp_path / CARD).write_text("[]")
    with pytest.raises(InputError, match="does not say what model"):
        open_model(tmp_path)
    card = json.loads((models / "mae" / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(card | {"kind": "networks"}))
    with pytest.raises(UnknownKeyError, match="did you mean 'network'"):
        open_model(tmp_path)
    (tmp_path / CARD).write_text(json.dumps(card | {"kind": []}))
    with pytest.raises(UnknownKeyError, match="unknown key"):
        open_model(tmp_path)
    (tmp_path / CARD).write_text(json.dumps(card))
    with pytest.raises(InputError, match="No such file"):
        open_model(tmp_path)
    opened = open_model(models / "mae")
    with pytest.raises(InputError, match="the model has not seen Pt"):
        opened.predict(Crystals.of_atoms([bulk("Pt")]))
    with pytest.raises(InputError, match="there are no structures"):
        opened.predict(CRYSTALS.take(np.arange(0)))
