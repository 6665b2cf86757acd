"""A collection is the rows of a dataset with their graphs; what does not fit together is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from labels_for_tests import VASP
from properties_for_tests import dataset_of, records

from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.quality.split_file import read_split, write_split
from zonemelt.tasks.quality.splits import Split
from zonemelt.tasks.records import Property
from zonemelt.tasks.shards.jobs import shard_of
from zonemelt.tasks.shards.shard_set import write_index
from zonemelt.tasks.train.collection import read_collection, split_of


def collection(directory, found, properties):
    dataset = dataset_of(found, directory / "dataset")
    opened = open_dataset(dataset)
    source = {"dataset": str(dataset), "version": opened.version, "start": 0, "stop": len(opened)}
    shards = directory / "shards"
    write_index(shards, [shard_of(source, edges=Edges(cutoff=5.0), directory=shards)])
    return {
        "shards": str(shards),
        "dataset": str(dataset),
        "version": opened.version,
        "properties": list(properties),
    }


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return collection(tmp_path_factory.mktemp("c"), records(), ["gap", "modulus", "energy_per_atom"])


@pytest.fixture(scope="module")
def labelled(document):
    return read_collection(document)


def test_graphs_and_values_are_those_of_the_records(document, labelled):
    opened = open_dataset(document["dataset"])
    assert labelled.properties == (("gap", "eV"), ("modulus", "GPa"), ("energy_per_atom", "eV/atom"))
    for row, record in enumerate(opened.records()):
        assert labelled.names_N[row] == record.identifier
        assert labelled.elements_N[row] == set(record.geometry.symbols)
        gap, modulus, energy = labelled.values_NP[row]
        said = record.properties
        assert gap == said["gap"].value if "gap" in said else np.isnan(gap)
        assert modulus == said["modulus"].value
        assert np.isnan(energy) if record.energy_sigma0 is None else energy == record.energy_per_atom
        graph = labelled.source.read([row])
        assert graph.crystals.atoms(0).get_chemical_symbols() == list(record.geometry.symbols)
        assert labelled.costs_N[row] == len(graph.neighbours.distances_E)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"properties": ["gop"]}, UnknownKeyError, "did you mean 'gap'"),
        ({"properties": []}, InputError, "properties"),
        ({"shards": "shards"}, InputError, "must be absolute"),
        ({"sharts": "/x"}, UnknownKeyError, "did you mean 'shards'"),
        ({"version": "no such"}, InputError, "no such"),
    ],
)
def test_a_document_that_is_wrong_is_refused(document, changes, error, says):
    with pytest.raises(error, match=says):
        read_collection(document | changes)


def with_property(number, **changes):
    found = records()
    gap = Property(value=1.0, unit="eV").model_copy(update=changes)
    found[number] = found[number].model_copy(update={"properties": {"gap": gap}})
    return found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"unit": "meV"}, r"several units: 'eV' \(record m1\), 'meV' \(record m7\)"),
        ({"value": "metal"}, "record m7.*'metal' is no number"),
        ({"value": True}, "True is no number"),
        ({"value": (1.0, 2.0)}, "no number"),
    ],
)
def test_a_value_that_cannot_be_learnt_is_named(tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        read_collection(collection(tmp_path, with_property(7, **changes), ["gap"]))


def test_an_infinite_energy_names_its_record(tmp_path):
    found = records()
    found[4] = found[4].model_copy(update={"energy_free": -np.inf})
    with pytest.raises(InputError, match="infinite in 1 records: m4"):
        read_collection(collection(tmp_path, found, ["energy_free_per_atom"]))


def test_two_levels_of_theory_are_not_one_property_unless_somebody_says_so(tmp_path):
    found = records()
    found[4] = found[4].model_copy(update={"theory": VASP.model_copy(update={"functional": "HSE06"})})
    document = collection(tmp_path, found, ["modulus"])
    with pytest.raises(InputError, match=r"property 'modulus'.*levels of theory are mixed.*HSE06"):
        read_collection(document)
    assert read_collection(document | {"ignoring": ["functional"]}).values_NP[4, 0] == 54.0


def test_shards_of_another_version_are_refused(document, tmp_path):
    other = collection(tmp_path, records()[:7], ["modulus"])
    with pytest.raises(InputError, match="12 records"):
        read_collection(document | {"shards": other["shards"]})


def test_a_split_by_rows_is_taken_as_it_is(labelled):
    split = split_of({"train": [3, 1], "validation": [0], "test": [2]}, labelled)
    assert [rows.tolist() for rows in split.values()] == [[3, 1], [0], [2]]


def test_a_random_split_is_drawn_again_from_its_seed_among_records_with_labels(labelled):
    bare = without(labelled, rows=[2, 9])
    one, two, other = (split_of({"method": "random", "seed": seed}, bare) for seed in (1, 1, 2))
    assert {part: rows.tolist() for part, rows in one.items()} == {p: r.tolist() for p, r in two.items()}
    assert any(one[part].tolist() != other[part].tolist() for part in one)
    assert sorted(np.concatenate(list(one.values()))) == [0, 1, 3, 4, 5, 6, 7, 8, 10, 11]


def without(labelled, *, rows):
    values_NP = labelled.values_NP.copy()
    values_NP[rows] = np.nan
    return replace(labelled, values_NP=values_NP)


def test_chemical_systems_stay_together(labelled):
    split = split_of(
        {"method": "elements", "seed": 0, "fractions": {"train": 0.5, "validation": 0.25, "test": 0.25}},
        labelled,
    )
    parts = [{labelled.elements_N[row] for row in rows.tolist()} for rows in split.values()]
    assert sum(map(len, parts)) == 4


def test_a_split_file_names_records_and_is_the_one_that_was_meant(labelled, tmp_path):
    path = tmp_path / "split.json"
    split = Split(kind="given", parts={"train": ("m3", "m1"), "test": ("m0",)})
    write_split(path, split)
    assert read_split(path) == split
    rows = split_of({"file": str(path), "hash": split.hash}, labelled)
    assert [labelled.names_N[row] for row in rows["train"]] == ["m3", "m1"]
    with pytest.raises(InputError, match="it was changed"):
        split_of({"file": str(path), "hash": "another"}, labelled)
    write_split(path, Split(kind="given", parts={"train": ("m3", "strange")}))
    with pytest.raises(InputError, match="not there: strange"):
        split_of({"file": str(path)}, labelled)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"kind": "given", "parts": {"train": ["a", "a"]}}', "more than once: a"),
        ('{"kind": "given", "part": {"train": ["a"]}}', "did you mean 'parts'"),
        ("[", r"split\.json: '\[' cannot be used\n.*Invalid JSON"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, text, says):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_split(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_split(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"train": [0], "test": []}, "'test' is empty"),
        ({"test": [1]}, "'train' is empty"),
        ({"train": [0, 1], "test": [1]}, "'m1' is in 'train' and in 'test'"),
        ({"train": [0, 0]}, "'m0' is in 'train' and in 'train'"),
        ({"train": [12]}, "rows 12 to 12 of 12"),
        ({"train": [-1]}, "rows -1"),
        ({"train": [0.5]}, "no list of rows"),
        ({"train": ["m0"]}, "no list of rows"),
        ({"train": [0], "tests": [1]}, "did you mean 'test'"),
        ({"method": "random"}, "seed None"),
        ({"method": "guess", "seed": 1}, "random or elements"),
        ({"method": "random", "seed": 1, "fraction": {}}, "did you mean 'fractions'"),
        ({"method": "random", "seed": 1, "fractions": {"train": 0.9}}, "1 together"),
        ({"method": "random", "seed": 1, "fractions": {"train": 0.99, "test": 0.01}}, "'test' is empty"),
    ],
)
def test_a_split_that_is_wrong_is_refused(labelled, given, says):
    with pytest.raises(InputError, match=says):
        split_of(given, labelled)
