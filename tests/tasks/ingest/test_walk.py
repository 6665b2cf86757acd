"""Every file below a path in one order; links, pipes, permissions, and archives that mean harm."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import outputs_for_tests as outputs
import pytest

from zonemelt.tasks.ingest import walk as module
from zonemelt.tasks.ingest.calculations import calculations
from zonemelt.tasks.ingest.ingest_file import ingest_path
from zonemelt.tasks.ingest.verdicts import Verdict
from zonemelt.tasks.ingest.walk import Found, unpack, walk

OUTCAR = outputs.outcar(outputs.frames(2)).encode()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_files_come_by_name_whatever_their_order_on_disk(tmp_path):
    for name in ("b/2", "b/10", "a", "c/d/e"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    found = [one.source.removeprefix(f"{tmp_path}/") for one in walk(tmp_path)]
    assert found == ["a", "b/10", "b/2", "c/d/e"]


def test_links(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "nowhere").symlink_to("missing")
    told = {Path(one.source).name: one for one in walk(tmp_path)}
    assert told["up"].reason == "a link back to a directory above it"
    assert told["up"].verdict == Verdict.NOT_A_CALCULATION
    assert told["itself"].reason == "a link that leads to itself"
    assert told["nowhere"].reason == "it leads nowhere"
    assert told["nowhere"].verdict == Verdict.UNREADABLE


def test_pipes_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (found,) = walk(tmp_path)
    assert found.reason == "it is a named pipe"


def test_a_directory_without_permission(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    (found,) = walk(tmp_path / "closed")
    assert found.verdict == Verdict.UNREADABLE
    assert found.reason == "there is no permission to read it"


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "OUTCAR"
    path.write_bytes(OUTCAR)
    before = Path.open

    def refuse(self, *args, **options):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return before(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    records, (report,) = ingest_path(path)
    assert not records
    assert (report.verdict, report.reason) == (Verdict.UNREADABLE, "there is no permission to read it")


def test_members_of_archives_are_read_and_named(tmp_path):
    with tarfile.open(tmp_path / "runs.tar.gz", "w:gz") as archive:
        add(archive, "one/OUTCAR", OUTCAR)
        add(archive, "one/INCAR", b"NSW = 0\n")
    records, reports = ingest_path(tmp_path / "runs.tar.gz", source="runs.tar.gz")
    assert [(r.path, r.verdict.value) for r in reports] == [
        ("runs.tar.gz::one/INCAR", "not a calculation"),
        ("runs.tar.gz::one/OUTCAR", "ingested"),
    ]
    assert len(records) == 2
    assert {r.provenance.source for r in records} == {"runs.tar.gz::one/OUTCAR"}


@pytest.mark.parametrize("name", ["../outside", "/absolute/outside", "a/../../outside", "..\\outside"])
@pytest.mark.parametrize("form", ["tar", "zip"])
def test_nothing_is_unpacked_outside(tmp_path, name, form):
    path = tmp_path / "in" / f"evil.{form}"
    path.parent.mkdir()
    if form == "tar":
        with tarfile.open(path, "w") as archive:
            add(archive, name, b"harm")
            add(archive, "good", b"text")
    else:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(name, "harm")
            packed.writestr("good", "text")
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    found = list(unpack(Found(path=path, source="evil"), folder))
    refused = [one for one in found if one.verdict == Verdict.UNREADABLE]
    assert ["outside its directory" in one.reason for one in refused] == [True]
    assert [one.source for one in found if one.verdict is None] == ["evil::good"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted(["in", path.name, "deep", "folder", "good"])


def test_links_inside_archives_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("OUTCAR")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    _, (report,) = ingest_path(tmp_path / "a.tar")
    assert report.verdict == Verdict.NOT_A_CALCULATION
    assert "link inside an archive" in report.reason


def test_archives_inside_archives_are_opened_once(tmp_path):
    content = OUTCAR
    for depth in range(3):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            add(archive, "OUTCAR" if depth == 0 else f"inner{depth}.tar", content)
        content = buffer.getvalue()
        (tmp_path / f"{depth + 1}.tar").write_bytes(content)
    records, (report,) = ingest_path(tmp_path / "2.tar")
    assert len(records) == 2
    assert report.path.endswith("2.tar::inner1.tar::OUTCAR")
    records, (report,) = ingest_path(tmp_path / "3.tar")
    assert not records
    assert "opened once" in report.reason


def test_an_archive_that_breaks_off(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        add(archive, "one/OUTCAR", OUTCAR)
        add(archive, "two/OUTCAR", OUTCAR + np.random.default_rng(0).bytes(5000))
    path.write_bytes(path.read_bytes()[:-6000])
    records, reports = ingest_path(path)
    told = {Path(r.path).parent.name: r.verdict for r in reports}
    assert told["a.tar.gz::one"] == Verdict.INGESTED
    assert any("breaks off" in r.reason for r in reports)
    assert len([r for r in records if r.quality.accepted]) == 2


def test_an_archive_of_endless_content(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(3 << 20))
    monkeypatch.setattr(module, "LARGEST", 1 << 20)
    _, (report,) = ingest_path(tmp_path / "bomb.zip")
    assert "more than" in report.reason


def test_files_of_one_calculation_of_vasp(tmp_path):
    for name in (
        "OUTCAR.gz",
        "vasprun.xml",
        "OUTCAR.relax1",
        "vasprun.xml.relax1.gz",
        "vasprun.md.xml",
        "INCAR",
    ):
        (tmp_path / name).write_text("x")
    told = [[one.path.name for one in files] for files in calculations(walk(tmp_path))]
    assert sorted(told) == [
        ["INCAR"],
        ["vasprun.md.xml"],
        ["vasprun.xml", "OUTCAR.gz"],
        ["vasprun.xml.relax1.gz", "OUTCAR.relax1"],
    ]
