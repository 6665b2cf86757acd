"""Damage is found, named and explained; what is read is what was written, or an error."""

import numpy as np
import pytest
from datasets_for_tests import record
from pyarrow import parquet

from zonemelt.tasks.datasets import check_dataset, commit, open_dataset, write_part
from zonemelt.tasks.datasets.parts import part_file
from zonemelt.tasks.errors import StoreError, ZonemeltError

SOME = [record(number) for number in range(40)]


@pytest.fixture
def part(tmp_path):
    part = write_part(tmp_path, SOME)
    commit(tmp_path, [part], message="")
    return part


def errors(folder):
    return [finding for finding in check_dataset(folder) if finding.error is not None]


def test_a_dataset_as_it_was_written(tmp_path, part):
    assert errors(tmp_path) == []
    open_dataset(tmp_path).verify()


@pytest.mark.parametrize("quarantine", [False, True])
def test_a_flipped_byte_is_found_or_does_no_harm(tmp_path, part, quarantine):
    path = part_file(tmp_path, part.hash, quarantine=quarantine)
    dataset = open_dataset(tmp_path)
    chosen = dataset.quarantine if quarantine else dataset
    expected, whole = list(chosen.records()), path.read_bytes()
    found: list[ZonemeltError] = []
    for place in np.random.default_rng(0).choice(len(whole), 120, replace=False):
        altered = bytearray(whole)
        altered[place] ^= 0xFF
        path.write_bytes(altered)
        try:
            dataset.verify()
        except ZonemeltError as error:
            found.append(error)
        else:
            assert list(chosen.records()) == expected
    assert len(found) > 60
    assert all(part.hash in error.where and error.remedy for error in found)


@pytest.mark.parametrize("quarantine", [False, True])
@pytest.mark.parametrize("size", [None, 0, 3, 5000])
def test_a_part_that_is_missing_or_cut_off(tmp_path, part, quarantine, size):
    path = part_file(tmp_path, part.hash, quarantine=quarantine)
    path.unlink() if size is None else path.write_bytes(path.read_bytes()[:size])
    (finding,) = errors(tmp_path)
    assert finding.path.name == f"{part.hash}.parquet"
    assert finding.error.where == str(path)
    assert "is missing" in finding.error.what if size is None else "cannot be read" in finding.error.what
    assert "ingest its sources again" in finding.error.remedy
    dataset = open_dataset(tmp_path)
    with pytest.raises(StoreError, match=path.name):
        list((dataset.quarantine if quarantine else dataset).records())
    with pytest.raises(StoreError, match=path.name):
        (dataset.quarantine if quarantine else dataset).take([0])


@pytest.mark.parametrize("change", ["order", "fewer", "value", "level"])
def test_a_part_that_somebody_edited(tmp_path, part, change):
    path = part_file(tmp_path, part.hash)
    table = parquet.ParquetFile(path).read()
    if change == "order":
        table = table.take(list(range(len(table)))[::-1])
    elif change == "fewer":
        table = table.slice(0, len(table) - 1)
    else:
        name = {"value": "energy_free", "level": "theory"}[change]
        values = table[name].to_pylist()
        values[3] = -1.0 if change == "value" else "somewhere else"
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), [values])
    parquet.write_table(table, path)
    (finding,) = errors(tmp_path)
    said = {"order": "out of order", "fewer": "where 36", "value": "altered", "level": "altered"}
    assert said[change] in finding.error.what


def test_an_edited_version(tmp_path, part):
    (path,) = (tmp_path / "versions").iterdir()
    path.write_text(path.read_text().replace('"repeated": 0', '"repeated": 4'))
    (finding,) = errors(tmp_path)
    assert finding.path == path
    assert "do not follow from its parts" in finding.error.what


def test_a_damaged_log_does_not_hide_what_else_is_damaged(tmp_path, part):
    (log,) = (tmp_path / "log").iterdir()
    log.write_text("{")
    (finding,) = errors(tmp_path)
    assert finding.path == log
    assert "the entry of the log cannot be read" in finding.error.what
    path = part_file(tmp_path, part.hash)
    path.unlink()
    assert [finding.path for finding in errors(tmp_path)] == [path, log]


def test_what_killed_writers_left_is_told(tmp_path, part):
    (tmp_path / "parts" / ".0123.tmp").write_bytes(b"half")
    alone = write_part(tmp_path, SOME[:3])
    notes = {finding.path.name: finding.note for finding in check_dataset(tmp_path) if finding.note}
    assert notes.keys() == {".0123.tmp", f"{alone.hash}.parquet"}
    assert "in no version" in notes[f"{alone.hash}.parquet"]


def test_ingesting_again_mends_a_part(tmp_path, part):
    path = part_file(tmp_path, part.hash)
    path.unlink()
    assert write_part(tmp_path, SOME) == part
    assert errors(tmp_path) == []
