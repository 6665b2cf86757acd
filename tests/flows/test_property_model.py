"""The graph from a dataset to a judged model; what is wrong with it is said before anything runs."""

from __future__ import annotations

import pytest
from jobflow import Flow
from properties_for_tests import dataset_of, records

from zonemelt.flows.property_model import PropertyModelMaker
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    dataset = dataset_of(records(20), place / "metals")
    return {
        "dataset": str(dataset),
        "version": open_dataset(dataset).version,
        "properties": ["volume"],
        "split": {"method": "random", "seed": 1},
        "settings": {"seed": 1},
        "directory": str(place / "model"),
    }


def names(graph):
    return [name for one in graph for name in (names(one) if isinstance(one, Flow) else [one.name])]


def test_a_network_needs_graphs_and_a_family_does_not(given):
    assert names(PropertyModelMaker(**given).make()) == ["plan shards", "train", "judge"]
    fitted = PropertyModelMaker(**given | {"model": {"family": "ridge"}}).make()
    assert names(fitted) == ["fit", "judge"]
    assert not any(one.config.manager_config["cache"] for one in fitted.jobs)  # models are files


def test_members_are_trained_side_by_side_and_put_together(given):
    graph = PropertyModelMaker(**given | {"members": 3}).make()
    assert names(graph) == ["plan shards", "train 0", "train 1", "train 2", "assemble", "judge"]


def test_resources_are_those_of_the_training(given):
    graph = PropertyModelMaker(**given | {"ranks_per_node": 4, "gpus_per_rank": 1, "pool": "gpu"}).make()
    training = next(iter(graph.jobs[1]))
    config = training.config.manager_config
    assert (config["ranks_per_node"], config["gpus_per_rank"], config["pool"]) == (4, 1, "gpu")
    assert "pool" not in graph.jobs[2].config.manager_config


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"directory": "model"}, InputError, "directory: 'model' is not absolute"),
        ({"dataset": "metals"}, InputError, "dataset: 'metals' is not absolute"),
        ({"properties": ["volum"]}, UnknownKeyError, "did you mean 'volume'"),
        ({"model": {"architecture": "gcn"}}, UnknownKeyError, "architecture"),
        ({"model": {"family": "ridges"}}, UnknownKeyError, "did you mean 'ridge'"),
        ({"model": {"family": "ridge"}, "settings": {"epochs": 3}}, UnknownKeyError, "unknown key 'epochs'"),
        ({"settings": {}}, InputError, "seed"),
        ({"split": {"train": [0], "test": [0]}}, InputError, "'m0' is in 'train' and in 'test'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(given, changes, error, says):
    with pytest.raises(error, match=says):
        PropertyModelMaker(**given | changes).make()
