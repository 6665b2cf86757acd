"""Outputs written from known numbers come back as those numbers, by every library that reads them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import outputs_for_tests as outputs
import pytest

from zonemelt.tasks.convert.origin import Origin
from zonemelt.tasks.ingest.ingest_file import ingest_path
from zonemelt.tasks.ingest.outputs import by_ase, by_dpdata, outcar, vasprun
from zonemelt.tasks.ingest.outputs.headers import theory_of
from zonemelt.tasks.ingest.outputs.markers import said_in
from zonemelt.tasks.ingest.verdicts import Verdict

ORIGIN = Origin(source="somewhere", sha256="0" * 64)
FRAMES = outputs.frames(3)
WRITERS = {
    "vasprun.xml": outputs.vasprun,
    "OUTCAR": outputs.outcar,
    "pw.out": outputs.espresso,
    "cp2k.out": lambda frames: outputs.cp2k(frames[-1]),
    "MOVEMENT": outputs.movement,
}
READERS = {
    "vasprun.xml": (vasprun.vasprun, by_ase.vasprun, by_dpdata.vasprun),
    "OUTCAR": (by_ase.outcar, by_dpdata.outcar),
}


def write(folder: Path, name: str, frames: list[outputs.Frame] = FRAMES, **options: object) -> Path:
    path = folder / name
    path.write_text(WRITERS[name](frames, **options))
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_numbers_come_back(tmp_path, name):
    records, (report,) = ingest_path(write(tmp_path, name))
    assert report.verdict == Verdict.INGESTED, report
    expected = FRAMES[-len(records) :]
    assert len(records) == (1 if name == "cp2k.out" else 3)
    for number, (record, frame) in enumerate(zip(records, expected, strict=True)):
        apart = np.linalg.norm(
            np.array(record.geometry.positions)[:, None] - np.array(frame.positions)[None], axis=2
        )
        order = apart.argmin(axis=1)  # dpdata sorts the atoms of some codes
        assert sorted(order) == [0, 1, 2]
        assert record.geometry.symbols == tuple(frame.symbols[i] for i in order)
        np.testing.assert_allclose(record.geometry.cell, frame.cell, atol=1e-6)
        np.testing.assert_allclose(record.geometry.positions, np.array(frame.positions)[order], atol=1e-6)
        np.testing.assert_allclose(record.forces, np.array(frame.forces)[order], atol=1e-6)
        assert record.energy_free == pytest.approx(frame.energy_free, abs=1e-5)
        if record.stress is not None:
            np.testing.assert_allclose(record.stress, frame.stress, atol=1e-6)
        assert (record.provenance.frame, record.provenance.frames) == (number, len(records))
        assert record.quality.accepted
    assert (records[-1].stress is None) == (name == "MOVEMENT")


@pytest.mark.parametrize("name", READERS)
def test_libraries_agree(tmp_path, name):
    path = write(tmp_path, name)
    read = [list(reader(path, ORIGIN)) for reader in READERS[name]]
    for others in read[1:]:
        assert len(others) == len(read[0])
        for one, other in zip(read[0], others, strict=True):
            assert other.energy_free == pytest.approx(one.energy_free, abs=1e-7)
            np.testing.assert_allclose(other.forces, one.forces, atol=1e-7)
            if other.stress is not None:  # dpdata looks for more lines around the stress of an OUTCAR
                np.testing.assert_allclose(other.stress, one.stress, atol=1e-5)
            np.testing.assert_allclose(other.geometry.positions, one.geometry.positions, atol=1e-6)


def test_both_energies_of_vasp(tmp_path):
    for name in ("vasprun.xml", "OUTCAR"):
        record = ingest_path(write(tmp_path, name))[0][0]
        assert (record.energy_free, record.energy_sigma0) == (-12.5, -12.25)


@pytest.mark.parametrize("wrong", [0.0, -12.0])
def test_a_wrong_summary_of_a_step_is_not_believed(tmp_path, wrong):
    path = write(tmp_path, "vasprun.xml", summary_sigma0=wrong)
    assert [r.energy_sigma0 for r in ingest_path(path)[0]] == [-12.25, -13.25, -14.25]


def test_level_of_theory_of_vasp_is_the_same_from_both_files(tmp_path):
    levels = [ingest_path(write(tmp_path, name))[0][0].theory for name in ("vasprun.xml", "OUTCAR")]
    assert levels[0] == levels[1]
    theory = levels[0]
    assert theory.described == "vasp 6.4.2 PBE"
    assert theory.setups == {"Al": "PAW_PBE Al 04Jan2001", "O": "PAW_PBE O 04Jan2001"}
    assert (theory.cutoff, theory.smearing_width) == (400.0, 0.2)
    assert theory.smearing.lower() == "methfessel-paxton 1"
    assert theory.spin is False


def test_theory_of_other_codes(tmp_path):
    espresso = ingest_path(write(tmp_path, "pw.out"))[0][0].theory
    assert espresso.described == "quantum-espresso 7.2 PBE"
    assert espresso.cutoff == pytest.approx(40 * 13.605693)
    assert espresso.smearing.lower() == "marzari-vanderbilt"
    cp2k = ingest_path(write(tmp_path, "cp2k.out"))[0][0].theory
    assert cp2k.described == "cp2k 9.1 PBE"
    assert cp2k.cutoff == pytest.approx(200 * 27.211386, rel=1e-6)
    assert cp2k.setups["O"] == "DZVP-MOLOPT-SR-GTH"


def test_u_belongs_to_its_potential_where_an_element_has_two(tmp_path):
    path = tmp_path / "OUTCAR"
    titles = ("PAW_PBE Fe_pv 06Sep2000", "PAW_PBE Fe_pv 06Sep2000", "PAW_PBE O 08Apr2002")
    u_values = " U (eV)           for each species LDAUU =  5.3  5.3  0.5\n"
    j_values = " J (eV)           for each species LDAUJ =  0.3  0.3  0.5\n"
    tag = "TITEL"  # codespell:ignore titel
    path.write_text("".join(f"   {tag}  = {title}\n" for title in titles) + u_values + j_values)
    found = outcar.theory(path)
    assert found.hubbard_u == {"Fe": 5.0}
    assert found.setups == {"Fe": titles[0], "O": titles[2]}


@pytest.mark.parametrize(("ionmov", "relaxed"), [(2, False), (22, False), (12, None), (13, None), (0, None)])
def test_dynamics_by_abinit_is_no_relaxation_that_did_not_converge(tmp_path, ionmov, relaxed):
    (tmp_path / "a.out").write_text(f".Version 9.6.2 of ABINIT\n  ionmov          {ionmov}\n")
    assert said_in(tmp_path / "a.out", "abinit-out").relaxed is relaxed


def test_a_cutoff_is_the_same_whatever_says_it(tmp_path):
    """To the digits that codes print, in their units and in atomate2's documents."""
    path = tmp_path / "a.out"
    path.write_text(".Version 9.6.2 of ABINIT\n  ecut  1.00000000E+01 Hartree\n  occopt 3\n tsmear 1.0E-02\n")
    found = theory_of(path, "abinit-out")
    assert (found.cutoff, found.smearing_width) == (272.1139, 0.272114)
    path.write_text("Program PWSCF v.7.2\n kinetic-energy cutoff = 20.0000 Ry\n")
    assert theory_of(path, "qe-out").cutoff == 272.1139


