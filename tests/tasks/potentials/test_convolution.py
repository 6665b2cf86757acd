"""The convolution: its loops give what PyTorch's operations give, to the second derivatives."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from ase.build import bulk
from trained_potentials_for_tests import structures

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.featurize.graphs import graphs_of
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.potentials.convolution import Convolution
from zonemelt.tasks.potentials.fitting.objective import PotentialObjective, Terms

torch.set_num_threads(1)
SMALL = PotentialArchitecture(
    cutoff=4.0, channels=(4, 3, 2), layers=2, basis=4, hidden=(8,), elements=("Al", "Cu"), neighbours=3.0
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SMALL.make().double()


@pytest.fixture(scope="module")
def batch():
    atoms = [*structures(3), bulk("Cu")]
    some = graphs_of(
        Crystals.of_atoms(atoms),
        SMALL.edges,
        labels_G={"energy_free": np.zeros(4), "stress": np.zeros((4, 3, 3))},
        labels_A={"forces": np.ones((13, 3))},
    )
    found = SMALL.batch(some, dtype="float64")
    found.labels_GP = torch.zeros(4, 3)
    return found


def gradients(network, batch):
    """Of a loss of energies, forces and stresses, in all weights: it takes second derivatives."""
    terms = Terms(weights={"energy": 1.0, "forces": 1.0, "stress": 1.0}, loss="mse")
    totals = PotentialObjective(terms=terms, scale=1.0, epochs=1).totals(network, batch)
    network.zero_grad()
    sum(totals.values()).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def test_loops_are_differentiated_twice_as_operations_are(network, batch, monkeypatch):
    in_loops = gradients(network, batch)
    monkeypatch.setattr(Convolution, "in_loops", Convolution.in_operations)
    expected = gradients(network, batch)
    assert in_loops.keys() == expected.keys()
    for name, found in in_loops.items():
        torch.testing.assert_close(found, expected[name], rtol=1e-9, atol=1e-11)
    assert max(float(found.abs().max()) for found in in_loops.values()) > 1e-3


def test_second_derivatives_against_finite_differences(network):
    convolution = network.layers.get_submodule("1_convolution")
    draw = torch.Generator().manual_seed(0)
    matrices = int(convolution._paths_P7[-1, 5] + convolution._paths_P7[-1, 2] * convolution._paths_P7[-1, 4])
    sizes = (3, len(convolution._x_by_component)), (4, matrices), (3, convolution.weight_nn.hs[-1])
    inputs = [torch.randn(*size, dtype=torch.float64, generator=draw, requires_grad=True) for size in sizes]
    edges = torch.tensor([0, 0, 1, 2]), torch.tensor([1, 2, 0, 0]), torch.tensor([0, 1, 0, 2])

    def convolved(*given):
        return convolution.in_loops(*given, edges)

    assert torch.autograd.gradcheck(convolved, inputs)
    assert torch.autograd.gradgradcheck(convolved, inputs)


def test_without_bonds_each_edge_is_its_own(network, batch):
    names = ("z", "edge_index", "edge_vector", "batch")
    torch.testing.assert_close(network({name: batch[name] for name in names}), network(batch))


def test_an_average_of_weights_can_be_kept(network):
    """A copy has the same buffers in the same order."""
    own, copied = (dict(one.named_buffers()) for one in (network, copy.deepcopy(network)))
    assert list(own) == list(copied)
    assert [tuple(b.shape) for b in own.values()] == [tuple(b.shape) for b in copied.values()]
