"""Crates that were edited, cut, or made to do harm: each is refused with its reason."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import sqlite3
import stat
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from provenance_for_tests import reseal

from zonemelt.tasks.errors import CampaignError, InputError, LedgerVersionError, StoreError
from zonemelt.workflows.provenance.archives import pack, unpack
from zonemelt.workflows.provenance.asking import why
from zonemelt.workflows.provenance.crate import write_crate
from zonemelt.workflows.provenance.hashes import MANIFEST, is_inside
from zonemelt.workflows.provenance.opening import open_crate

pytest.importorskip("rocrate", reason="rocrate is not installed")
pytest.importorskip("prov", reason="prov is not installed")

ROOT = Path(__file__).parents[3]


def test_a_missing_blob_and_an_edited_ledger_are_not_exported(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    for path in (place / "blobs").glob("*/*.npy"):
        path.unlink()
    with pytest.raises(StoreError, match="the output of job"):
        write_crate(place, tmp_path / "out")
    place = shutil.copytree(oxides, tmp_path / "d")
    connection = sqlite3.connect(place / "ledger.db")
    connection.execute("UPDATE outputs SET doc = replace(doc, '-6.5', '-7.5')")
    connection.commit()
    connection.close()
    with pytest.raises(CampaignError, match="the output of job 1 'label Fe2O3-0017' is not what it was"):
        write_crate(place, tmp_path / "out")


def test_where_a_crate_cannot_go(oxides, whole_crate):
    with pytest.raises(CampaignError, match="exists already"):
        write_crate(oxides, whole_crate)
    with pytest.raises(CampaignError, match="cannot lie in the campaign"):
        write_crate(oxides, oxides / "crate")


@pytest.mark.parametrize(
    "name", ["campaign/ledger.db", "workflow.json", "ro-crate-metadata.json", "provenance.json"]
)
def test_an_edited_file_is_named(crate, tmp_path, name):
    data = bytearray((crate / name).read_bytes())
    data[len(data) // 2] ^= 1
    (crate / name).write_bytes(data)
    with pytest.raises(CampaignError, match=f"{re.escape(name)} does not have the hash"):
        open_crate(crate, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()
    assert not list(tmp_path.glob(".*"))


def test_files_that_are_missing_or_added(crate, tmp_path):
    (crate / "campaign" / "extra.txt").write_text("x")
    with pytest.raises(CampaignError, match=r"campaign/extra\.txt is not of the crate"):
        open_crate(crate, tmp_path / "opened")
    (crate / "campaign" / "extra.txt").unlink()
    (crate / "workflow.json").unlink()
    with pytest.raises(CampaignError, match=r"workflow\.json is missing"):
        open_crate(crate, tmp_path / "opened")


def test_a_ledger_edited_by_somebody_who_mends_the_manifest(crate, tmp_path):
    connection = sqlite3.connect(crate / "campaign" / "ledger.db")
    connection.execute("UPDATE outputs SET doc = replace(doc, '-6.5', '-7.5')")
    connection.commit()
    connection.close()
    reseal(crate)
    with pytest.raises(CampaignError, match="the output of job 1"):
        open_crate(crate, tmp_path / "opened")


def test_a_ledger_with_more_than_a_ledger_has(crate, tmp_path):
    connection = sqlite3.connect(crate / "campaign" / "ledger.db")
    connection.execute("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM jobs; END")
    connection.commit()
    connection.close()
    reseal(crate)
    with pytest.raises(CampaignError, match="trigger 't'"):
        open_crate(crate, tmp_path / "opened")


def test_a_newer_version_and_what_is_no_crate(crate, tmp_path):
    about = json.loads((crate / "zonemelt-crate.json").read_text())
    (crate / "zonemelt-crate.json").write_text(json.dumps({**about, "format": 2, "zonemelt": "9.1"}))
    with pytest.raises(LedgerVersionError, match=r"format 2, of zonemelt 9\.1"):
        open_crate(crate, tmp_path / "opened")
    (crate / "zonemelt-crate.json").write_text("[]")
    with pytest.raises(CampaignError, match="not a crate"):
        open_crate(crate, tmp_path / "opened")
    with pytest.raises(InputError, match="no such crate"):
        open_crate(tmp_path / "nothing.zip", tmp_path / "opened")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(InputError, match="neither a folder nor an archive"):
        open_crate(tmp_path / "x.txt", tmp_path / "opened")
    with pytest.raises(CampaignError, match="holds something"):
        open_crate(crate, crate)


@pytest.mark.parametrize(
    "path", ["../../stolen", "/tmp/stolen", "campaign/../../stolen", "manifest-sha256.txt", "x"]
)
def test_a_crate_that_would_have_files_of_others_replaced(crate, tmp_path, path):
    """What is named by reference is copied from where it says: it may go into the campaign only."""
    bait = tmp_path / "bait"
    bait.write_text("somebody's key")
    about = json.loads((crate / "zonemelt-crate.json").read_text())
    about["referenced"] = [
        {"path": path, "place": str(bait), "nbytes": 14, "sha256": sha256(bait.read_bytes()).hexdigest()}
    ]
    (crate / "zonemelt-crate.json").write_text(json.dumps(about))
    reseal(crate)
    before = {each for each in tmp_path.rglob("*") if crate not in each.parents}
    with pytest.raises(CampaignError, match="outside the campaign"):
        open_crate(crate, tmp_path / "below" / "opened")
    assert {each for each in tmp_path.rglob("*") if crate not in each.parents} - before <= {
        tmp_path / "below"
    }


def test_a_reference_never_replaces_a_file_of_the_crate(crate, tmp_path):
    bait = tmp_path / "bait"
    bait.write_text("another ledger")
    about = json.loads((crate / "zonemelt-crate.json").read_text())
    about["referenced"] = [
        {
            "path": "campaign/ledger.db", "place": str(bait), "nbytes": 14,
            "sha256": sha256(bait.read_bytes()).hexdigest(),
        }
    ]  # fmt: skip
    (crate / "zonemelt-crate.json").write_text(json.dumps(about))
    reseal(crate)
    opened = open_crate(crate, tmp_path / "opened")
    assert why(opened.directory, "collect").lineage.nodes


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"format": 1, "zonemelt": "0", "was": "/x", "referenced": [{"path": "x"}]}']
)
def test_a_crate_whose_description_is_none(crate, tmp_path, text):
    (crate / "zonemelt-crate.json").write_text(text)
    reseal(crate)
    with pytest.raises(CampaignError, match="missing or damaged"):
        open_crate(crate, tmp_path / "opened")


def test_a_link_in_a_folder(crate, tmp_path):
    (crate / "campaign" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(CampaignError, match="not a plain file"):
        open_crate(crate, tmp_path / "opened")


def test_a_manifest_that_leads_out(crate, tmp_path):
    with (crate / MANIFEST).open("a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")
    with pytest.raises(CampaignError, match="not of a manifest"):
        open_crate(crate, tmp_path / "opened")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "..\\out", "C:/out", "a\0b", ""])
def test_names_that_lead_out(name, tmp_path):
    assert not is_inside(name)
    if not name or "\0" in name:
        return
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(name, "x")
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        member = tarfile.TarInfo(name)
        member.size = 1
        packed.addfile(member, io.BytesIO(b"x"))
    for archive in ("x.zip", "x.tar"):
        with pytest.raises(CampaignError, match="leads out"):
            unpack(tmp_path / archive, tmp_path / archive.replace(".", "-"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_members_that_are_no_files(kind, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        member = tarfile.TarInfo("x")
        member.type, member.linkname = kind, "/etc/passwd"
        packed.addfile(member)
    with pytest.raises(CampaignError, match="not a plain file"):
        unpack(tmp_path / "x.tar", tmp_path / "out")


def test_a_link_in_a_zip_and_a_member_that_comes_twice(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(CampaignError, match="not a plain file"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as packed:
        packed.writestr("x", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("x", "2")
    with pytest.raises(CampaignError, match="twice"):
        unpack(tmp_path / "y.zip", tmp_path / "out2")


def test_a_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x", bytes(30_000_000))
    with pytest.raises(CampaignError, match="more comes out"):
        unpack(tmp_path / "x.zip", tmp_path / "out", most_bytes=20_000_000)
    assert (tmp_path / "out" / "x").stat().st_size <= 20_000_000


def test_archives_that_are_cut_or_are_none(whole_crate, tmp_path):
    for ending in (".zip", ".tar.gz"):
        path = tmp_path / f"x{ending}"
        pack(whole_crate, path)
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(CampaignError, match="cannot be read"):
            unpack(path, tmp_path / f"out{ending}")
        path.write_bytes(b"no archive")
        with pytest.raises(CampaignError, match="cannot be read"):
            unpack(path, tmp_path / f"other{ending}")


@pytest.fixture
def nobody(oxides, tmp_path):
    """A person who may not read the campaign."""
    why(oxides, "collect")  # what is imported when it is needed is at hand then
    user = os.geteuid()
    before = stat.S_IMODE(oxides.stat().st_mode)
    oxides.chmod(0)
    if user == 0:
        os.seteuid(65534)
    yield
    if user == 0:
        os.seteuid(0)
    oxides.chmod(before)


def test_without_permission(oxides, whole_crate, nobody, tmp_path):
    for question in (lambda: why(oxides, "collect"), lambda: write_crate(oxides, tmp_path / "crate")):
        with pytest.raises(CampaignError, match="cannot be read"):
            question()


@pytest.mark.parametrize("ending", ["zip", "tar.gz", "tar.xz"])
def test_an_archive_with_broken_bytes_is_refused(tmp_path, ending):
    """Whatever library finds it: zlib and lzma have errors of their own."""
    (tmp_path / "folder").mkdir()
    content = bytes(range(256)) * 400 + random.Random(0).randbytes(20_000)
    (tmp_path / "folder" / "a.bin").write_bytes(content)
    archive = tmp_path / f"a.{ending}"
    pack(tmp_path / "folder", archive)
    whole = archive.read_bytes()
    refused = 0
    for place in range(60, len(whole) - 60, len(whole) // 40):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) * 8 + whole[place + 8 :])
        out = tmp_path / f"out-{place}"
        try:
            unpack(archive, out)
        except CampaignError:  # and no other
            refused += 1
        else:
            assert (out / "a.bin").read_bytes() == content
    assert refused > 30


def test_a_path_that_leads_out_of_its_campaign_is_not_copied(tmp_path):
    from zonemelt.workflows.provenance.replaying import _copy_read

    for folder in ("home/c", "again"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "home" / "secret").write_text("x")
    text = json.dumps({"file": f"{tmp_path}/home/c/../secret"})
    _copy_read(tmp_path / "home" / "c", tmp_path / "again" / "d", [text], besides=set())
    assert not (tmp_path / "again" / "secret").exists()
