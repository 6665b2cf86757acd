"""Opened datasets: tables, filters, flat arrays, places, levels of theory."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from datasets_for_tests import LEVELS, record

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import commit, open_dataset, parts, write_part
from zonemelt.tasks.datasets.scan import where_said
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.records import Geometry, Property, one_theory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 records in three parts which overlap, in row groups of 16."""
    place = tmp_path_factory.mktemp("dataset")
    before, parts.ROWS = parts.ROWS, 16
    try:
        for first, end in ((0, 50), (40, 90), (70, 120)):
            commit(place, [write_part(place, [record(n) for n in range(first, end)])], message=f"{first}")
    finally:
        parts.ROWS = before
    return place


@pytest.fixture
def dataset(folder):
    return open_dataset(folder)


def test_everything_once_and_in_one_order(dataset):
    found = list(dataset.records())
    assert len(found) == len(dataset) == 108
    assert {r.identifier: r for r in found} == {
        record(n).identifier: record(n) for n in range(120) if n % 10 != 7
    }
    assert dataset.frame().identifier.tolist() == [r.identifier for r in found]
    assert dataset.info.repeated == 30


def test_quarantine_with_reasons(dataset):
    assert len(dataset.quarantine) == 12
    found = dataset.quarantine.frame()
    assert set(found.verdict) == {"quarantined"}
    assert found.reasons[0].tolist() == ["two atoms are 0.31 Å apart"]
    assert all(not r.quality.accepted for r in dataset.quarantine.records())
    assert dataset.quarantine.version == dataset.version


def test_frame_has_the_columns_asked_for_in_their_order(dataset):
    found = dataset.frame(columns=["natoms", "formula", "energy_free"], where={"elements": "Al-Au"})
    assert found.columns.tolist() == ["natoms", "formula", "energy_free"]
    assert set(found.formula) == {"AlAu"}
    assert dataset.frame(where={"elements": "Xe"}).empty
    assert dataset.frame(where={"elements": "Xe"}).columns.tolist() == dataset.frame().columns.tolist()


def test_properties_are_columns_too(tmp_path):
    gap = {"band gap": Property(value=1.1, unit="eV"), "phase": Property(value="rutile", unit="")}
    some = [record(1, properties=gap), record(2)]
    commit(tmp_path, [write_part(tmp_path, some)], message="")
    dataset = open_dataset(tmp_path)
    columns = ["properties.band gap", "identifier", "properties.phase"]
    found = dataset.frame(columns=columns)
    assert found.columns.tolist() == columns
    assert found["properties.band gap"].dtype == float
    assert found["properties.band gap"].tolist()[0] == 1.1
    assert found["properties.phase"].tolist() == ["rutile", None]
    assert found["properties.band gap"].isna().tolist() == [False, True]
    assert dataset.frame(columns=columns, where={"natoms": 99}).empty
    with pytest.raises(UnknownKeyError, match="did you mean 'band gap'"):
        dataset.frame(columns=["properties.bandgap"])


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({"elements": "Al-Au"}, lambda r: len(r.geometry.symbols) == 2),
        ({"identifier": ["record-000003", "record-000004"]}, lambda r: r.identifier[-3:] in {"003", "004"}),
        ({"natoms": {2, 3}, "energy_sigma0": None}, lambda r: int(r.identifier[-3:]) % 12 in {0, 9}),
        (pc.field("natoms") > 3, lambda r: len(r.geometry.symbols) > 3),
        (pc.field("forces").is_null(), lambda r: r.forces is None),
        ({}, lambda r: True),
    ],
)  # fmt: skip
def test_filters(dataset, where, fits):
    found = list(dataset.records(where=where))
    assert found == [r for r in dataset.records() if fits(r)]
    assert found


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ({"element": "Al"}, UnknownKeyError, "did you mean 'elements'"),
        ({"natoms": "many"}, InputError, "the filter cannot be applied"),
        ({"natoms": ["many"]}, InputError, "the filter cannot be applied"),
        ({"natoms": 2**70}, InputError, "the filter cannot be applied"),
        (pc.field("element") == "Al", InputError, "the filter cannot be applied"),
        ("elements=Al", InputError, "a filter is a mapping or an expression"),
    ],
)
def test_filters_that_cannot_be_applied(dataset, where, error, said):
    with pytest.raises(error, match=said):
        list(dataset.records(where=where))


def test_an_unknown_column_names_the_nearest(dataset):
    with pytest.raises(UnknownKeyError, match="did you mean 'energy_per_atom'"):
        dataset.frame(columns=["energy_peratom"])


def test_filters_as_they_are_typed():
    said = ["elements=Al-Au", "natoms=3", "accepted=true", "log="]
    assert where_said(said) == {"elements": "Al-Au", "natoms": 3, "accepted": True, "log": None}
    for wrong, words in (
        ("elements", "COLUMN=VALUE"),
        ("natoms=many", "'natoms=many': no int"),
        ("element=Al", "did you mean 'elements'"),
    ):
        with pytest.raises(InputError, match=words):
            where_said([wrong])


