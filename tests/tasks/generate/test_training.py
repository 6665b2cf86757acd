"""Training a generator: it learns, goes on where it stopped, and says what it cannot use."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from ase.build import bulk
from generators_for_tests import salts, trained

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import stretches
from zonemelt.tasks.generate.generator import load_generator
from zonemelt.tasks.generate.objective import FlowObjective, FlowTerms
from zonemelt.tasks.generate.padded import CrystalSet, Standard

torch.set_num_threads(1)


class Nothing(torch.nn.Module):
    """A network that says nothing."""

    def forward(self, batch):
        shape = batch["tokens"].shape
        zeros = {"cells": torch.zeros(shape[0], 6), "places": torch.zeros(*shape, 3)}
        return zeros | {"species": torch.zeros(*shape, 6)}


def test_a_network_that_says_nothing_has_a_loss_of_one_in_cells_and_places():
    elements = np.array([8, 11, 12, 17, 19, 20])
    crystals = Crystals.of_atoms([bulk("NaCl", "rocksalt", a=a) for a in np.linspace(4, 7, 2000)])
    standard = Standard.of(stretches(crystals.cells_G33, crystals.sizes_G))
    batch = CrystalSet(crystals, elements=elements, standard=standard).noisy(
        np.arange(2000), [0, 0], shown=0, wished=0
    )
    objective = FlowObjective(FlowTerms())
    totals, counts = objective.totals(Nothing(), batch), objective.counts(batch)
    means = {name: total.item() / counts[name] for name, total in totals.items()}
    assert means["cells"] == pytest.approx(1, abs=0.1)
    # Two atoms, either of which may go either way: the shorter of two halves of an even difference.
    assert means["places"] == pytest.approx(0.25, abs=0.03)
    assert means["species"] == pytest.approx(math.log(6))


def test_it_learns_and_is_written_whole(tmp_path):
    outcome, card = trained(tmp_path, salts(40), epochs=12, ema=0.9)
    assert outcome.finished
    log = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert log[-1]["validation loss"] < 0.8 * log[0]["validation loss"]
    assert card.elements == ("O", "Na", "Mg", "Cl", "K", "Ca")
    assert card.sizes == {2: 36}
    loaded = load_generator(tmp_path)
    assert loaded.card == card
    assert loaded.card.metrics["validation loss"] == min(line["validation loss"] for line in log)


def test_stopped_and_gone_on_it_is_the_same_to_the_last_bit(tmp_path):
    crystals = salts(16)
    trained(tmp_path / "whole", crystals, epochs=3)
    calls = 0
    while not (tmp_path / "parts" / "card.json").exists():
        trained(tmp_path / "parts", crystals, epochs=3, deadline=0.0)  # it has passed: one step a call
        calls += 1
        assert calls < 20
    assert calls > 3
    one, other = (load_generator(tmp_path / name).network.state_dict() for name in ("whole", "parts"))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_what_cannot_be_learnt(tmp_path):
    crystals = salts(8)
    with pytest.raises(InputError, match="nothing to train on"):
        trained(tmp_path, crystals, split={"train": np.arange(0)})
    with pytest.raises(InputError, match="'salt-1' is in 'train' and in 'validation'"):
        trained(tmp_path, crystals, split={"train": np.arange(4), "validation": np.array([1])})
    with pytest.raises(InputError, match="which it does not know"):
        trained(tmp_path, crystals, split={"train": np.array([0, 4]), "validation": np.array([1])})
    with pytest.raises(InputError, match=r"property 'gap' of a generator: 4 training crystals"):
        trained(tmp_path, crystals, wish=("gap", "eV", np.ones(8)))
    (tmp_path / "card.json").write_text('{"kind": "network"}')
    with pytest.raises(InputError, match="no generator of ours"):
        load_generator(tmp_path)
