"""The graph networks keep the contract of models; CGCNN is the published one."""

from __future__ import annotations

import pytest
import torch
from model_contract import ModelContract
from torch.nn import functional

from zonemelt.tasks.models.basis import published_atoms
from zonemelt.tasks.models.cgcnn import CGCNN, Convolution
from zonemelt.tasks.models.cogn import CoGN


class TestCGCNN(ModelContract):
    def model(self):
        return CGCNN(outputs=2)


class TestCoGN(ModelContract):
    def model(self):
        return CoGN(outputs=2, width=16, depth=2)


class TestNestedCoGN(ModelContract):
    nested = True

    def model(self):
        return CoGN(outputs=1, width=16, depth=2, nested=True)


@pytest.mark.parametrize("training", [True, False])
def test_a_convolution_in_parts_is_the_published_one(training):
    torch.manual_seed(0)
    layer = Convolution(4, 3).double().train(training)
    for norm in (layer.norm_gate, layer.norm_sum):  # as after some training
        for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            values.uniform_(0.5, 2.0)
    atoms, edges = torch.randn(5, 4).double(), torch.randn(7, 3).double()
    index = torch.randint(0, 5, (2, 7))
    whole = torch.cat([layer.centre.weight, layer.neighbour.weight, layer.edge.weight], dim=1)
    z = torch.cat([atoms[index[1]], atoms[index[0]], edges], dim=1) @ whole.T + layer.centre.bias
    gate, core = layer.norm_gate(z).chunk(2, dim=1)
    summed = torch.zeros(5, 4).double()
    for e in range(7):
        summed[index[1, e]] += torch.sigmoid(gate[e]) * functional.softplus(core[e])
    expected = functional.softplus(atoms + layer.norm_sum(summed))
    assert torch.allclose(layer(atoms, edges, index), expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_convolution_in_lower_precision_is_nearly_the_same(training):
    torch.manual_seed(0)
    layer = Convolution(4, 3).train(training)
    atoms, edges, index = torch.randn(5, 4), torch.randn(7, 3), torch.randint(0, 5, (2, 7))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lower = layer(atoms, edges, index)
    assert torch.allclose(lower.float(), layer(atoms, edges, index), atol=0.1)


def test_atoms_are_told_apart_by_what_is_known_of_them():
    rows = published_atoms()
    assert rows.shape == (119, 92)
    assert not rows[0].any()
    known = rows[1:104]
    assert len({row.tobytes() for row in known}) >= 95
    assert (known.sum(axis=1) >= 5).all()
    assert known.sum(axis=1).max() == 9
