"""Files that are wrong in one way each: a verdict and words for every one, and never an exception."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import outputs_for_tests as outputs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.ingest import kept
from zonemelt.tasks.ingest.ingest_file import ingest, ingest_path
from zonemelt.tasks.ingest.verdicts import Verdict
from zonemelt.tasks.ingest.walk import Found

if TYPE_CHECKING:
    from pathlib import Path

XML = outputs.vasprun(outputs.frames(2))


def verdict_on(folder: Path, name: str, content: bytes | str) -> tuple[list, object]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    records, (report,) = ingest_path(path)
    return records, report


def test_nan_energies(tmp_path):
    records, report = verdict_on(tmp_path, "vasprun.xml", XML.replace("-12.50000000", "NaN"))
    assert len(records) == 1
    assert "1 of 2 are no records" in report.reason
    assert "energy" in report.reason


def test_forces_that_are_no_numbers_are_left_out_and_told(tmp_path):
    forces = outputs.rows(outputs.Frame().forces, before="<v>", after="</v>")
    nan = outputs.rows(np.full((3, 3), np.nan), before="<v>", after="</v>")
    records, _ = verdict_on(tmp_path, "vasprun.xml", XML.replace(forces, nan))
    assert all(r.forces is None for r in records)
    assert records[0].quality.reasons == ("forces are not numbers",)


def test_forces_of_the_wrong_length(tmp_path):
    last = outputs.rows(outputs.Frame().forces[-1:], before="<v>", after="</v>")
    assert last in XML
    records, report = verdict_on(tmp_path, "vasprun.xml", XML.replace(last, ""))
    assert not records  # although ASE would fill the row with zeros
    assert report.verdict == Verdict.UNREADABLE
    assert "forces" in report.reason


def test_a_cell_without_volume(tmp_path):
    flat = outputs.frames(1, cell=((4.0, 0, 0), (8.0, 1e-7, 0), (0, 0, 5.0)))
    records, report = verdict_on(tmp_path, "OUTCAR", outputs.outcar(flat))
    assert not records
    assert "no volume" in report.reason


def test_atoms_on_top_of_each_other(tmp_path):
    close = outputs.frames(1, positions=((0, 0, 0), (0.1, 0, 0), (2, 2, 2)))
    records, report = verdict_on(tmp_path, "OUTCAR", outputs.outcar(close))
    assert (report.verdict, report.quarantined) == (Verdict.INGESTED, 1)
    assert "0.10 Å apart" in records[0].quality.reasons[0]


def test_unknown_elements(tmp_path):
    records, report = verdict_on(
        tmp_path, "OUTCAR", outputs.outcar(outputs.frames(1)).replace("PBE Al", "PBE Qq")
    )
    assert not records
    assert report.verdict == Verdict.UNREADABLE
    assert "Qq" in report.reason


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR", "pw.out", "cp2k.out"])
@pytest.mark.parametrize(
    "content",
    [b"", np.random.default_rng(0).bytes(2000), b"\xff\xfe" + "Straße".encode("utf-16-le")],
    ids=["empty", "noise", "utf-16"],
)
def test_empty_and_binary(tmp_path, name, content):
    records, report = verdict_on(tmp_path, name, content)
    assert not records
    assert report.verdict in {Verdict.UNREADABLE, Verdict.NOT_A_CALCULATION}
    assert report.reason


def test_the_wrong_extension(tmp_path):
    records, report = verdict_on(tmp_path, "structure.cif", XML)
    assert (report.verdict, report.kind, len(records)) == (Verdict.INGESTED, "vasp-xml", 2)


def test_mixed_encodings(tmp_path):
    text = (
        outputs.outcar(outputs.frames(2))
        .encode()
        .replace(b"executed on ", b"executed on K\xf6ln \xe2\x82\xac ")
    )
    records, report = verdict_on(tmp_path, "OUTCAR", text)
    assert (report.verdict, len(records)) == (Verdict.INGESTED, 2)


def test_a_cell_of_a_hundred_thousand_atoms(tmp_path):
    side = 47
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:100_000] * 2.9
    big = outputs.Frame(
        symbols=("Al",) * 100_000,
        cell=(np.eye(3) * side * 2.9).tolist(),
        positions=grid.tolist(),
        forces=np.zeros((100_000, 3)).tolist(),
        stress=np.zeros((3, 3)).tolist(),
    )
    records, report = verdict_on(tmp_path, "OUTCAR", outputs.outcar([big]))
    assert (report.verdict, report.accepted) == (Verdict.INGESTED, 1), report
    assert len(records[0].geometry.symbols) == 100_000


def test_a_huge_outcar_is_streamed(tmp_path, monkeypatch):
    atoms, count = 40, 60
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)[:atoms] * 3.0
    frame = outputs.Frame(
        symbols=("Al",) * atoms,
        cell=(np.eye(3) * 12.0).tolist(),
        positions=grid.tolist(),
        forces=np.zeros((atoms, 3)).tolist(),
    )
    mark = "-" * 30 + " Iteration"
    head, _, rest = outputs.outcar([frame]).partition(mark)
    body, _, end = rest.partition(" reached required accuracy")
    bands = ("  -5.0000      2.00000" * 400 + "\n") * 40  # most of an OUTCAR is eigenvalues
    path = tmp_path / "OUTCAR"
    with path.open("w") as file:
        file.write(head)
        for _ in range(count):
            file.write(bands + mark + body)
        file.write(" reached required accuracy" + end)
    size = path.stat().st_size
    assert size > 20e6
    monkeypatch.setattr(kept, "ROWS", 10 * atoms)  # the other records wait on disk
    reports: list = []
    found = [Found(path=path, source="OUTCAR")]
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "OUTCAR").write_text(outputs.outcar([frame]))
    assert ingest_path(tmp_path / "small")[0][0].quality  # what is imported by it does not count below
    tracemalloc.start()
    seen = sum(1 for _ in ingest(found, reports=reports, seen={}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == count
    assert (reports[0].verdict, reports[0].accepted) == (Verdict.INGESTED, count)
    # read whole by any parser, it took twice its size
    assert peak < 0.75 * size, f"{peak / 1e6:.0f} MB for a file of {size / 1e6:.0f} MB"


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["vasprun.xml", "OUTCAR", "pw.out", "cp2k.out", "MOVEMENT"]),
    cut=st.floats(0.02, 1),
    place=st.floats(0, 1),
    junk=st.binary(max_size=40),
)
def test_damaged_files_never_raise(tmp_path_factory, kind, cut, place, junk):
    frames = outputs.frames(2)
    text = {
        "vasprun.xml": outputs.vasprun,
        "OUTCAR": outputs.outcar,
        "pw.out": outputs.espresso,
        "cp2k.out": lambda frames: outputs.cp2k(frames[0]),
        "MOVEMENT": outputs.movement,
    }[kind](frames).encode()
    text = text[: int(cut * len(text))]
    middle = int(place * len(text))
    path = tmp_path_factory.mktemp("damaged") / kind
    path.write_bytes(text[:middle] + junk + text[middle:])
    records, (report,) = ingest_path(path)
    assert report.verdict in Verdict
    assert report.verdict == Verdict.INGESTED or report.reason
    assert report.accepted + report.quarantined == len(records)
