"""Real outputs of nine codes agree with what is known of them; their data are no part of the project."""

from __future__ import annotations

import csv
import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from zonemelt.tasks.convert.origin import Origin
from zonemelt.tasks.ingest.files import plain_copy
from zonemelt.tasks.ingest.ingest_file import ingest_path
from zonemelt.tasks.ingest.outputs import by_ase, by_dpdata, vasprun
from zonemelt.tasks.ingest.verdicts import Verdict

DATA = Path(os.environ.get("ZONEMELT_DATA") or Path(__file__).parents[4] / "shared" / "data")
FOLDER = DATA / "07_dft_outputs"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FOLDER / "INDEX.csv").exists(), reason="no outputs in $ZONEMELT_DATA"),
]
SAME = 1e-6  # of the energy: codes and libraries have different values of Rydberg and Hartree
CUT_TRAJECTORY = "cp2k/dpdata/aimd_stress/cp2k.log.gz"  # its log has seven frames, its trajectory one


def known() -> list[dict[str, str]]:
    with (FOLDER / "INDEX.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def read():
    return {row["path"]: ingest_path(FOLDER / row["path"]) for row in known()}


def last_energy(record):
    return record.energy_free if record.energy_sigma0 is None else record.energy_sigma0


def test_every_file_has_one_verdict_and_a_reason_unless_it_is_ingested(read):
    counts = Counter()
    for path, (records, reports) in read.items():
        (report,) = reports
        counts[report.verdict.value] += 1
        assert report.verdict == Verdict.INGESTED or report.reason, path
        assert report.accepted + report.quarantined == len(records), path
    assert sum(counts.values()) == 201
    assert counts == {
        "ingested": 164, "unconverged": 8, "truncated": 16, "unreadable": 12, "not a calculation": 1,
    }  # fmt: skip


def test_energies_frames_and_atoms_agree(read):
    compared = 0
    for row in known():
        records, _ = read[row["path"]]
        if not row["energy_eV"]:
            continue
        compared += 1
        expected = float(row["energy_eV"])
        assert records, row["path"]
        assert last_energy(records[-1]) == pytest.approx(expected, rel=SAME), row["path"]
        assert len(records) == int(float(row["frames"])), row["path"]
        assert len(records[-1].geometry.symbols) == int(float(row["natoms"])), row["path"]
    assert compared == 167


def test_energies_that_only_the_text_tells_agree(read):
    compared = 0
    for row in known():
        records, _ = read[row["path"]]
        if row["energy_eV"] or not row["text_last_energy_eV"] or not records or row["path"] == CUT_TRAJECTORY:
            continue
        compared += 1
        assert records[-1].energy_free == pytest.approx(float(row["text_last_energy_eV"]), rel=SAME), row[
            "path"
        ]
    assert compared >= 8


def test_flags_of_convergence_agree(read):
    compared = 0
    for row in known():
        if not row["conv_elec"]:
            continue
        compared += 1
        flags = read[row["path"]][0][-1].convergence
        assert (str(flags.electronic), str(flags.ionic)) == (row["conv_elec"], row["conv_ionic"]), row["path"]
    assert compared == 74


def test_what_did_not_converge_or_end_is_never_accepted(read):
    for path, (records, (report,)) in read.items():
        if report.verdict == Verdict.TRUNCATED:
            assert not any(r.quality.accepted for r in records), path
        assert not any(r.quality.accepted for r in records if r.convergence.electronic is False), path


@pytest.mark.parametrize(
    ("pattern", "one", "other"),
    [
        ("vasprun.xml", vasprun.vasprun, by_ase.vasprun),
        ("OUTCAR", by_ase.outcar, by_dpdata.outcar),
        ("gaussianlog", by_ase.gaussian, by_dpdata.gaussian),
        ("out_scf", by_ase.aims, by_dpdata.aims_static),
    ],
)
def test_the_same_file_through_two_libraries(tmp_path, pattern, one, other):
    compared = 0
    for number, row in enumerate(known()):
        if pattern not in Path(row["path"]).name or "atomate2" in row["path"]:
            continue
        (tmp_path / str(number)).mkdir()
        plain, _ = plain_copy(FOLDER / row["path"], tmp_path / str(number))
        frames = []
        for reader in (one, other):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    frames.append(list(reader(plain, Origin(source="x"))))
            except Exception:  # noqa: BLE001 (what one library cannot read is no disagreement)
                frames.append([])
        for a, b in zip(*frames, strict=False):
            if not (hasattr(a, "geometry") and hasattr(b, "geometry")) or len(frames[0]) != len(frames[1]):
                continue
            compared += 1
            assert b.energy_free == pytest.approx(a.energy_free, rel=SAME), row["path"]
            if a.forces is not None and b.forces is not None:
                np.testing.assert_allclose(b.forces, a.forces, atol=1e-4, err_msg=row["path"])
            if a.stress is not None and b.stress is not None:
                np.testing.assert_allclose(b.stress, a.stress, atol=1e-4, err_msg=row["path"])
    assert compared
