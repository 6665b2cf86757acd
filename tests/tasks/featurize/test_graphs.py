"""Graphs batch as PyTorch Geometric would batch them, and line graphs hold every angle once each way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges, as_batch, graphs_of
from zonemelt.tasks.featurize.line_graphs import line_graph
from zonemelt.tasks.featurize.neighbours import within

# PyTorch Geometric compiles parts of itself when it is imported, in a way that PyTorch will give up
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

STRUCTURES = [bulk("Al"), bulk("NaCl", "rocksalt", a=5.6, cubic=True), Atoms("He"), molecule("H2O")]
CRYSTALS = Crystals.of_atoms(STRUCTURES)
LABELS = {"labels_G": {"energy": np.arange(4.0)}, "labels_A": {"forces": np.arange(39.0).reshape(13, 3)}}
FIELDS = (
    "z",
    "pos",
    "cell",
    "pbc",
    "edge_index",
    "edge_image",
    "edge_vector",
    "edge_length",
    "energy",
    "forces",
)


def one_by_one(edges):
    """The same batch, made of one Data a graph by PyTorch Geometric."""
    from torch_geometric.data import Batch, Data

    found, atoms = [], 0
    for g, structure in enumerate(STRUCTURES):
        alone = graphs_of(Crystals.of_atoms([structure]), edges)
        lines = alone.neighbours
        rows = slice(atoms, atoms + len(structure))
        atoms += len(structure)
        found.append(Data(
            edge_index=torch.tensor(lines.index_2E), z=torch.tensor(structure.numbers).long(),
            pos=torch.tensor(structure.positions), cell=torch.tensor(structure.cell.array)[None],
            pbc=torch.tensor(structure.pbc)[None], edge_image=torch.tensor(lines.images_E3),
            edge_vector=torch.tensor(lines.vectors_E3), edge_length=torch.tensor(lines.distances_E),
            energy=torch.tensor([float(g)]), forces=torch.tensor(LABELS["labels_A"]["forces"][rows]),
        ))  # fmt: skip
    return Batch.from_data_list(found)


@pytest.mark.parametrize("edges", [Edges(cutoff=3.5, k=None), Edges()], ids=["cutoff", "nearest"])
def test_batches_are_those_of_pytorch_geometric(edges):
    mine, theirs = as_batch(graphs_of(CRYSTALS, edges, **LABELS)), one_by_one(edges)
    for name in (*FIELDS, "batch", "ptr"):
        assert torch.equal(mine[name], theirs[name]), name
    assert mine.num_graphs == theirs.num_graphs == 4
    for one, other in zip(mine.to_data_list(), theirs.to_data_list(), strict=True):
        for name in FIELDS:
            assert torch.equal(one[name], other[name]), name
    assert mine.validate()


def test_a_layer_of_pytorch_geometric_takes_it():
    from torch_geometric.nn import CGConv, global_mean_pool

    batch = as_batch(graphs_of(CRYSTALS, Edges(cutoff=4.0, k=6)), dtype="float32")
    torch.manual_seed(0)
    layer = CGConv(4, dim=1)
    atoms = layer(torch.ones(13, 4), batch.edge_index, batch.edge_length[:, None])
    assert global_mean_pool(atoms, batch.batch).shape == (4, 4)


def test_tensors_share_memory_with_the_arrays():
    graphs = graphs_of(CRYSTALS, Edges(cutoff=3.5, k=None))
    batch = as_batch(graphs)
    for tensor, array in (
        (batch.edge_index, graphs.neighbours.index_2E),
        (batch.edge_vector, graphs.neighbours.vectors_E3),
        (batch.pos, CRYSTALS.positions_A3),
    ):
        assert tensor.data_ptr() == array.ctypes.data


def test_single_precision():
    batch = as_batch(graphs_of(CRYSTALS, Edges(), **LABELS), dtype="float32")
    assert batch.pos.dtype == batch.edge_vector.dtype == batch.energy.dtype == torch.float32
    assert batch.edge_index.dtype == torch.int64


@pytest.mark.parametrize(
    "labels",
    [{"labels_G": {"y": np.zeros(3)}}, {"labels_A": {"y": np.zeros(4)}}],
)
def test_labels_of_the_wrong_length(labels):
    with pytest.raises(InputError, match="label 'y'"):
        graphs_of(CRYSTALS, Edges(), **labels)


def test_labels_may_not_hide_fields():
    with pytest.raises(InputError, match="'ptr' is a field"):
        as_batch(graphs_of(CRYSTALS, Edges(), labels_G={"ptr": np.zeros(4)}))


def test_no_graph_at_all():
    batch = as_batch(graphs_of(Crystals.of([]), Edges()))
    assert (batch.num_graphs, batch.edge_index.shape) == (0, (2, 0))


@pytest.mark.parametrize("cutoff", [None, 2.9])
def test_line_graphs_are_all_pairs_of_edges_of_an_atom(cutoff):
    edges = within(CRYSTALS, cutoff=4.1)
    found = line_graph(edges, cutoff=cutoff)
    short = edges.distances_E <= (cutoff or 99)
    expected = []
    for i in range(13):
        mine = [e for e in range(edges.first_A[i], edges.first_A[i + 1]) if short[e]]
        expected += [(a, b) for a in mine for b in mine if a != b]
    assert list(zip(*found.index_2L.tolist(), strict=True)) == expected
    one, other = edges.vectors_E3[found.index_2L]
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    np.testing.assert_allclose(found.cosines_L, (one * other).sum(axis=1) / lengths, atol=1e-12)


def test_the_angle_of_water():
    water = STRUCTURES[3]
    edges = within(Crystals.of_atoms([water]), cutoff=1.2)
    found = line_graph(edges)
    np.testing.assert_allclose(np.degrees(found.angles_L), [water.get_angle(1, 0, 2)] * 2)


def test_edges_without_length_have_no_angle():
    overlapping = Atoms("H3", positions=[[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    found = line_graph(within(Crystals.of_atoms([overlapping]), cutoff=1.5))
    assert np.isnan(found.cosines_L).sum() == 4