@pytest.mark.parametrize("batch", [1, 7, 8192])
def test_crystals_are_the_structures_of_the_records(dataset, batch):
    found = list(dataset.crystals(batch=batch))
    assert max(map(len, found)) <= batch
    expected = Crystals.of(r.geometry for r in dataset.records())
    for name in ("numbers_A", "positions_A3", "cells_G33", "periodic_G3"):
        joined = np.concatenate([getattr(one, name) for one in found])
        assert joined.dtype == getattr(expected, name).dtype
        np.testing.assert_array_equal(joined, getattr(expected, name))
    sizes = np.concatenate([one.sizes_G for one in found])
    np.testing.assert_array_equal(sizes, expected.sizes_G)
    assert all(one.first_G[0] == 0 for one in found)
    assert found[0].first_G.dtype == np.int64


@pytest.mark.parametrize("where", [None, {"elements": "Al-Au"}])
def test_labels_belong_to_the_crystals(dataset, where):
    records = list(dataset.records(where))
    place = 0
    batches = zip(dataset.crystals(5, where), dataset.labels(5, where), strict=True)
    for crystals, labels in batches:
        assert len(crystals) == len(labels)
        np.testing.assert_array_equal(crystals.first_G, labels.first_G)
        assert labels.forces_A3.shape == crystals.positions_A3.shape
        for number in range(len(labels)):
            one, place = records[place], place + 1
            atoms = slice(labels.first_G[number], labels.first_G[number + 1])
            for has, value, expected in (
                (labels.has_energy_free_G, labels.energy_free_G[number], one.energy_free),
                (labels.has_energy_sigma0_G, labels.energy_sigma0_G[number], one.energy_sigma0),
                (labels.has_forces_G, labels.forces_A3[atoms], one.forces),
                (labels.has_stress_G, labels.stresses_G33[number], one.stress),
            ):
                assert has[number] == (expected is not None)
                np.testing.assert_array_equal(value, np.nan if expected is None else expected)
    assert place == len(records)


def test_take(dataset):
    everything = list(dataset.records())
    places = [107, 0, 3, 3, 60, 31, 59]
    assert dataset.take(places) == [everything[place] for place in places]
    assert dataset.take([]) == []
    quarantine = list(dataset.quarantine.records())
    assert dataset.quarantine.take([11, 2]) == [quarantine[11], quarantine[2]]
    for outside in ([108], [-1]):
        with pytest.raises(InputError, match="of 108 records"):
            dataset.take(outside)


def test_take_reads_only_the_row_groups_it_needs(dataset, monkeypatch):
    from pyarrow import parquet

    read = []
    original = parquet.ParquetFile.read_row_groups

    def watched(self, groups, **options):
        read.extend(groups)
        return original(self, groups, **options)

    monkeypatch.setattr(parquet.ParquetFile, "read_row_groups", watched)
    dataset.take([20, 21])
    assert 1 <= len(read) <= 2


def test_one_theory(dataset, tmp_path):
    assert dataset.one_theory() == one_theory(dataset.records()) == LEVELS[0].key
    commit(tmp_path, [], message="")
    with pytest.raises(InputError, match="there are no records"):
        open_dataset(tmp_path).one_theory()


CLASHES = [
    {"theory": LEVELS[1]},
    {"theory": LEVELS[0].model_copy(update={"setups": {"Al": "another"}})},
    {"theory": LEVELS[0].model_copy(update={"hubbard_u": {"Al": 4.0}})},
    {"theory": LEVELS[0].model_copy(update={"hubbard_u": {"Fe": 4.0}})},
    {"theory": LEVELS[0].model_copy(update={"cutoff": 400.0})},
]


@pytest.mark.parametrize("change", CLASHES)
@pytest.mark.parametrize("ignoring", [(), ("cutoff",), ("setups",), ("hubbard_u",)])
def test_one_theory_says_what_it_says_of_records(tmp_path, change, ignoring):
    some = [record(1), record(2, **change), record(3)]
    commit(tmp_path, [write_part(tmp_path, some)], message="mixed: stored, but not used together")
    dataset = open_dataset(tmp_path)

    def said(question):
        try:
            return question(ignoring=ignoring)
        except InputError as error:
            return error.what

    assert said(dataset.one_theory) == said(partial(one_theory, some))


def test_plain_pandas_reads_a_part(folder):
    found = pd.read_parquet(folder / "parts", filters=[("elements", "==", "Al-Au")])
    assert len(found) > 0
    positions = np.asarray(found.positions.iloc[0]).reshape(-1, 3)
    assert positions.shape == (2, 3)


def test_molecules_and_slabs_keep_their_directions(tmp_path):
    geometry = Geometry(
        cell=((0, 0, 0), (0, 0, 0), (0, 0, 20)),
        symbols=("O",),
        positions=((0, 0, 0),),
        periodic=(False, False, True),
    )
    molecule = record(1, geometry=geometry, forces=None)
    commit(tmp_path, [write_part(tmp_path, [molecule])], message="")
    (crystals,) = open_dataset(tmp_path).crystals()
    assert crystals.periodic_G3.tolist() == [[False, False, True]]
    assert open_dataset(tmp_path).frame().volume.isna().all()


def test_an_empty_version(tmp_path):
    commit(tmp_path, [], message="nothing yet")
    dataset = open_dataset(tmp_path)
    assert (len(dataset), list(dataset.records()), list(dataset.crystals())) == (0, [], [])
    assert dataset.frame().empty
