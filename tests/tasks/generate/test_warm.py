"""A generator that begins with another's weights says the same of what both know."""

from __future__ import annotations

import pytest
import torch
from generators_for_tests import salts, trained

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.generator import load_generator
from zonemelt.tasks.generate.warm import begin_with

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    place = tmp_path_factory.mktemp("earlier")
    trained(place, salts(8), epochs=1)
    return place


def test_all_weights_are_those_of_the_other(earlier):
    known = load_generator(earlier)
    torch.manual_seed(5)
    network = known.card.network.make(species=len(known.card.elements))
    begin_with(network, str(earlier), known.card.network, known.card.elements)
    for name, value in network.state_dict().items():
        assert torch.equal(value, known.network.state_dict()[name])


def test_elements_may_be_others_in_another_order(earlier):
    known = load_generator(earlier)
    elements = ["Xe", *reversed(known.card.elements)]
    torch.manual_seed(5)
    network = known.card.network.make(species=len(elements))
    random = {name: value[0].clone() for name, value in network.state_dict().items() if "species" in name}
    random["tokens.weight"] = network.state_dict()["tokens.weight"][0].clone()
    begin_with(network, str(earlier), known.card.network, elements)
    own, old = network.state_dict(), known.network.state_dict()
    for name in ("to_species.weight", "to_species.bias"):
        assert torch.equal(own[name][0], random[name])
    assert torch.equal(own["tokens.weight"][0], random["tokens.weight"])  # what is new begins at random
    assert torch.equal(own["tokens.weight"][-1], old["tokens.weight"][-1])  # a hidden species
    for row, symbol in enumerate(elements[1:], start=1):
        before = known.card.elements.index(symbol)
        assert torch.equal(own["tokens.weight"][row], old["tokens.weight"][before])
        for name in ("to_species.weight", "to_species.bias"):
            assert torch.equal(own[name][row], old[name][before])


def test_another_network_is_refused(earlier):
    known = load_generator(earlier)
    other = known.card.network.model_copy(update={"width": 8})
    with pytest.raises(InputError, match="start of a generator"):
        begin_with(other.make(species=2), str(earlier), other, known.card.elements)


def test_a_training_goes_on_from_what_was_learnt(earlier, tmp_path):
    """With a learning rate of next to nothing it ends where it began."""
    trained(tmp_path / "next", salts(8), epochs=1, start=str(earlier), learning_rate=1e-12)
    before, after = (load_generator(place).network.state_dict() for place in (earlier, tmp_path / "next"))
    for name, value in after.items():
        assert torch.allclose(value, before[name], atol=1e-6)
