"""A campaign as a crate, and back."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from graphs_for_tests import add, same
from jobflow import Flow
from jobs_for_mishaps import exists
from provenance_for_tests import build, reseal

from zonemelt import resume, run_flow
from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.inspect import summarise
from zonemelt.workflows.engine.lock import HeadLock
from zonemelt.workflows.provenance.archives import pack
from zonemelt.workflows.provenance.asking import why
from zonemelt.workflows.provenance.crate import write_crate
from zonemelt.workflows.provenance.diff import diff
from zonemelt.workflows.provenance.hashes import MANIFEST
from zonemelt.workflows.provenance.opening import open_crate
from zonemelt.workflows.provenance.rerun import rerun

pytest.importorskip("rocrate", reason="rocrate is not installed")
pytest.importorskip("prov", reason="prov is not installed")

ROOT = Path(__file__).parents[3]


def graph_of(crate: Path) -> dict[str, dict]:
    return {
        each["@id"]: each for each in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    }


def test_every_job_that_ran_is_an_action_with_what_it_was_given_and_made(oxides, whole_crate):
    found = graph_of(whole_crate)
    jobs = {key: each for key, each in found.items() if key.startswith("#job-")}
    summary = summarise(oxides)
    assert len(jobs) == summary.counts["done"] + summary.counts["failed"]
    (collect,) = (each for each in jobs.values() if each["name"] == "collect")
    assert [each["@id"] for each in collect["object"]] == ["#output-1", "#output-2"]
    (broken,) = (each for each in jobs.values() if each["name"] == "broken")
    assert broken["actionStatus"].endswith("FailedActionStatus")
    assert "result" not in broken
    node = why(oxides, "collect").lineage.nodes[why(oxides, "collect").lineage.roots[0]]
    assert found[collect["result"][0]["@id"]]["value"] == node.made
    assert {each["@id"] for each in found["./"]["mentions"]} == {"#run", *jobs}
    ids = set(found)
    for each in found.values():  # nothing leads nowhere
        for value in each.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and not item["@id"].startswith("http"):
                    assert item["@id"] in ids


def test_any_program_checks_the_hashes(whole_crate):
    done = subprocess.run(["sha256sum", "-c", "--quiet", MANIFEST], cwd=whole_crate, check=False)
    assert done.returncode == 0


def test_prov_is_read_by_its_library(whole_crate):
    from prov.model import ProvActivity, ProvDocument

    document = ProvDocument.deserialize(str(whole_crate / "provenance.json"))
    jobs = [key for key in graph_of(whole_crate) if key.startswith("#job-")]
    assert len(list(document.get_records(ProvActivity))) == len(jobs)


def test_only_the_owner_reads_it(whole_crate, tmp_path):
    for path in [whole_crate, *whole_crate.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    archive = tmp_path / "x.zip"
    pack(whole_crate, archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    place = open_crate(archive, tmp_path / "opened").directory
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@pytest.mark.parametrize("ending", ["", ".zip", ".tar.gz", ".tar.xz"])
def test_there_and_back(oxides, tmp_path, ending):
    out = write_crate(oxides, tmp_path / f"crate{ending}").crate
    opened = open_crate(out, tmp_path / "opened")
    assert opened.hashes > 20
    assert not opened.absent
    assert diff(oxides, opened.directory).same
    replay = rerun(opened.directory, "mean", to=tmp_path / "again", site="inline")
    assert [job.verdict for job in replay.jobs] == ["same"]
    again = write_crate(
        opened.directory, tmp_path / "again.zip"
    ).crate  # one that was opened is exported, too
    assert open_crate(again, tmp_path / "twice").hashes == opened.hashes


def test_an_opened_campaign_goes_on(tmp_path):
    (tmp_path / "c").mkdir()
    broken = tmp_path / "c" / "not-yet"
    job = exists(str(broken))
    run_flow(Flow([job, same(job.output)]), site="inline", directory=tmp_path / "c")
    out = write_crate(tmp_path / "c", tmp_path / "c.zip").crate
    place = open_crate(out, tmp_path / "elsewhere").directory
    shutil.rmtree(tmp_path / "c")
    (place / "not-yet").touch()  # where the path in the job's arguments leads now
    control.ask(place, "retry")
    resume(place, site="inline")
    assert summarise(place).counts["done"] == 2


def test_a_running_campaign_is_exported_as_it_stands(tmp_path):
    place = build(tmp_path / "c", Flow([add(1)]))
    with HeadLock(place):
        out = write_crate(place, tmp_path / "c.zip").crate
    assert open_crate(out, tmp_path / "opened").hashes == 2
    assert not (tmp_path / "opened" / "head.lock").exists()


def test_an_empty_campaign(tmp_path):
    run_flow(iter([]), site="inline", directory=tmp_path / "c")
    with pytest.raises(CampaignError, match="no jobs yet"):
        write_crate(tmp_path / "c", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_large_files_by_reference(oxides, tmp_path):
    written = write_crate(oxides, tmp_path / "crate", largest=10_000)
    assert written.referenced == 1
    assert not list((written.crate / "campaign" / "blobs").glob("*/*.npy"))
    opened = open_crate(written.crate, tmp_path / "opened")
    assert not opened.absent
    assert list((opened.directory / "blobs").glob("*/*.npy"))
    about = json.loads((written.crate / "zonemelt-crate.json").read_text())
    about["referenced"][0]["place"] = str(tmp_path / "gone")
    (written.crate / "zonemelt-crate.json").write_text(json.dumps(about))
    reseal(written.crate)
    assert open_crate(written.crate, tmp_path / "without").absent == [about["referenced"][0]["path"]]


def test_the_store_of_a_campaign_is_not_told(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    (place / "campaign.yaml").write_text(
        "kind: graph\nname: c\ngraph: a:b\nstore: mongodb://anna:p4ss@host/db\n"
    )
    written = write_crate(place, tmp_path / "crate")
    for path in written.crate.rglob("*"):
        assert not path.is_file() or b"p4ss" not in path.read_bytes()
    assert "store: null" in (written.crate / "campaign" / "campaign.yaml").read_text()
    assert open_crate(written.crate, tmp_path / "opened").files


@pytest.mark.slow
def test_the_public_validator_accepts_it(whole_crate, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.provenance import CACHE, VALIDATOR, validate

    program = Path(os.environ.get("ZONEMELT_ROC_VALIDATOR", VALIDATOR))
    cache = Path(os.environ.get("ZONEMELT_ROC_CACHE", CACHE))
    if not program.exists() or not cache.with_suffix(".sqlite").exists():
        pytest.skip("the validator is not installed: `make crate-validator`")
    crate = shutil.copytree(whole_crate, tmp_path / "crate")
    found = validate(crate, program=program, cache=cache)
    assert found["passed"], [issue["message"] for issue in found["issues"]]
    metadata = json.loads((crate / "ro-crate-metadata.json").read_text())
    for each in metadata["@graph"]:
        each.pop("mainEntity", None)
    (crate / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    assert not validate(crate, program=program, cache=cache)["passed"]
