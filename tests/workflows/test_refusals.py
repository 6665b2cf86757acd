"""What the workflows refuse, each in words that say what was wrong, where, and what to do."""

from __future__ import annotations

import io
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from ledgers_for_tests import row

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.campaigns.graph import GraphSpec, build
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lookup import match_job
from zonemelt.workflows.provenance import archives
from zonemelt.workflows.provenance.identify import identify
from zonemelt.workflows.provenance.opening import open_crate
from zonemelt.workflows.provenance.rerun import _fresh
from zonemelt.workflows.simulate.times import read_times


def test_arguments_that_a_graph_does_not_take():
    spec = GraphSpec(name="x", graph="shutil:which", arguments={"name": "ls"})
    with pytest.raises(InputError, match=r"(?s)missing a required argument: 'cmd'.*--set arguments\.KEY"):
        build(spec)


def test_the_beginning_of_several_uuids(tmp_path):
    with closing(Ledger(tmp_path)) as ledger:
        with ledger.transaction():
            ledger.insert([row("abcd-1"), row("abcd-2"), row("ef01-1")])
        assert match_job(ledger.connection, "ef01") == 3
        with pytest.raises(InputError, match=r"(?s)'abcd' begins the uuids of several jobs.*abcd-1, abcd-2"):
            match_job(ledger.connection, "abcd")
        with pytest.raises(InputError, match="no ID is given"):
            identify(ledger.connection, tmp_path, "  ")


def test_durations_that_are_none(tmp_path):
    place = tmp_path / "times.yaml"
    place.write_text("kinds: [1, 2]\n")
    with pytest.raises(InputError, match=r"times\.yaml: holds no durations"):
        read_times(place)


def zipped(*names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        for name in names:
            packed.writestr(name, "content")
    return held.getvalue()


def tarred(*folders: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as packed:
        for name in folders:
            made = tarfile.TarInfo(name)
            made.type = tarfile.DIRTYPE
            packed.addfile(made)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", zipped("../out"), "its member '../out' leads out of the folder"),
        ("a.zip", zipped("a", "b", "c"), "it has more than 2 files"),
        ("a.tar.gz", tarred("../out"), "its member '../out' leads out of the folder"),
        ("a.zip", b"no archive", "it cannot be read"),
    ],
    # archives hold the time, names must not
    ids=["zip that leads out", "too many files", "tar that leads out", "no archive"],
)
def test_archives_that_are_not_unpacked(tmp_path, monkeypatch, name, content, said):
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CampaignError, match=said):
        archives.unpack(tmp_path / name, tmp_path / "in" / "here")
    assert not (tmp_path / "in" / "out").exists()
    assert not Path(tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["mine", "mine/thesis.tex"])
def test_a_replay_needs_a_fresh_directory(tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(CampaignError, match="a replay needs a fresh directory"):
        _fresh(tmp_path / "campaign", tmp_path / name, 1)


def test_a_crate_is_not_opened_over_files(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped("x"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(CampaignError, match="this one holds something"):
        open_crate(tmp_path / "a.zip", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
