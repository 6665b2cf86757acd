"""Structures come from any text format; what is none has a reason and does not stop the others."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from ase.io.trajectory import Trajectory
from properties_for_tests import dataset_of, records

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.structure_files import FORMATS, read_below, read_frames, read_structures

SALT = bulk("NaCl", "rocksalt", a=5.64)


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "CONTCAR.relaxed.vasp", "a.extxyz", "a.xsf", "a.gen"])
def test_many_formats(tmp_path, name):
    write(tmp_path / name, SALT)
    (found,) = read_structures(tmp_path / name)
    assert found.name == str(tmp_path / name)
    assert sorted(found.geometry.symbols) == ["Cl", "Na"]
    assert np.linalg.det(found.geometry.cell) == pytest.approx(SALT.get_volume(), rel=1e-4)


def test_a_dataset_is_read_in_its_order(tmp_path):
    found = list(read_structures(dataset_of(records(5), tmp_path / "d")))
    assert [one.name for one in found] == [one.identifier for one in records(5)]
    assert [one.geometry for one in found] == [one.geometry for one in records(5)]


def test_a_bad_frame_does_not_spoil_the_others(tmp_path):
    flat = SALT.copy()
    flat.set_cell([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    write(tmp_path / "a.extxyz", [SALT, flat, SALT])
    found = list(read_structures(tmp_path / "a.extxyz"))
    assert [one.name.rpartition("#")[2] for one in found] == ["0", "1", "2"]
    assert found[1].geometry is None
    assert "no volume" in found[1].reason
    assert found[2].geometry == found[0].geometry


def test_partial_occupation_is_refused(tmp_path):
    write(tmp_path / "a.cif", SALT)
    text = (tmp_path / "a.cif").read_text()
    lines = [
        line.replace(" 1.0000", " 0.5000", 1) if line.split()[:1] == ["Na"] else line
        for line in text.split("\n")
    ]
    (tmp_path / "a.cif").write_text("\n".join(lines))
    assert lines != text.split("\n")
    (found,) = read_structures(tmp_path / "a.cif")
    assert found.geometry is None
    assert "is disordered" in found.reason


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.pkl", "format 'pkl' is not read"),
        ("a.traj", "format 'traj' is not read"),
        ("a.db", "format 'db' is not read"),
        ("a.txt", "format 'txt' is not read"),
        ("a.xyz", "is no number of atoms"),
        ("absent.cif", "there is no such file"),
    ],
)
def test_what_holds_no_structure_is_refused(tmp_path, name, said):
    path = tmp_path / name
    if name == "a.pkl":
        path.write_bytes(pickle.dumps(SALT))
    elif name == "a.traj":
        Trajectory(str(path), "w", SALT).close()
    elif name == "a.db":
        write(path, SALT, format="db")
    elif name != "absent.cif":
        path.write_text("hello\n")
    with pytest.raises(InputError, match=said) as caught:
        list(read_structures(path))
    assert caught.value.where == str(path)


def test_formats_of_ase_are_called_so():
    from ase.io.formats import ioformats

    assert set(ioformats) >= FORMATS


def test_candidates_in_json(tmp_path):
    geometry = Geometry.of(SALT).model_dump(mode="json")
    flat = geometry | {"cell": [[1, 0, 0], [0, 1, 0], [1, 1, 0]]}
    some = [
        {"identifier": "salt", "geometry": geometry},
        {"identifier": "flat", "geometry": flat},
        {"no": 1},
        7,
    ]
    for name, text in (
        ("a.json", json.dumps({"candidates": some, "counts": {}})),
        ("b.json", json.dumps(some)),
        ("c.jsonl", "\n".join(map(json.dumps, some)) + "\n"),
    ):
        (tmp_path / name).write_text(text)
        found = list(read_structures(tmp_path / name))
        assert [one.name for one in found[:2]] == ["salt", "flat"]
        assert found[0].geometry == Geometry.of(SALT)
        assert "no volume" in found[1].reason
        assert found[2].reason == found[3].reason == "it is no document with a 'geometry'"
    (tmp_path / "torn.jsonl").write_text(json.dumps(some[0]) + '\n{"identifier": "torn", "geom')
    assert [bool(one.reason) for one in read_structures(tmp_path / "torn.jsonl")] == [False, True]
    (tmp_path / "torn.json").write_text(json.dumps(some)[:-9])
    with pytest.raises(InputError, match="it is no JSON"):
        list(read_structures(tmp_path / "torn.json"))
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(InputError, match="no list of structures"):
        list(read_structures(tmp_path / "empty.json"))


def test_a_file_that_may_not_be_read_does_not_stop_the_others(tmp_path, monkeypatch):
    write(tmp_path / "b.cif", SALT)
    (tmp_path / "a.json").write_text("[]")

    def denied(self, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    found = list(read_below(tmp_path))
    assert [one.reason for one in found] == ["it cannot be read: Permission denied", ""]


def test_a_corrupt_frame_does_not_spoil_the_others(tmp_path):
    write(tmp_path / "a.extxyz", [SALT, SALT, SALT])
    lines = (tmp_path / "a.extxyz").read_text().splitlines()
    lines[6] = "Na 0.0 nonsense 0.0"
    (tmp_path / "a.extxyz").write_text("\n".join(lines[:-1]) + "\n")
    found = list(read_structures(tmp_path / "a.extxyz"))
    assert found[0].geometry == Geometry.of(SALT)
    assert "line 5: ASE cannot read it" in found[1].reason
    assert "line 9: it says 2 atoms and has 1 rows" in found[2].reason
    (tmp_path / "b.extxyz").write_text("\n".join(["hello", *lines]))
    reasons = [one.reason for one in read_structures(tmp_path / "b.extxyz")]
    assert "is no number of atoms" in reasons[0]
    assert reasons[2] == ""
    with pytest.raises(InputError, match="is no number of atoms"):
        read_frames(tmp_path / "b.extxyz")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("between", "bad"), [("\n", 0), (" \n\n", 0), ("-2\n", 1)])
def test_frames_are_counted_whatever_stands_between_them(tmp_path, between, bad):
    """ASE stops at a blank line without a word."""
    write(tmp_path / "a.extxyz", SALT)
    one = (tmp_path / "a.extxyz").read_text()
    (tmp_path / "a.extxyz").write_text(one + between + one)
    found = list(read_structures(tmp_path / "a.extxyz"))
    assert [one.geometry is None for one in found] == [False, bool(bad)]


def test_a_directory_of_files(tmp_path):
    write(tmp_path / "a.cif", SALT)
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "POSCAR", SALT)
    (tmp_path / "notes.txt").write_text("nothing")
    found = {one.name.rpartition("/")[2]: one for one in read_below(tmp_path)}
    assert sorted(found) == ["POSCAR", "a.cif", "notes.txt"]
    for name in ("POSCAR", "a.cif"):
        assert sorted(found[name].geometry.symbols) == ["Cl", "Na"]
        assert np.linalg.det(found[name].geometry.cell) == pytest.approx(SALT.get_volume(), rel=1e-4)
    assert found["notes.txt"].geometry is None
    assert "format 'txt' is not read" in found["notes.txt"].reason
