"""A network of a person's own: made, tried, trained into a folder and opened again; and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from ase.build import bulk
from model_contract import ModelContract

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import graphs_of
from zonemelt.tasks.learn.known_models import known_models, model_named
from zonemelt.tasks.models.own import own_network, source_of, try_on
from zonemelt.tasks.models.registry import OwnArchitecture, architectures
from zonemelt.tasks.train.documents import architecture_of

MODULE = """
import torch
from torch_geometric.nn import CGConv, global_mean_pool


class Net(torch.nn.Module):
    def __init__(self, outputs, width=8):
        super().__init__()
        self.embed = torch.nn.Embedding(119, width)
        self.convolution = CGConv(width, dim=1)
        self.read = torch.nn.Linear(width, outputs)

    def forward(self, batch):
        atoms = self.convolution(self.embed(batch.z), batch.edge_index, batch.edge_length[:, None] / 6)
        return self.read(global_mean_pool(atoms, batch.batch))


class Flat(Net):
    def forward(self, batch):
        return super().forward(batch).view(-1)


class Blind(Net):
    def forward(self, batch):
        return self.read(batch.edge_attr)


class Infinite(Net):
    def forward(self, batch):
        return super().forward(batch) / 0


def weightless(outputs):
    return torch.nn.Identity()


def number(outputs):
    return 3
"""
NAMES = ("Net", "Flat", "Blind", "Infinite", "weightless", "number", "nothing")
CRYSTALS = Crystals.of_atoms([bulk("Cu"), bulk("NaCl", "rocksalt", a=5.64)])


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    file = tmp_path / "own_network_of_a_test.py"
    file.write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ZONEMELT_MODELS", ",".join(f"own_network_of_a_test:{name}" for name in NAMES))
    monkeypatch.delitem(sys.modules, "own_network_of_a_test", raising=False)
    return file


def own(name: str, **more) -> OwnArchitecture:
    return OwnArchitecture(network=f"own_network_of_a_test:{name}", cutoff=5.0, **more)


class TestPhysics(ModelContract):
    def model(self):
        return own("Net").make(outputs=2)


def test_a_name_becomes_a_document_and_the_document_a_network():
    said = model_named("own:own_network_of_a_test:Net", {"width": 4, "cutoff": 5.0})
    found = architecture_of(said)
    assert found.arguments == {"width": 4}
    assert found.cutoff == 5.0
    assert found.source == source_of(found.network)
    assert architecture_of(found.model_dump(mode="json")) == found
    assert architectures.validate_json(found.model_dump_json()) == found
    assert found.make(outputs=3).read.out_features == 3
    assert "own:MODULE:NAME" in known_models()


def test_an_untrained_one_is_tried():
    try_on(own("Net"), CRYSTALS, outputs=2)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("Flat", {}, r"it gives the shape \(4,\), not \(2, 2\)"),
        ("Blind", {}, r"fails on 2 crystals: TypeError.*\n.*edge_length"),
        ("Infinite", {}, r"untrained, it gives \[(nan|-?inf)"),
        ("weightless", {}, "no torch module with weights to train, but Identity"),
        ("number", {}, "no torch module with weights to train, but int"),
        ("nothing", {}, "own_network_of_a_test has no 'nothing'"),
        ("Net", {"breadth": 3}, "cannot be made: TypeError.*breadth"),
    ],
)
def test_what_is_refused_before_a_training(name, arguments, said):
    with pytest.raises(InputError, match=said):
        try_on(own(name, arguments=arguments), CRYSTALS, outputs=2)


def test_one_that_is_not_listed_is_not_imported(monkeypatch):
    monkeypatch.setenv("ZONEMELT_MODELS", "own_network_of_a_test:Flat")
    with pytest.raises(InputError, match=r"not allowed here\n.*ZONEMELT_MODELS=own_network_of_a_test:Net"):
        own("Net").make(outputs=1)
    assert "own_network_of_a_test" not in sys.modules


def test_a_file_that_has_changed_is_told(module):
    before = source_of("own_network_of_a_test:Net")
    module.write_text(MODULE + "# changed\n")
    with pytest.warns(UserWarning, match="not written as it was"):
        own_network("own_network_of_a_test:Net", {}, outputs=1, source=before)


def test_it_goes_through_a_model_folder(tmp_path):
    from zonemelt.tasks.train.model_folder import ModelCard, Target, save_model
    from zonemelt.tasks.train.predictor import open_model

    network = architecture_of({"architecture": "own", "network": "own_network_of_a_test:Net", "cutoff": 5.0})
    torch.manual_seed(0)
    made = network.make(outputs=1)
    card = ModelCard(
        network=network,
        targets=(Target(name="gap", unit="eV", shift=1.0, scale=2.0),),
        elements=("Cu", "Na", "Cl"),
    )
    save_model(tmp_path / "model", made.state_dict(), card)
    found = open_model(tmp_path / "model").predict(CRYSTALS)
    assert found.properties == (("gap", "eV"),)
    batch = network.batch(graphs_of(CRYSTALS, network.edges), dtype="float32")
    with torch.no_grad():
        expected = 1.0 + 2.0 * made.eval()(batch).numpy()
    np.testing.assert_allclose(found.mean_NP, expected, rtol=1e-6)
