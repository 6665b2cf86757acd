"""Records in datasets: what comes back equals what went in, and every field counts in the digest."""

import math
import tempfile

import pyarrow as pa
import pytest
from datasets_for_tests import LEVELS, record, records
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.datasets.digests import digests
from zonemelt.tasks.datasets.rows import batch_of, records_of
from zonemelt.tasks.datasets.schema import CONTENT, content_schema
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import (
    Computed,
    Convergence,
    Correction,
    Geometry,
    Ingested,
    Property,
    Quality,
    Record,
)
from zonemelt.tasks.theory import Theory


@settings(max_examples=40)
@given(st.lists(records(), min_size=1, max_size=3))
def test_records_come_back_equal(some):
    batch, levels = batch_of(some)
    found = list(records_of(batch, levels))
    assert found == some
    assert [r.model_dump_json() for r in found] == [
        Record.model_validate(r.model_dump()).model_dump_json() for r in found
    ]  # what was not validated again is as if it were, types included


@settings(max_examples=10)
@given(st.lists(records(), max_size=4))
def test_records_come_back_from_files_equal(some):
    with tempfile.TemporaryDirectory() as folder:
        commit(folder, [write_part(folder, some)], message="any")
        dataset = open_dataset(folder)
        dataset.verify()
        found = [*dataset.records(), *dataset.quarantine.records()]
    distinct = {digests(batch_of([r])[0])[0]: r for r in some}
    assert {digests(batch_of([r])[0])[0]: r for r in found} == distinct
    assert len(found) == len(distinct)


@settings(max_examples=15)
@given(st.lists(records(), min_size=2, max_size=4))
def test_digests_do_not_depend_on_the_batch(some):
    batch, _ = batch_of(some)
    apart = [digests(batch_of([r])[0])[0] for r in some]
    assert digests(batch) == apart
    assert digests(batch.slice(1)) == apart[1:]
    again = pa.Table.from_batches([batch.slice(0, 1), batch.slice(1)]).combine_chunks().to_batches()[0]
    assert digests(again) == apart


def test_a_minus_before_zero_is_kept():
    moved = record(1, energy_free=-0.0)
    (found,) = records_of(*batch_of([moved]))
    assert math.copysign(1, found.energy_free) == -1


NEW_VALUES = {
    "identifier": "other",
    "energy_free": 1.0,
    "energy_sigma0": 1.0,
    "correction": Correction(scheme="a", energy=0.0),
    "forces": None,
    "stress": ((0.0,) * 3,) * 3,
    "magmoms": (0.0, 0.0, 0.0),
    "properties": {"gap": Property(value=1.0, unit="eV")},
    "theory": LEVELS[1],
    "convergence": Convergence(electronic=True, complete=None),
    "provenance": Computed(oracle="a", input_digest="", seconds=0, cpu_seconds=0, host=""),
    "quality": None,
    "geometry": record(5).geometry,
}


@pytest.mark.parametrize("field", Record.model_fields)
def test_every_field_counts_in_the_digest(field):
    changed = record(1, **{field: NEW_VALUES[field]})
    assert digests(batch_of([changed])[0]) != digests(batch_of([record(1)])[0])


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("properties", {"a": Property(value=1.0, unit="")}, {"a": Property(value=True, unit="")}),
        ("quality", Quality(accepted=True, reasons=("ab",)), Quality(accepted=True, reasons=("a", "b"))),
        ("quality", Quality(accepted=True), None),
        ("magmoms", None, (0.0, 0.0, 0.0)),
        (
            "convergence",
            Convergence(electronic=None, complete=True),
            Convergence(electronic=False, complete=True),
        ),
        ("identifier", "", "\0"),
    ],
)
def test_what_looks_alike_has_another_digest(field, one, other):
    both = [digests(batch_of([record(1, **{field: value})])[0]) for value in (one, other)]
    assert both[0] != both[1]


def test_the_order_of_mappings_does_not_count():
    pairs = [("a", Property(value=1.0, unit="")), ("b", Property(value=2.0, unit=""))]
    both = [record(1, properties=dict(order)) for order in (pairs, pairs[::-1])]
    assert len({digests(batch_of([one])[0])[0] for one in both}) == 1


def test_a_digest_stays_what_it_is():
    """Changes of the digest need a new version of the schema: hashes are in people's provenance."""
    assert digests(batch_of([record(0)])[0])[0].hex() == "ec803fa234fc7bf1c2747b72422e5832"


def test_a_level_of_theory_is_kept_once():
    _, levels = batch_of([record(1), record(2, theory=LEVELS[0])])
    assert levels == {LEVELS[0].key: LEVELS[0]}


def test_columns_hold_every_field():
    """A field that is added to the record must be stored: this fails until it is."""
    flat = {
        "geometry": set(Geometry.model_fields),
        "correction": {"correction_scheme", "correction_energy"},
        "convergence": {"converged_electronic", "converged_ionic", "complete", "iterations"},
        "provenance": (set(Computed.model_fields) | set(Ingested.model_fields) | {"provenance"}) - {"kind"},
        "quality": set(Quality.model_fields),
        "theory": {"theory", "hubbard_u", "setups"},
    }
    names = set().union(*(flat.get(name, {name}) for name in Record.model_fields))
    assert names - {"symbols"} | {"numbers"} == set(CONTENT) == set(content_schema().names)
    assert set(Convergence.model_fields) == {"electronic", "ionic", "complete", "iterations"}
    assert set(Correction.model_fields) == {"scheme", "energy"}
    assert set(Property.model_fields) == {"value", "unit"}
    assert set(Theory.model_fields) >= {"hubbard_u", "setups"}


def test_an_integer_too_large_is_refused_by_name():
    large = record(3, convergence=Convergence(electronic=True, complete=True, iterations=2**70))
    with pytest.raises(InputError, match="record-000003"):
        batch_of([record(1), large])
