"""Several collections as one: the same graphs, the same training, no leak."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import bulk
from collections_for_tests import COGN, Source, fit, labelled, metals, volumes
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.featurize.graphs import Edges, graphs_of
from zonemelt.tasks.shards.files import write_shard
from zonemelt.tasks.shards.shard_set import ShardSet, write_index
from zonemelt.tasks.train.apart import check_apart, rows_apart
from zonemelt.tasks.train.collection import read_joined
from zonemelt.tasks.train.joined import (
    JoinedSource,
    join,
    join_splits,
    label_weights,
)
from zonemelt.tasks.train.labelled import Labelled
from zonemelt.tasks.train.model_folder import WEIGHTS
from zonemelt.tasks.train.objective import EveryLabel, MaskedProperties

COPPERS = metals(["Cu", "Ag"], np.linspace(3.6, 4.2, 5))
SALTS = Crystals.of_atoms([bulk("NaCl", "rocksalt", a=a, cubic=a > 5.7) for a in np.linspace(5.4, 6, 4)])
BOTH = Crystals.of_atoms([one.atoms(i) for one in (COPPERS, SALTS) for i in range(len(one))])


def two():
    return {
        "metals": labelled(COPPERS, {("volume", "Å³/atom"): volumes(COPPERS)}),
        "salts": labelled(
            SALTS, {("squared", "Å⁶/atom²"): volumes(SALTS) ** 2, ("volume", "Å³/atom"): volumes(SALTS)}
        ),
    }


@settings(max_examples=20)
@given(st.lists(st.integers(0, len(BOTH) - 1), min_size=1, max_size=20))
def test_joined_graphs_are_those_of_one_set_in_any_order(order):
    joined = JoinedSource([(Source(COPPERS), len(COPPERS)), (Source(SALTS), len(SALTS))])
    found, expected = joined.read(np.array(order)), Source(BOTH).read(order)
    for part in ("crystals", "neighbours"):
        for name, value in vars(getattr(expected, part)).items():
            np.testing.assert_array_equal(getattr(getattr(found, part), name), value, err_msg=name)


def test_a_graph_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="graphs 0 to 10 of 10"):
        JoinedSource([(Source(COPPERS), len(COPPERS))]).read(np.array([0, 10]))


def test_properties_of_one_name_share_a_head():
    found = join(two())
    assert found.properties == (("volume", "Å³/atom"), ("squared", "Å⁶/atom²"))
    assert found.names_N[9:11] == ["metals/c9", "salts/c0"]
    np.testing.assert_allclose(found.values_NP[:, 0], volumes(BOTH))
    assert np.isnan(found.values_NP[:10, 1]).all()
    assert np.isfinite(found.values_NP[10:, 1]).all()


def test_a_collection_may_have_heads_of_its_own():
    found = join(two(), own_heads=["salts"])
    assert [name for name, _ in found.properties] == ["volume", "salts/squared", "salts/volume"]
    assert np.isnan(found.values_NP[10:, 0]).all()
    assert label_weights(found, {"salts": 3.0}, {"volume": 0.5, "salts/volume": 2.0}) == {
        "volume": 0.5, "salts/squared": 3.0, "salts/volume": 6.0,
    }  # fmt: skip


def test_what_cannot_be_joined_is_refused(tmp_path):
    collections = two()
    other = labelled(SALTS, {("volume", "nm³/atom"): volumes(SALTS)})
    with pytest.raises(InputError, match=r"'volume': in 'Å³/atom' in metals, in 'nm³/atom' in other"):
        join({**collections, "other": other})
    with pytest.raises(UnknownKeyError, match="did you mean 'salts'"):
        join(collections, own_heads=["salt"])
    with pytest.raises(InputError, match="there are none"):
        join({})
    with pytest.raises(UnknownKeyError, match="volum"):
        label_weights(join(collections), properties={"volum": 1.0})
    with pytest.raises(InputError, match="give a positive number"):
        label_weights(join(collections), properties={"volume": 0.0})
    sets = {}
    for k in (6, 12):
        write_index(tmp_path / str(k), [write_shard(tmp_path / str(k), SALTS, Edges(cutoff=6.0, k=k))])
        own = vars(collections["salts"]) | {"source": ShardSet(tmp_path / str(k))}
        sets[f"k{k}"] = Labelled(**own)
    with pytest.raises(InputError, match=r"'k12': edges .*'k': 12.* those of k6 are .*'k': 6"):
        join(sets)


def test_joined_training_is_that_of_the_merged_table(tmp_path):
    collections = two()
    squared = np.where(np.arange(len(BOTH)) < len(COPPERS), np.nan, volumes(BOTH) ** 2)
    merged = labelled(BOTH, {("volume", "Å³/atom"): volumes(BOTH), ("squared", "Å⁶/atom²"): squared})
    split = join_splits(
        collections,
        {"metals": {"train": np.arange(8), "validation": np.array([8, 9])}, "salts": {"train": np.arange(4)}},
    )
    assert split["train"].tolist() == [*range(8), *range(10, 14)]
    fit(join(collections), tmp_path / "joined", split=split, each="label")
    fit(merged, tmp_path / "merged", split=split, each="label")
    one, other = (load_file(tmp_path / name / WEIGHTS) for name in ("joined", "merged"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    fit(join(collections), tmp_path / "weighed", split=split, each="label", weights={"squared": 5.0})
    assert any(
        not torch.equal(value, one[name]) for name, value in load_file(tmp_path / "weighed" / WEIGHTS).items()
    )


def test_what_a_training_of_several_refuses(tmp_path):
    found = join(two())
    with pytest.raises(UnknownKeyError, match="did you mean 'volume'"):
        fit(found, tmp_path, weights={"volumes": 2.0})
    with pytest.raises(UnknownKeyError, match="did you mean 'label'"):
        fit(found, tmp_path, each="labels")
    with pytest.raises(UnknownKeyError, match="did you mean 'joined'"):
        read_joined({"join": {}})


def batch_of(labels):
    batch = COGN.batch(graphs_of(COPPERS.take(slice(0, len(labels))), COGN.edges), dtype="float64")
    batch.labels_GP = torch.tensor(labels, dtype=torch.float64)
    return batch


@pytest.mark.parametrize("kind", [MaskedProperties, EveryLabel])
def test_masked_labels_have_exactly_no_gradient(kind):
    torch.manual_seed(0)
    network = COGN.make(outputs=2).double()
    objective = kind(names=("a", "b"), weights={"a": 1.0, "b": 1.0})
    totals = objective.totals(network, batch_of([[1.0, torch.nan], [2.0, torch.nan], [0.5, torch.nan]]))
    sum(totals.values()).backward()
    assert all((parameter.grad == 0).all() for parameter in network.heads[1].parameters())
    assert any((parameter.grad != 0).any() for parameter in network.heads[0].parameters())
    with_both = {
        name: p.grad.clone() for name, p in network.named_parameters() if not name.startswith("heads.1")
    }
    network.zero_grad()
    torch.manual_seed(0)
    alone = COGN.make(outputs=1).double()
    alone.load_state_dict(
        {name: value for name, value in network.state_dict().items() if "heads.1" not in name}
    )
    sum(
        kind(names=("a",), weights={"a": 1.0}).totals(alone, batch_of([[1.0], [2.0], [0.5]])).values()
    ).backward()
    assert all(torch.equal(p.grad, with_both[name]) for name, p in alone.named_parameters())


def test_every_label_weighs_the_same_as_published():
    torch.manual_seed(0)
    network = COGN.make(outputs=2).double()
    labels = torch.tensor([[1.0, torch.nan], [2.0, 0.3], [0.5, torch.nan]], dtype=torch.float64)
    batch = batch_of(labels.tolist())
    objective = EveryLabel(names=("a", "b"), weights={"a": 1.0, "b": 1.0})
    counts, totals = objective.counts(batch), objective.totals(network, batch)
    loss = sum(totals[name] / counts[name] for name in ("a", "b"))
    there = labels.isfinite()
    torch.testing.assert_close(loss, (network(batch) - labels)[there].abs().sum() / there.sum())


def test_leaks_between_pretraining_and_test_are_found():
    tested = (labelled(metals(["Cu"], [3.6]), {"x": np.zeros(1)}), np.array([0]))
    cubic = Crystals.of_atoms([bulk("Cu", "fcc", a=3.6, cubic=True), bulk("Cu", "fcc", a=3.9), bulk("Ag")])
    learned = {"other": (labelled(cubic, {"y": np.zeros(3)}), np.arange(3))}
    with pytest.raises(InputError, match=r"Cu1? \(pre-training: other/0, other/1; test: test: c0\)"):
        check_apart(learned, tested, by="composition")
    with pytest.raises(InputError, match=r"\(pre-training: other/0; test: test: c0\)"):
        check_apart(learned, tested, by="structure")
    assert rows_apart(learned, tested, by="composition")["other"].tolist() == [2]
    assert rows_apart(learned, tested, by="structure")["other"].tolist() == [1, 2]
    check_apart({"other": (learned["other"][0], np.array([2]))}, tested, by="composition")
    with pytest.raises(UnknownKeyError):
        check_apart(learned, tested, by="name")
