"""A training that begins from another: what goes on, what stays, what is new, and what it is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from collections_for_tests import CGCNN, COGN, fit, labelled, metals, volumes
from pydantic import ValidationError
from safetensors.torch import load_file

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.model_folder import WEIGHTS, load_model
from zonemelt.tasks.train.predict import predict
from zonemelt.tasks.train.state import begin
from zonemelt.tasks.train.transfer import Pretrained, Transfer, in_head, trunk_features

LATTICES = np.linspace(3.6, 4.4, 6)
CRYSTALS = metals(["Cu", "Ag"], LATTICES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Models of volumes: of each architecture, and one of two properties."""
    root = tmp_path_factory.mktemp("trained")
    fit(labelled(CRYSTALS, {("volume", "Å³"): volumes(CRYSTALS)}), root / "cogn")
    fit(labelled(CRYSTALS, {"x": volumes(CRYSTALS)}), root / "cgcnn", architecture=CGCNN)
    two = labelled(CRYSTALS, {"x": volumes(CRYSTALS), "y": volumes(CRYSTALS) ** 2})
    fit(two, root / "two")
    fit(two, root / "two cgcnn", architecture=CGCNN)
    return root


def target(names=("Cu", "Au"), name="y"):
    crystals = metals(names, LATTICES)
    return labelled(crystals, {name: 1 / volumes(crystals)})


def weights(folder):
    return load_file(folder / WEIGHTS)


@pytest.mark.parametrize("more", [{"strategy": "frozen"}, {"strategy": "new head", "freeze": True}])
@pytest.mark.parametrize("name", ["cogn", "cgcnn"])
def test_a_frozen_trunk_does_not_move_a_bit(trained, tmp_path, name, more):
    architecture = {"cogn": COGN, "cgcnn": CGCNN}[name]
    fit(
        target(), tmp_path, architecture=architecture, settings={"epochs": 3, "ema": 0.9},
        transfer=Transfer(model=trained / name, **more),
    )  # fmt: skip
    before, after = weights(trained / name), weights(tmp_path)
    for key, value in after.items():
        assert torch.equal(value, before[key]) != in_head(key), key


@pytest.mark.parametrize(("strategy", "head_goes_on"), [("all", True), ("new head", False)])
@pytest.mark.parametrize("name", ["cogn", "cgcnn"])
def test_what_goes_on_and_what_is_new(trained, name, strategy, head_goes_on):
    begun = Pretrained.read(Transfer(model=trained / name, strategy=strategy))
    card = begun.card.model_copy(
        update={"targets": (begun.card.targets[0].model_copy(update={"name": "z"}),)}
    )
    torch.manual_seed(5)
    network = card.network.make(outputs=1)
    begun.give(network, card)
    for key, value in network.state_dict().items():
        goes_on = head_goes_on or not in_head(key)
        assert torch.equal(value, begun.weights[key]) == goes_on, key
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("name", ["two", "two cgcnn"])
def test_of_many_heads_that_of_the_same_property_goes_on(trained, name):
    begun = Pretrained.read(Transfer(model=trained / name))
    names = ("y", "x", "y")
    by_name = {target.name: target for target in begun.card.targets}
    card = begun.card.model_copy(update={"targets": tuple(by_name[name] for name in names)})
    network = card.network.make(outputs=3)
    begun.give(network, card)
    before = card.network.make(outputs=2)
    before.load_state_dict(begun.weights)
    graphs = labelled(CRYSTALS, {"x": volumes(CRYSTALS)}).source.read(np.arange(4))
    batch = card.network.batch(graphs, dtype="float32")
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(batch), before.eval()(batch)[:, [1, 0, 1]])


def test_a_head_that_goes_on_keeps_its_scale(trained, tmp_path):
    before = load_model(trained / "two")[1]
    _, card = fit(target(), tmp_path / "a", transfer=Transfer(model=trained / "two"))
    assert card.targets[0] == before.targets[1]
    _, card = fit(target(), tmp_path / "b", transfer=Transfer(model=trained / "two", strategy="new head"))
    assert card.targets[0] != before.targets[1]


def test_the_card_says_where_the_model_comes_from(trained, tmp_path):
    how = Transfer(model=trained / "cogn", strategy="new head")
    fit(target(), tmp_path / "once", transfer=how)
    card = load_model(tmp_path / "once")[1]
    origin = card.training["transfer"]
    assert origin["elements_unseen_in_pretraining"] == ["Au"]
    assert origin["elements_only_in_pretraining"] == ["Ag"]
    assert card.elements == ("Ag", "Au", "Cu")
    assert origin["targets"] == ["volume"]
    assert origin["training_set"] == load_model(trained / "cogn")[1].training["training_set"]
    assert origin["weights"] == Pretrained.read(how).digest
    again = Transfer(model=tmp_path / "once", strategy="frozen")
    assert fit(target(), tmp_path / "twice", transfer=again)[1].training["transfer"]["before"] == origin
    with pytest.raises(InputError, match="another training"):
        fit(target(), tmp_path / "once", transfer=again)  # other checkpoints are there


