"""Other people's extended XYZ: their names for labels, and what is wrong with their files."""

import gzip
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.extxyz import read_extxyz
from zonemelt.tasks.records import Record
from zonemelt.tasks.theory import Theory

CELL = 'Lattice="2 0 0 0 3 0 0 0 4"'
ROWS = "H 0 0 0 0.1 0.2 0.3\nO 1 1 1 -0.1 -0.2 -0.3\n"
COLUMNS = "Properties=species:S:1:pos:R:3:forces:R:3"
GOOD = f"2\n{CELL} {COLUMNS} energy=-1.5\n{ROWS}"
ORIGIN = Origin(source="set.extxyz", sha256="ab" * 32)


def read(tmp_path: Path, text: str | bytes, **more: object) -> list[Record | BadRow]:
    path = tmp_path / "set.extxyz"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_extxyz(path, replace(ORIGIN, **more)))  # type: ignore[arg-type]


def one(tmp_path: Path, text: str, **more: object) -> Record:
    (record,) = read(tmp_path, text, **more)
    assert isinstance(record, Record), record
    return record


def test_energy_and_free_energy_are_kept_apart(tmp_path: Path) -> None:
    record = one(tmp_path, f"2\n{CELL} {COLUMNS} energy=-1.5 free_energy=-1.6\n{ROWS}")
    assert (record.energy_sigma0, record.energy_free) == (-1.5, -1.6)
    assert record.forces == ((0.1, 0.2, 0.3), (-0.1, -0.2, -0.3))
    assert record.stress is None
    assert "one_energy" not in record.properties


def test_one_energy_counts_as_both_and_says_so(tmp_path: Path) -> None:
    record = one(tmp_path, GOOD)
    assert (record.energy_sigma0, record.energy_free) == (-1.5, -1.5)
    assert "both" in str(record.properties["one_energy"].value)


def test_names_of_training_sets_are_known(tmp_path: Path) -> None:
    text = GOOD.replace("forces", "REF_forces").replace("energy=", "REF_energy=")
    record = one(tmp_path, text)
    assert record.energy_free == -1.5
    assert record.forces is not None


def test_a_virial_becomes_a_stress_with_its_sign(tmp_path: Path) -> None:
    record = one(tmp_path, GOOD.replace("energy=", 'virial="24 0 12 0 24 0 12 0 24" energy='))
    assert np.allclose(record.stress, [[-1, 0, -0.5], [0, -1, 0], [-0.5, 0, -1]], atol=1e-15)
    assert "virial" not in record.properties


def test_two_energies_that_differ_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("energy=", "REF_energy=-2.0 energy=")
    (bad,) = read(tmp_path, text)
    assert bad == BadRow(where="set.extxyz, line 1 (frame 0)", reason="energy and REF_energy differ")


def test_units_that_a_frame_states_must_be_ours(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, GOOD.replace("energy=", "energy_unit=Hartree energy="))
    assert isinstance(bad, BadRow)
    assert bad.reason == "energy_unit is Hartree"


def test_what_else_a_frame_says_is_kept(tmp_path: Path) -> None:
    text = GOOD.replace("energy=", 'jid=Cu-1 group="a b" T=300 ok=F hist="1 2 3" energy=')
    record = one(tmp_path, text)
    assert record.identifier == "Cu-1"
    kept = {name: p.value for name, p in record.properties.items()}
    assert kept["group"] == "a b"
    assert kept["T"] == 300.0
    assert kept["ok"] is False
    assert kept["hist"] == (1.0, 2.0, 3.0)


def test_files_without_a_theory_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "set.extxyz").write_text(GOOD)
    keys = set()
    for sha in ("a" * 64, "b" * 64):
        (record,) = read_extxyz(tmp_path / "set.extxyz", Origin(source="x", sha256=sha))
        assert isinstance(record, Record)
        keys.add(record.theory.key)
    assert len(keys) == 2
    assert one(tmp_path, GOOD, theory=Theory(code="vasp")).theory == Theory(code="vasp")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (GOOD.replace("-1.5", "nan"), "energy_free: .*finite"),
        (GOOD.replace("0.3\n", "\n", 1), "ASE cannot read it"),
        (GOOD.replace("2\n", "3\n", 1), "says 3 atoms and has 2 rows"),
        (GOOD.replace("2\n", "1\n", 1), "says 1 atoms and has 2 rows"),
        (GOOD.replace("2\n", "two\n", 1), "no number of atoms"),
        (GOOD.replace("O 1", "Qq 1"), "Qq"),
        (GOOD.replace("0 0 4", "0 0 0"), "no volume"),
        (GOOD.replace("0.2", "x"), "ASE cannot read it"),
        (GOOD.encode("utf-8").replace(b"energy", b"name=\xe9 energy"), "0xe9"),
    ],
)
def test_a_bad_frame_does_not_lose_the_others(tmp_path: Path, frame: str | bytes, reason: str) -> None:
    bad = frame if isinstance(frame, bytes) else frame.encode()
    found = read(tmp_path, GOOD.encode() + bad + GOOD.encode())
    assert [type(one) for one in found] == [Record, BadRow, Record]
    assert isinstance(found[1], BadRow)
    assert found[1].where == "set.extxyz, line 5 (frame 1)"
    assert re.search(reason, found[1].reason)


def test_a_truncated_file_gives_what_it_holds(tmp_path: Path) -> None:
    first, second = read(tmp_path, GOOD + GOOD[: len(GOOD) // 2])
    assert isinstance(first, Record)
    assert isinstance(second, BadRow)
    path = tmp_path / "cut.extxyz.gz"
    path.write_bytes(gzip.compress((GOOD * 50).encode())[:-20])
    with pytest.raises(InputError, match="cannot be read to its end"):
        list(read_extxyz(path, ORIGIN))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read(tmp_path, "")
    with pytest.raises(InputError, match="cannot be read"):
        list(read_extxyz(tmp_path / "absent", ORIGIN))
