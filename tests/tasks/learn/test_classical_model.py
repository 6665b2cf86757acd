"""Classical models as files: opened again they are the same to the last bit, or say how they are not."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from safetensors.numpy import load_file, save_file
from tables_for_tests import document

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.fractions import composition_blocks
from zonemelt.tasks.learn.classical_model import formulas_of, load_classical
from zonemelt.tasks.learn.fit_classical import fit_classical
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.shallow import FAMILIES, ModelSpec
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS
from zonemelt.tasks.train.predictor import open_model

FORMULAS = ["NaCl", "KCl", "MgO", "CaO", "Fe", "Ni", "GaAs", "InP", "Si", "Ge", "LiF", "CsI"]
GAPS = [5.0, 5.0, 7.0, 6.0, 0.0, 0.0, 1.4, 1.3, 1.1, 0.7, 9.0, 6.0]


def fitted(model, given=None, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = PropertyTable.of(document(rows=30) if given is None else given)
        return fit_classical(
            table, ModelSpec.of(model), protocol=Protocol(inner=2), name="gap", **more
        )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_an_opened_model_predicts_as_the_saved_one_to_the_last_bit(family, tmp_path):
    small = {"n_estimators": 10} if "n_estimators" in FAMILIES[family].make(0).get_params() else {}
    model = fitted({"family": family, "settings": small, "grid": {}})
    model.save(tmp_path)
    opened = load_classical(tmp_path)
    asked = document(rows=20, seed=1)["values"]
    before, after = model.said(asked), opened.said(asked)
    assert after.mean_NP.tolist() == before.mean_NP.tolist()
    if before.deviation_NP is None:
        assert after.deviation_NP is None
    else:
        assert after.deviation_NP.tolist() == before.deviation_NP.tolist()
    assert opened.card == model.card
    assert opened.differences == ""
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS, CARD}


def test_settings_that_were_chosen_are_kept(tmp_path):
    model = fitted(
        {"family": "mlp", "grid": {"hidden_layer_sizes": [[1], [20, 10]]}, "settings": {"alpha": 0.5}}
    )
    model.save(tmp_path)
    opened = load_classical(tmp_path)
    assert opened.card.model["settings"]["alpha"] == 0.5
    assert tuple(opened.card.model["settings"]["hidden_layer_sizes"]) == (20, 10)
    assert len(opened.card.training["tried"]) == 2
    assert opened.card.uncertainty.calibration.samples == 30
    assert opened.card.metrics["mae gap (eV)"] > 0


def formulas_model():
    given = {
        **composition_blocks(2 * FORMULAS, blocks=["fractions", "magpie"]), "target": 2 * GAPS, "unit": "eV",
        "folds": np.arange(24) % 3, "bounds": [0.0, None],
    }  # fmt: skip
    return fitted({"family": "ridge", "grid": {"alpha": [1.0]}}, given, formulas=("fractions", "magpie"))


def test_formulas_are_read(tmp_path):
    model = formulas_model()
    model.save(tmp_path)
    opened = load_classical(tmp_path)
    assert opened.features_of(2 * FORMULAS).tolist() == model.x_NF.tolist()
    (mean,) = opened.said(opened.features_of(["NaF"])).mean_NP[:, 0].tolist()
    assert 3 < mean < 9
    narrow = replace(opened, card=opened.card.model_copy(update={"bounds": (2.0, 3.0)}))
    within = narrow.said(opened.x_NF).mean_NP
    assert (within.min(), within.max()) == (2.0, 3.0)
    with pytest.raises(InputError, match=r"row 1, UO2.*has not seen U"):
        opened.features_of(["NaCl", "UO2"])


def test_it_is_opened_as_every_model_is(tmp_path):
    model = formulas_model()
    model.save(tmp_path)
    crystals = Crystals.of_atoms([bulk("NaCl", "rocksalt", 5.6), bulk("Fe", cubic=True)])
    predicted = open_model(tmp_path).predict(crystals)
    assert formulas_of(crystals) == ["Na1Cl1", "Fe2"]
    assert predicted.mean_NP.tolist() == model.said(model.features_of(["NaCl", "Fe"])).mean_NP.tolist()
    low, high = predicted.interval(0.8)
    assert (low < high).all()
    fitted({"family": "ridge", "grid": {}}).save(tmp_path)
    with pytest.raises(InputError, match="crystals alone do not give"):
        open_model(tmp_path)


def test_what_cannot_be_asked_is_refused():
    model = fitted({"family": "ridge", "grid": {}})
    with pytest.raises(InputError, match="it reads features, not formulas"):
        model.features_of(["NaCl"])
    with pytest.raises(InputError, match=r"shape \(2, 3\) for 4 columns"):
        model.said(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"row 1: 'column 2' is nan"):
        model.said(np.array([[0.0] * 4, [0.0, 0.0, np.nan, 0.0]]))
    with pytest.raises(InputError, match="formulas have no 'column 0'"):
        fitted({"family": "ridge", "grid": {}}, formulas=("magpie",))


def test_other_libraries_are_said(tmp_path):
    model = fitted({"family": "ridge", "grid": {}})
    model.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    card["versions"]["scikit-learn"] = "0.1"
    (tmp_path / CARD).write_text(json.dumps(card))
    said = load_classical(tmp_path).differences
    assert "and not 0.1; its predictions of training rows are the same" in said
    arrays = load_file(tmp_path / WEIGHTS)
    arrays["said_N"][3] += 0.25
    save_file(arrays, tmp_path / WEIGHTS)
    with pytest.warns(UserWarning, match=r"scikit-learn .* and not 0\.1.* differ by up to 0\.25 eV"):
        assert load_classical(tmp_path).differences


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_classical(tmp_path)
    model = fitted({"family": "ridge", "grid": {}})
    model.save(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:50])
    with pytest.raises(InputError, match="no classical model of ours"):
        load_classical(tmp_path)
    model.save(tmp_path)
    (tmp_path / CARD).write_text('{"kind": "network"}')
    with pytest.raises(InputError, match="no classical model of ours"):
        load_classical(tmp_path)
