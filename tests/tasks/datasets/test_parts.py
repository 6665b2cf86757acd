"""Parts: named by their content, streamed, whole or not there at all."""

import pandas as pd
import pyarrow as pa
import pytest
from datasets_for_tests import LEVELS, bulk, record
from pyarrow import parquet

from zonemelt.tasks.datasets import parts, write_part
from zonemelt.tasks.datasets.check import verify_part
from zonemelt.tasks.datasets.parts import PartWriter, part_file
from zonemelt.tasks.errors import StoreError

SOME = [record(number) for number in range(30)]


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_same_records_give_the_same_part(tmp_path):
    part = write_part(tmp_path, iter(SOME))
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files_below(tmp_path)}
    assert write_part(tmp_path, SOME) == part
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in files_below(tmp_path)} == before
    assert write_part(tmp_path / "other", SOME) == part
    assert write_part(tmp_path, SOME[::-1]).hash != part.hash


def test_what_is_not_accepted_goes_into_quarantine(tmp_path):
    part = write_part(tmp_path, SOME)
    assert (part.records, part.quarantined) == (27, 3)
    usable = pd.read_parquet(tmp_path / "parts")
    quarantine = pd.read_parquet(tmp_path / "quarantine")
    assert len(usable) == 27
    assert set(quarantine.verdict) == {"quarantined"}
    assert quarantine.reasons[0].tolist() == ["two atoms are 0.31 Å apart"]


def test_records_that_nobody_judged_are_no_quarantine(tmp_path):
    assert write_part(tmp_path, [record(7, quality=None)]).records == 1


def test_verdicts_count_in_the_hash(tmp_path):
    good, unjudged = record(1), record(1, quality=None)
    assert write_part(tmp_path, [good]).hash != write_part(tmp_path, [unjudged]).hash


def test_the_hash_does_not_depend_on_how_the_file_is_written(tmp_path, monkeypatch):
    part = write_part(tmp_path / "a", SOME)
    monkeypatch.setattr(parts, "ROWS", 4)
    assert write_part(tmp_path / "b", SOME) == part
    path = part_file(tmp_path / "b", part.hash)
    assert parquet.ParquetFile(path).num_row_groups == 8
    table = parquet.ParquetFile(path).read()
    parquet.write_table(table, path, compression="gzip", version="1.0", row_group_size=7)
    assert verify_part(tmp_path / "b", part.hash) == part


def test_row_groups_are_bounded_by_atoms_too(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ATOMS", 20)
    part = write_part(tmp_path, [record(number, quality=None) for number in range(100)])
    groups = parquet.ParquetFile(part_file(tmp_path, part.hash)).metadata
    sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert sum(sizes) == 100
    assert max(sizes) <= 10


def test_records_are_taken_as_they_come(tmp_path, monkeypatch):
    """A part of any length is written with a few records in memory."""
    monkeypatch.setattr(parts, "ROWS", 5)
    written = []
    monkeypatch.setattr(
        PartWriter, "write", lambda self, batch, levels, quarantine: written.append(len(batch))
    )
    taken = 0

    def stream():
        nonlocal taken
        for number in range(50):
            taken += 1
            assert taken - sum(written) <= 5
            yield record(number, quality=None)

    write_part(tmp_path, stream())
    assert sum(written) == 50


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_reader_that_fails_leaves_nothing(tmp_path, error):
    def stream():
        yield from SOME
        raise error

    with pytest.raises(error):
        write_part(tmp_path, stream())
    assert files_below(tmp_path) == []


def test_a_disk_that_is_full_is_told_once_and_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="no space"), PartWriter(tmp_path) as writer:  # noqa: PT012
        writer.write(bulk(0, 1), {LEVELS[0].key: LEVELS[0]})

        def close():
            raise OSError(28, "no space left")

        writer._writers[False].close = close
        writer.finish()
    assert files_below(tmp_path) == []


def test_no_records_are_a_part_too(tmp_path):
    part = write_part(tmp_path, [])
    assert (part.records, part.quarantined) == (0, 0)
    assert verify_part(tmp_path, part.hash) == part


def test_a_large_structure(tmp_path):
    batch = bulk(0, 1, atoms=100_000)
    with PartWriter(tmp_path) as writer:
        writer.write(batch, {LEVELS[0].key: LEVELS[0]})
        part = writer.finish()
    assert verify_part(tmp_path, part.hash).records == 1


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_part(tmp_path / "file", SOME)


def test_columns_for_people(tmp_path):
    write_part(tmp_path, [record(4), record(1, forces=None, energy_sigma0=None)])
    first, second = pd.read_parquet(tmp_path / "parts").to_dict("records")
    assert first["formula"] == "AlAu"
    assert first["elements"] == "Al-Au"
    assert first["natoms"] == 2
    assert first["volume"] == pytest.approx(512)
    assert first["energy_per_atom"] == record(4).energy_per_atom
    assert second["formula"] == "AlAuO"
    assert pd.isna(second["energy_per_atom"])
    assert pd.isna(second["max_force"])
    forces = record(5).forces
    write_part(tmp_path / "b", [record(1), record(5), record(4)])
    found = pd.read_parquet(tmp_path / "b" / "parts").max_force
    assert found[1] == pytest.approx(max(sum(x * x for x in force) ** 0.5 for force in forces))
    assert pd.isna(found[2])


def test_organic_formulas_are_in_hill_order():
    from zonemelt.tasks.datasets.derived import _names

    assert _names(bytes([8, 1, 6, 1, 1])) == ("CH3O", "C-H-O")
    assert _names(bytes([8, 1, 1])) == ("H2O", "H-O")


def test_types_are_the_same_whatever_is_absent(tmp_path):
    bare = record(1, forces=None, stress=None, energy_free=None, energy_sigma0=None, quality=None)
    schemas = [
        pa.schema(parquet.read_schema(part_file(tmp_path, write_part(tmp_path, some).hash)))
        for some in ([], [bare], SOME)
    ]
    assert schemas[0].remove_metadata() == schemas[1].remove_metadata() == schemas[2].remove_metadata()
