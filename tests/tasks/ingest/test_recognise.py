"""What a file is, by its beginning and its name, and why it is no calculation."""

from __future__ import annotations

import bz2
import gzip
import lzma

import outputs_for_tests as outputs
import pytest

from zonemelt.tasks.ingest.files import plain_copy
from zonemelt.tasks.ingest.recognise import recognise, recognised_head

HEADS = {
    "vasp-xml": "<?xml version='1.0'?>\n<modeling>\n <generator>\n",
    "vasp-outcar": " vasp.6.4.2 20Jul23 (build) complex\n\n executed on             Linux date 2024\n",
    "qe-xml": '<?xml version="1.0"?>\n<?iotk version="1.2.0"?>\n<Root>\n',
    "qe-out": "\n     Program PWSCF v.7.2 starts on  1Jan2024 at  0: 0: 0\n",
    "cp2k-out": " DBCSR| Multiplication driver   BLAS\n CP2K| version string:  CP2K version 9.1\n",
    "abinit-out": "\n.Version 9.6.2 of ABINIT\n.(MPI version, prepared for a x86_64_linux)\n",
    "aims-out": "------\n          Invoking FHI-aims ...\n          Version 210716\n",
    "castep-out": " |      CCC   AA    SSS  TTTTT  EEEEE  PPPP        |\n",
    "gpaw-out": "  __  _  _\n | _ |_)|_||  |\n |__||  | ||/\\| - 26.7.0\n",
    "siesta-out": "Siesta Version  : v4.0.2\nArchitecture  : x86_64\n",
    "abacus-log": "                              ABACUS v3.4.0\n",
    "gaussian-out": " Entering Gaussian System, Link 0=g16\n",
    "pwmat-movement": "   5 atoms,Iteration (fs) =    0.1E+01, Etot,Ep,Ek (eV) = -1 -1 0, SCF = 19\n",
    "extxyz": '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 energy=-1\nAl 0 0 0\n',
}
NO_CALCULATIONS = {
    "INCAR": ("ENCUT = 400\n", "an input"),
    "POSCAR.orig": ("Si\n1.0\n", "an input or a structure"),
    "pw.in": ("&CONTROL\n calculation='scf'\n", "an input file"),
    "vasp.out": (" running on    8 total cores\n vasp.5.3.5 31Mar14\n", "standard output"),
    "std_err.txt": ("srun: defined options for program `srun'\n", "standard error"),
    "neb.out": ("     Program NEB v.5.2 starts on\n", "NEB"),
    "notes": ("dear diary\n", "begins like no output"),
    "plot.png": ("\x89PNG", "an image"),
    "custodian.json": ('[{"job": 1}]', "JSON of no form known here"),
    "trajectory.xyz": ("1\nstep 1\nAl 0 0 0\n", "without a cell"),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("name", ["results", "wrong.cif", "log.txt"])
def test_content_comes_before_the_name(kind, name):
    assert recognised_head(HEADS[kind].encode(), name).kind == kind


@pytest.mark.parametrize("name", NO_CALCULATIONS)
def test_what_is_no_calculation_is_told_why(name):
    text, reason = NO_CALCULATIONS[name]
    found = recognised_head(text.encode("latin-1"), name)
    assert found.kind is None
    assert reason in found.reason
    assert not found.broken


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("vasprun.xml", b"# this should be empty\n"),
        ("OUTCAR.gz", b"\x00\x01\x02 binary"),
        ("a.castep", b"nothing of the kind\n"),
        ("table.jsonl", b"id,energy\n"),
        ("a.cif", b"<html>"),
        ("some.db", b"no data base"),
    ],
)
def test_a_name_that_promises_more_than_the_content_holds(name, head):
    found = recognised_head(head, name)
    assert found.kind is None
    assert found.broken


@pytest.mark.parametrize("name", ["a.pkl", "trajectory.traj", "vasprun.xml"])
def test_pickles_are_never_opened(name):
    found = recognised_head(b"\x80\x04\x95 whatever", name)
    assert found.kind is None
    assert "pickle" in found.reason


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, bytes], ids=lambda f: f.__module__
)
def test_compressed_files_are_looked_into_whatever_their_name(tmp_path, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(outputs.outcar(outputs.frames(1)).encode()))
    assert recognise(path).kind == "vasp-outcar"


def test_zstandard_is_read_across_its_frames_up_to_where_it_breaks(tmp_path):
    zstandard = pytest.importorskip("zstandard", reason="an optional library")
    text = outputs.outcar(outputs.frames(1)).encode()
    packed = zstandard.compress(text[:1000]) + zstandard.compress(text[1000:])
    path, folder = tmp_path / "OUTCAR.zst", tmp_path / "plain"
    folder.mkdir()
    path.write_bytes(packed)
    assert recognise(path).kind == "vasp-outcar"
    plain, broken = plain_copy(path, folder)
    assert (plain.read_bytes(), broken) == (text, "")
    path.write_bytes(packed[:-40])
    assert recognise(path).kind == "vasp-outcar"
    path.write_bytes(packed[:6] + b"nonsense" * 20)
    found = recognise(path)
    assert found.broken
    assert "broken" in found.reason


def test_zstandard_without_a_library_is_told(tmp_path, monkeypatch):
    path = tmp_path / "OUTCAR.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd rest")
    import importlib

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    found = recognise(path)
    assert "zstd" in found.reason
    assert found.broken


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)], ids=["plain", "packed"])
def test_empty_files(tmp_path, content):
    for name, broken in (("OUTCAR.gz", True), ("std_err.txt", False)):
        (tmp_path / name).write_bytes(content)
        found = recognise(tmp_path / name)
        assert (found.kind, found.reason, found.broken) == (None, "it is empty", broken)


def test_a_compressed_stream_broken_from_its_beginning(tmp_path):
    path = tmp_path / "OUTCAR.gz"
    path.write_bytes(gzip.compress(b"text" * 100)[:10])
    found = recognise(path)
    assert "broken" in found.reason
    assert found.broken