def test_the_trunk_may_learn_more_slowly(trained):
    begun = Pretrained.read(Transfer(model=trained / "cogn", trunk_rate=0.1))
    network = begun.card.network.make(outputs=1)
    begun.give(network, begun.card)
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    chosen = TrainSettings(seed=0, optimizer="sgd", schedule="cosine", learning_rate=0.5, weight_decay=0)
    with joined(device="cpu") as ranks:
        state = begin(network, chosen, steps=1, ranks=ranks, rates=begun.rates())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    state.optimizer.step()
    for key, value in dict(network.named_parameters()).items():
        moved = begun.weights[key] - value.detach()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.5 if in_head(key) else 0.05))


def test_what_is_refused(trained, tmp_path):
    for bad, said in (
        ({"model": "here"}, "the path must be absolute"),
        ({"model": tmp_path, "freeze": True}, "freeze belongs to 'new head'"),
        ({"model": tmp_path, "strategy": "frozen", "trunk_rate": 0.5}, "a frozen trunk has no learning rate"),
        ({"model": tmp_path, "trunk_rate": 0}, "trunk_rate\n.*greater than 0"),
        ({"model": tmp_path, "layers": 3}, "layers\n.*not permitted"),
    ):
        with pytest.raises(ValidationError, match=said):
            Transfer.model_validate(bad)
    with pytest.raises(InputError, match="train with the architecture of the trained model"):
        fit(target(), tmp_path / "a", architecture=CGCNN, transfer=Transfer(model=trained / "cogn"))
    with pytest.raises(InputError, match="no head for 'z', and not just one but x, y"):
        fit(target(name="z"), tmp_path / "b", transfer=Transfer(model=trained / "two"))
    with pytest.raises(InputError, match="where the trained model has 'Å³'"):
        fit(target(name="volume"), tmp_path / "c", transfer=Transfer(model=trained / "cogn"))
    with pytest.raises(InputError, match="No such file"):
        fit(target(), tmp_path / "d", transfer=Transfer(model=tmp_path / "nowhere"))
    with pytest.raises(InputError, match="heads are 'point', the new ones 'gaussian'"):
        fit(target(), tmp_path / "e", transfer=Transfer(model=trained / "cogn"), loss="gaussian")


def test_transfer_beats_scratch_where_the_properties_are_akin(tmp_path):
    """Volumes of many crystals teach what the square of the volume of a few needs."""
    many = metals(["Cu", "Ag", "Au", "Al"], np.linspace(3.5, 4.5, 16))
    fit(
        labelled(many, {"volume": volumes(many)}), tmp_path / "many",
        settings={"epochs": 40, "batch_size": 16},
    )  # fmt: skip
    few = labelled(many, {"squared": volumes(many) ** 2})
    split = {"train": np.arange(3, 64, 9)}
    held = np.setdiff1d(np.arange(64), split["train"])
    found = {}
    for name, transfer in {
        "scratch": None,
        "all": Transfer(model=tmp_path / "many"),
        "new head": Transfer(model=tmp_path / "many", strategy="new head"),
    }.items():
        fit(few, tmp_path / name, split=split, settings={"epochs": 40, "batch_size": 7}, transfer=transfer)
        predicted = predict(*load_model(tmp_path / name), many.take(held))
        found[name] = float(np.abs(predicted[:, 0] - few.values_NP[held, 0]).mean())
    assert found["all"] < 0.7 * found["scratch"], found
    assert found["new head"] < 0.7 * found["scratch"], found


@pytest.mark.parametrize("name", ["cogn", "cgcnn"])
def test_features_of_the_trunk(trained, name):
    model, card = load_model(trained / name)
    found = trunk_features(model, card, CRYSTALS)
    assert found.shape == (len(CRYSTALS), 12)
    np.testing.assert_allclose(found[3:5], trunk_features(model, card, CRYSTALS.take(slice(3, 5))), rtol=1e-5)
    torch.manual_seed(0)
    graphs = labelled(CRYSTALS, {"x": volumes(CRYSTALS)}).source.read(np.arange(len(CRYSTALS)))
    with torch.no_grad():
        expected = model(card.network.batch(graphs, dtype="float32"))[:, 0]
        head = model.heads[0] if name == "cogn" else model.head
        through = head(torch.from_numpy(found).float())[:, 0]
    torch.testing.assert_close(through, expected, rtol=1e-4, atol=1e-5)
