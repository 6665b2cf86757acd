"""A property from structures to a saved model and back, alone and as two ranks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from ase.build import bulk

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.models.registry import CgcnnArchitecture, CognArchitecture
from zonemelt.tasks.shards.files import write_shard
from zonemelt.tasks.shards.shard_set import ShardSet, write_index
from zonemelt.tasks.train.labelled import Labelled
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, load_model
from zonemelt.tasks.train.predict import predict
from zonemelt.tasks.train.properties import METRIC, _samples, judge_network, mean_errors, train_properties
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings
from zonemelt.tasks.train.step import DivergedError

SMALL = CognArchitecture(width=16, depth=1, gaussians=16, cutoff=6.0, k=12)
SETTINGS = TrainSettings(seed=1, epochs=60, batch_size=16, learning_rate=5e-3)


def crystals():
    return Crystals.of_atoms(
        [
            bulk(name, "fcc", a=a, cubic=cubic)
            for name in ("Al", "Cu", "Ag")
            for a in np.linspace(3.6, 4.4, 12)
            for cubic in (False, True)
        ]
    )


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    found = crystals()
    directory = tmp_path_factory.mktemp("shards")
    edges = SMALL.edges
    write_index(directory, [write_shard(directory, found, edges)])
    shards = ShardSet(directory)
    volumes = np.abs(np.linalg.det(found.cells_G33)) / found.sizes_G
    values = np.stack([volumes, np.where(np.arange(len(found)) % 3, volumes**2, np.nan)], axis=1)
    symbols = [frozenset(found.atoms(i).get_chemical_symbols()) for i in range(len(found))]
    return Labelled(
        source=shards, names_N=[f"c{i}" for i in range(len(found))], costs_N=shards.edges_G,
        elements_N=symbols, values_NP=values, properties=(("volume", "Å³/atom"), ("squared", "Å⁶/atom²")),
    )  # fmt: skip


def split(count):
    order = np.random.default_rng(0).permutation(count)
    return {"train": np.sort(order[12:]), "validation": np.sort(order[:12])}


def run(labelled, directory, *, parts=None, architecture=SMALL, **settings):
    with joined(device="cpu") as ranks:
        return train_properties(
            labelled, parts or split(len(labelled.names_N)), architecture,
            SETTINGS.model_copy(update=settings), ranks=ranks, directory=directory,
        )  # fmt: skip


def test_volumes_are_learned_and_predicted_again(labelled, tmp_path):
    outcome, card = run(labelled, tmp_path)
    assert outcome.finished
    assert outcome.best < 0.25  # of a standard deviation
    model, read = load_model(tmp_path)
    assert read == card
    assert read.metrics["scaled mae"] == outcome.best
    assert read.elements == ("Ag", "Al", "Cu")
    held = split(72)["validation"]
    predicted = predict(model, read, crystals().take(held))
    error = np.abs(predicted[:, 0] - labelled.values_NP[held, 0]).mean()
    assert error < 0.25 * card.targets[0].scale * 2
    assert np.isfinite(predicted).all()


def test_what_is_refused(labelled, tmp_path):
    both = split(72)
    both["validation"] = np.append(both["validation"], both["train"][0])
    with pytest.raises(InputError, match=r"'c.*' is in 'train' and in 'validation'"):
        run(labelled, tmp_path, parts=both)
    with pytest.raises(InputError, match="no training sample has it"):
        run(labelled, tmp_path, parts={"train": np.array([0, 3, 6])})
    with pytest.raises(InputError, match=r"nothing to train on|no training sample"):
        run(labelled, tmp_path, parts={"train": np.array([], int)})


def test_an_element_that_was_not_trained_on_is_refused(labelled, tmp_path):
    run(labelled, tmp_path, epochs=1)
    model, card = load_model(tmp_path)
    strange = Crystals.of_atoms([bulk("Al"), bulk("Pt")])
    with pytest.raises(InputError, match="structure 1: the model has not seen Pt"):
        predict(model, card, strange)


def test_a_model_of_another_kind_is_refused(labelled, tmp_path):
    run(labelled, tmp_path, epochs=1)
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(card | {"network": {"architecture": "cogn", "width": 8}}))
    with pytest.raises(InputError, match="no model of ours"):
        load_model(tmp_path)
    (tmp_path / CARD).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no model of ours"):
        load_model(tmp_path)
    (tmp_path / CARD).write_text(json.dumps(card))
    torch.save({"weights": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match="pickles are not read"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        load_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "architecture",
    [CgcnnArchitecture(width=16, cutoff=6.0), SMALL.model_copy(update={"nested": 3.2})],
    ids=["cgcnn", "nested"],
)
def test_every_architecture_is_trained_and_read_again(labelled, tmp_path, architecture):
    run(labelled, tmp_path, architecture=architecture, epochs=2, ema=0.9)
    model, card = load_model(tmp_path)
    assert card.network == architecture
    assert predict(model, card, crystals().take(slice(0, 3))).shape == (3, 2)


def test_a_prediction_that_is_no_number_is_not_left_out_of_the_errors(labelled, tmp_path):
    _, card = run(labelled, tmp_path, epochs=1)
    labels = np.array([[0.0, np.nan], [1.0, 2.0]])
    found = mean_errors(np.array([[0.5, np.nan], [1.0, 2.0]]), labels, card.targets)
    assert found[METRIC] == pytest.approx(0.125)  # where there is no label nothing is asked
    assert np.isnan(mean_errors(np.array([[np.nan, 0], [1, 2]]), labels, card.targets)[METRIC])
    model, _ = load_model(tmp_path)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    held = _samples(labelled, split(72)["validation"], card, SETTINGS)
    with (
        joined(device="cpu") as ranks,
        pytest.raises(DivergedError, match=r"sample c\d+: it gives no number"),
    ):
        judge_network(model, card, {"validation": held}, ranks=ranks)
