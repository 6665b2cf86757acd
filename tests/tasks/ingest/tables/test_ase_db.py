"""ASE's databases: every kind, row by row, and never written to."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.db import connect

from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.ase_db import read_ase_db
from zonemelt.tasks.records import Record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ORIGIN = Origin(source="some.db", sha256="34" * 32)


def filled(path: Path) -> list[np.ndarray]:
    forces = []
    with connect(path) as database:
        for number in range(3):
            atoms = bulk("Cu", cubic=True)
            atoms.rattle(0.1, seed=number)
            atoms.calc = EMT()
            forces.append(atoms.get_forces())
            atoms.get_stress()
            database.write(atoms, group="x", number=number)
        database.write(bulk("Al"))
    return forces


@pytest.mark.parametrize("name", ["some.db", "some.json", "some.aselmdb"])
def test_every_row_of_every_kind(tmp_path: Path, name: str) -> None:
    forces = filled(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    *labelled, bare = read_ase_db(tmp_path / name, ORIGIN)
    assert (tmp_path / name).read_bytes() == before
    assert len(labelled) == 3
    for number, record in enumerate(labelled):
        assert isinstance(record, Record), record
        assert np.allclose(record.forces, forces[number], atol=1e-14)
        assert record.energy_free == record.energy_sigma0
        assert record.stress is not None
        assert record.theory.code == "emt"
        assert record.properties["group"].value == "x"
        assert record.properties["number"].value == number
    assert isinstance(bare, Record)
    assert (bare.energy_free, bare.forces, bare.stress) == (None, None, None)


def test_a_bad_row_does_not_lose_the_others(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    filled(path)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE systems SET energy = 9e999 WHERE id = 1")
        file.execute("UPDATE systems SET positions = x'00' WHERE id = 2")
    found = list(read_ase_db(path, ORIGIN))
    assert [type(one) for one in found] == [BadRow, BadRow, Record, Record]
    assert isinstance(found[1], BadRow)
    assert found[1].where == "some.db, row 2"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"hello", "no database"), (b"{]", "no database"), (b"SQLite format 3\0xx", "SQLite")],
)
def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        list(read_ase_db(path, ORIGIN))
    assert path.read_bytes() == content


def test_somebody_elses_sqlite_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE t (a)")
    with pytest.raises(InputError, match="not one of ASE's"):
        list(read_ase_db(path, ORIGIN))
