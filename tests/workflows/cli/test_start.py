"""init, check, run, resume in this process, and what is refused before anything starts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path


def test_run_ends_with_what_became_of_it(zonemelt, home: Path):
    said, where = zonemelt.both(
        "run", "campaigns_for_tests:good", "--site", "inline", "--set", "arguments.n=5"
    )
    assert where.startswith(f"campaign {home / 'zonemelt_runs' / 'good-'}")
    assert "6 jobs: 6 done" in said
    assert zonemelt.json("status")["status"] == "finished"
    (place,) = (home / "zonemelt_runs").iterdir()
    written = yaml.safe_load((place / "campaign.yaml").read_text())
    assert written["graph"] == "campaigns_for_tests:good"
    assert written["arguments"] == {"n": 5}
    assert written["site"] == "inline"


def test_failed_jobs_are_listed(zonemelt):
    said = zonemelt("run", "campaigns_for_tests:mixed", "--site", "inline", "-d", "here", code=1)
    assert "RuntimeError: the cell is bad" in said
    assert "zonemelt show 2" in said


def test_ensure_success_counts_stopped_jobs(zonemelt):
    words = ("run", "campaigns_for_tests:mixed", "--site", "inline", "--ensure-success")
    assert "4 of 17 jobs did not succeed" in zonemelt.both(*words, code=1)[1]


def test_a_campaign_file(zonemelt, home: Path):
    (home / "mine.yaml").write_text(
        "name: mine\nkind: graph\ngraph: campaigns_for_tests:good\nsite: inline\n"
    )
    zonemelt("run", "mine.yaml", "--directory", "here")
    assert zonemelt.json("status", "here")["name"] == "mine"


def test_resume_finds_nothing_left_to_do(zonemelt):
    zonemelt("run", "campaigns_for_tests:good", "--site", "inline", "-d", "here")
    assert "4 jobs: 4 done" in zonemelt("resume", "here")


def test_resume_after_a_retry(zonemelt, home: Path):
    argument = f"arguments.folder={home}"
    words = ("run", "campaigns_for_tests:mended", "--site", "inline", "-d", "here", "--set", argument)
    zonemelt(*words, code=1)
    (home / "mended").touch()
    assert "1 job runs again" in zonemelt("retry", "--error", "FileNotFound", "here")
    assert zonemelt.json("show", "fragile", "here")["why"].startswith("could start, but no head")
    assert "2 jobs: 2 done" in zonemelt("resume", "here")


def test_a_campaign_that_never_began_starts(zonemelt, home: Path):
    from zonemelt.workflows.engine.ledger import Ledger

    place = home / "here"
    place.mkdir()
    content = {"name": "x", "kind": "graph", "graph": "campaigns_for_tests:good", "site": "inline"}
    (place / "campaign.yaml").write_text(yaml.safe_dump(content))
    Ledger(place).close()
    assert "4 jobs: 4 done" in zonemelt("resume", place)


def test_a_directory_that_holds_another_campaign(zonemelt, mixed: Path):
    for verb in ("run", "submit"):
        said = zonemelt.refused(verb, "campaigns_for_tests:good", "--site", "inline", "-d", mixed)
        assert "holds a campaign already" in said
        assert f"zonemelt resume {mixed}" in said


@pytest.mark.parametrize(
    ("campaign", "options", "said"),
    [
        ("nothing.yaml", (), "there is no such campaign"),
        ("campaigns_for_tests:nothing", (), "campaigns_for_tests has no 'nothing'"),
        ("no_such_module:nothing", (), "there is no module 'no_such_module'"),
        ("campaigns_for_tests:forgetful", (), "graph campaigns_for_tests:forgetful: it returned None"),
        ("campaigns_for_tests:good", ("--set", "arguments.m=3"), "unexpected keyword argument 'm'"),
        ("campaigns_for_tests:good", ("--set", "sit=local"), "did you mean 'site'"),
        ("campaigns_for_tests:good", ("--set", "rounds"), "is not KEY=VALUE"),
        ("campaigns_for_tests:good", ("--site", "nowhere"), "there is no such site"),
        ("campaigns_for_tests:good", ("--oracle", "emt"), "unknown key 'oracle'"),
        ("quickstart", ("--oracle", "vasq"), "oracle: 'vasq' cannot be used"),
        ("al_potential", ("--set", "bach=3"), "did you mean 'batch'"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "submit"])
def test_what_is_refused_before_it_starts(zonemelt, home: Path, *, verb, campaign, options, said):
    assert said in zonemelt.refused(verb, campaign, *options)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nkind: graph\ngraph: campaigns_for_tests:good\nstoer: memory\n", "did you mean 'store'"),
        ("name: [\n", "not YAML"),
        ("- 1\n", "not a mapping"),
        ("name: x\nkind: grahp\n", "there is no kind of campaign 'grahp'"),
    ],
)
def test_bad_campaign_files(zonemelt, home: Path, text: str, said: str):
    (home / "bad.yaml").write_text(text)
    answer = zonemelt.refused("run", "bad.yaml")
    assert said in answer
    assert "bad.yaml" in answer


def test_a_graph_that_cannot_run(zonemelt):
    said = zonemelt.refused("run", "campaigns_for_tests:cycle", "--site", "inline")
    assert "contains cycles" in said


def test_a_store_that_cannot_be_reached(zonemelt):
    uri = "mongodb://me:secret@127.0.0.1:1/db?serverSelectionTimeoutMS=200"
    words = ("run", "campaigns_for_tests:good", "--site", "inline", "--store", uri, "-d", "here")
    said = zonemelt.refused(*words)
    assert "does not answer" in said
    assert "secret" not in said
    # nothing has begun, so the directory can be used for the campaign when the store is back
    zonemelt("run", "campaigns_for_tests:good", "--site", "inline", "-d", "here")


def test_init_writes_a_campaign_to_start_from(zonemelt, home: Path):
    assert "zonemelt run oxides.yaml" in zonemelt("init", "oxides")
    assert "#" in (home / "oxides.yaml").read_text()
    (home / "oxides.yaml").write_text("mine")
    assert "this file exists" in zonemelt.refused("init", "oxides")
    assert (home / "oxides.yaml").read_text() == "mine"
    assert "there is no such campaign" in zonemelt.refused("init", "other", "--from", "nothing")
    zonemelt("init", "deep/er.yaml")
    assert (home / "deep" / "er.yaml").exists()


def test_check_of_what_is_there(zonemelt, home: Path):
    said = zonemelt("check", "quickstart", "--oracle", "emt")
    assert "✗" not in said
    for what in (
        "python",
        "packages",
        "campaign",
        "graph",
        "site",
        "directory",
        "file system",
        "store",
        "oracle",
    ):
        assert f"✓ {what}" in said
    assert "· mpiexec" in said
    found = zonemelt.json("check")
    assert found["ok"]
    assert "campaign" not in {one["what"] for one in found["checks"]}
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("{label: {pool: dft}}", "resources.label.pool: the site has no pool 'dft'"),
        ("{train: {nodes: 2}}", "resources.train.nodes: the job asks for 2 nodes"),
    ],
)
def test_what_the_site_has_not_is_said_before_anything_begins(zonemelt, home: Path, wanted: str, said: str):
    words = ["quickstart", "--oracle", "emt", "--set", f"resources={wanted}"]
    assert said in " ".join(zonemelt.refused("run", *words).split())
    found = zonemelt.json("check", *words, code=1)
    assert [one["what"] for one in found["checks"] if one["ok"] is False] == ["site"]
    assert list(home.iterdir()) == []


def test_check_of_what_is_not(zonemelt, monkeypatch: pytest.MonkeyPatch):
    crosses = {
        ("nothing.yaml",): "campaign",
        ("campaigns_for_tests:nothing",): "graph",
        ("quickstart", "--site", "nowhere"): "site",
        ("quickstart", "--set", "store=mongodb://127.0.0.1:1/db?serverSelectionTimeoutMS=200"): "store",
        ("quickstart", "--oracle", "gpaw", "--set", "oracles.gpaw.command=/nowhere/python"): "oracle",
    }
    for words, what in crosses.items():
        found = zonemelt.json("check", *words, code=1)
        wrong = {one["what"]: one for one in found["checks"] if one["ok"] is False}
        assert what in wrong, words
        assert wrong[what]["remedy"]
        assert f"✗ {what}" in zonemelt("check", *words, code=1)


def test_check_of_a_directory_that_cannot_be_written(zonemelt, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    found = zonemelt.json("check", code=1)
    (wrong,) = [one for one in found["checks"] if one["ok"] is False]
    assert wrong["what"] == "directory"
    assert "runs_directory" in wrong["remedy"]


def test_sites_are_listed(zonemelt):
    assert "local" in zonemelt("sites")
    assert "local" in [site["name"] for site in zonemelt.json("sites")["sites"]]


def test_report_of_a_graph(zonemelt, mixed: Path, tmp_path: Path):
    out = tmp_path / "here" / "mixed.html"
    assert str(out) in zonemelt("report", mixed, "--out", out).replace("\n", "")
    assert "the cell is bad" in out.read_text(encoding="utf-8")


def test_errors_with_a_traceback_on_demand(zonemelt, monkeypatch: pytest.MonkeyPatch):
    from zonemelt.tasks.errors import CampaignError
    from zonemelt.workflows.cli import app

    monkeypatch.setenv("ZONEMELT_DEBUG", "1")
    result = zonemelt.runner.invoke(app, ["status", "nowhere"])
    assert isinstance(result.exception, CampaignError)


def test_version(zonemelt):
    from zonemelt import __version__

    assert zonemelt("--version") == f"zonemelt {__version__}\n"


def test_what_is_read_is_one_json_object(zonemelt, mixed: Path):
    for words in (("status", mixed), ("jobs", mixed), ("show", "1", mixed), ("sites",), ("check",)):
        assert isinstance(json.loads(zonemelt(*words, "--json")), dict)
