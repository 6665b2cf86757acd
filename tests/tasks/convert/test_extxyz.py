"""Records as extended XYZ: nothing is lost, and ASE sees what it looks for."""

import io

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from records_for_tests import records

from zonemelt.tasks.convert.extxyz import frame_of, record_of_frame
from zonemelt.tasks.convert.origin import Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.extxyz import read_extxyz
from zonemelt.tasks.records import Record


def as_ase_reads(text: str) -> ase.Atoms:
    return ase.io.read(io.StringIO(text), format="extxyz")


@settings(max_examples=40)
@given(record=records())
def test_a_record_survives_to_the_last_digit(record: Record) -> None:
    assert record_of_frame(as_ase_reads(frame_of(record)), where="x") == record


@settings(max_examples=10)
@given(record=records(periodic=True))
def test_ase_finds_the_labels_under_its_own_names(record: Record) -> None:
    atoms = as_ase_reads(frame_of(record))
    results = atoms.calc.results if atoms.calc else {}
    assert results.get("energy") == record.energy_sigma0
    assert results.get("free_energy") == record.energy_free
    assert ("forces" in results) == (record.forces is not None)
    if record.forces is not None:
        assert np.array_equal(results["forces"], record.forces)
    if record.stress is not None:
        assert results["stress"][5] == record.stress[0][1]
    assert np.array_equal(atoms.positions, record.geometry.positions)
    assert np.array_equal(atoms.cell.array, record.geometry.cell)


@settings(max_examples=10)
@given(record=records())
def test_files_of_records_come_back(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    path = tmp_path_factory.mktemp("x") / "some.extxyz"
    other = record.model_copy(update={"identifier": "other"})
    path.write_text(frame_of(record) + frame_of(other))
    assert list(read_extxyz(path, Origin(source="x"))) == [record, other]


@settings(max_examples=1)
@given(record=records(periodic=True))
def test_a_spoilt_entry_is_refused(record: Record) -> None:
    atoms = as_ase_reads(frame_of(record))
    atoms.info["zonemelt"]["what"] = 1
    with pytest.raises(InputError, match="what: Extra inputs"):
        record_of_frame(atoms, where="x")