@pytest.mark.parametrize(("occopt", "smearing"), [(1, None), (3, "fermi-dirac"), (7, "gaussian")])
def test_smearing_of_abinit(tmp_path, occopt, smearing):
    """Without it ASE's energies would be taken for extrapolated ones."""
    path = tmp_path / "run.abo"
    path.write_text(f".Version 9.6.2  of ABINIT\n          occopt           {occopt}\n")
    assert theory_of(path, "abinit-out").smearing == smearing


def test_espresso_tells_no_extrapolated_energy_with_smearing(tmp_path):
    assert ingest_path(write(tmp_path, "pw.out"))[0][0].energy_sigma0 is None
    path = write(tmp_path, "pw.out", smeared=False)
    record = ingest_path(path)[0][0]
    assert record.energy_sigma0 == record.energy_free


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
def test_frames_that_did_not_converge_are_quarantined(tmp_path, name):
    frames = outputs.frames(2, iterations=5)
    mixed = [frames[0], outputs.Frame(iterations=3)]
    records, (report,) = ingest_path(write(tmp_path, name, mixed, nelm=5))
    assert [r.convergence.electronic for r in records] == [False, True]
    assert [r.quality.accepted for r in records] == [False, True]
    assert (report.verdict, report.accepted, report.quarantined) == (Verdict.INGESTED, 1, 1)
    records, (report,) = ingest_path(write(tmp_path, name, frames, nelm=5))
    assert (report.verdict, report.accepted, report.quarantined) == (Verdict.UNCONVERGED, 0, 2)
    assert report.reason == "the electronic cycle of the last frame did not converge"


def test_a_relaxation_that_did_not_converge(tmp_path):
    records, (report,) = ingest_path(write(tmp_path, "vasprun.xml", nsw=3))
    assert report.verdict == Verdict.UNCONVERGED
    assert report.reason == "the relaxation did not converge"
    assert [r.convergence.ionic for r in records] == [None, None, False]
    assert all(r.quality.accepted for r in records)


@pytest.mark.parametrize(("name", "writer"), [("pw.out", outputs.espresso)])
def test_unconverged_elsewhere(tmp_path, name, writer):
    (tmp_path / name).write_text(writer(FRAMES[:1], converged=False))
    _, (report,) = ingest_path(tmp_path / name)
    assert report.verdict == Verdict.UNCONVERGED


def test_cp2k_without_a_converged_frame_has_no_record(tmp_path):
    (tmp_path / "cp2k.out").write_text(outputs.cp2k(FRAMES[0], converged=False))
    records, (report,) = ingest_path(tmp_path / "cp2k.out")
    assert not records
    assert report.verdict == Verdict.UNCONVERGED


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR", "pw.out"])
def test_a_file_that_was_cut_off_keeps_what_it_holds_in_quarantine(tmp_path, name):
    whole = WRITERS[name](FRAMES)
    path = tmp_path / name
    path.write_text(whole[: int(len(whole) * 0.8)])
    records, (report,) = ingest_path(path)
    assert report.verdict == Verdict.TRUNCATED
    assert report.quarantined == len(records)
    assert records or report.reason
    assert not any(r.quality.accepted for r in records)
    for record, frame in zip(records, FRAMES, strict=False):
        assert record.energy_free == pytest.approx(frame.energy_free, abs=1e-5)


def test_a_compressed_file_that_was_cut_off(tmp_path):
    packed = gzip.compress(outputs.outcar(outputs.frames(40)).encode())
    (tmp_path / "OUTCAR.gz").write_bytes(packed[: len(packed) * 2 // 3])
    records, (report,) = ingest_path(tmp_path / "OUTCAR.gz")
    assert report.verdict == Verdict.TRUNCATED
    assert "breaks off" in report.reason
    assert 0 < len(records) < 40
    assert not any(r.quality.accepted for r in records)


def test_two_parsers_that_disagree_about_an_outcar(tmp_path):
    path = write(tmp_path, "OUTCAR")
    late = "  energy  without entropy=   -99.0000  energy(sigma->0) =   -98.00000000\n"
    path.write_text(path.read_text().replace(" General timing", f"{late} General timing"))
    records, (report,) = ingest_path(path)
    assert "two parsers disagree" in report.reason
    assert "-14.250000" in report.reason
    assert "-98.000000" in report.reason
    assert not any(r.quality.accepted for r in records)


def test_a_directory_of_vasp_is_one_calculation(tmp_path):
    write(tmp_path, "vasprun.xml")
    write(tmp_path, "OUTCAR")
    records, reports = ingest_path(tmp_path)
    told = {Path(r.path).name: r for r in reports}
    assert told["vasprun.xml"].verdict == Verdict.INGESTED
    assert told["OUTCAR"].verdict == Verdict.DUPLICATE
    assert "same calculation" in told["OUTCAR"].reason
    assert len(records) == 3


def test_the_next_file_of_a_calculation_is_read_where_the_best_is_broken(tmp_path):
    write(tmp_path, "vasprun.xml").write_text("<modeling>\n")
    write(tmp_path, "OUTCAR")
    records, reports = ingest_path(tmp_path)
    told = {Path(r.path).name: r for r in reports}
    assert told["vasprun.xml"].verdict == Verdict.TRUNCATED
    assert (told["OUTCAR"].verdict, told["OUTCAR"].accepted) == (Verdict.INGESTED, 3)
    assert {r.provenance.parser.split()[0] for r in records} == {"ase"}


def test_a_name_may_have_an_at_sign(tmp_path):
    """ASE takes what follows it for the number of a frame."""
    write(tmp_path, "pw.out").rename(tmp_path / "pw@300.out")
    _, (report,) = ingest_path(tmp_path)
    assert (report.verdict, report.accepted) == (Verdict.INGESTED, 3)


def test_the_same_file_twice_is_a_duplicate(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "OUTCAR")
    records, reports = ingest_path(tmp_path)
    assert [r.verdict for r in reports] == [Verdict.INGESTED, Verdict.DUPLICATE]
    assert reports[1].reason == f"the same as {tmp_path}/a/OUTCAR"
    assert len(records) == 3


def test_readers_that_failed_are_kept_in_the_report(tmp_path):
    text = outputs.outcar(FRAMES).replace("   ions per type =", "   ions of type =")
    (tmp_path / "OUTCAR").write_text(text)
    _, (report,) = ingest_path(tmp_path / "OUTCAR")
    assert report.verdict == Verdict.UNREADABLE
    assert [one.split(":")[0] for one in report.tried] == ["ase vasp-out", "dpdata vasp/outcar"]
