"""status, jobs, show, logs: on campaigns that have ended."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest


def test_status_tells_counts_and_failures(zonemelt, mixed: Path):
    said = zonemelt("status", mixed)
    assert "mixed  failed" in said
    assert "1 failed · 2 skipped · 1 stopped" in said
    assert "RuntimeError: the cell is bad" in said
    assert "and more" not in said
    found = zonemelt.json("status", mixed)
    assert found["counts"]["failed"] == 1
    assert found["finished"] == found["total"] == sum(found["counts"].values())
    assert found["head"] is None
    assert found["failures"][0]["reason"] == "RuntimeError: the cell is bad"


def test_jobs_are_listed_and_filtered(zonemelt, mixed: Path):
    everything = zonemelt.json("jobs", mixed)
    assert everything["total"] == len(everything["jobs"])
    assert {job["state"] for job in everything["jobs"]} == {"done", "failed", "skipped", "stopped"}
    failed = zonemelt.json("jobs", mixed, "--failed")["jobs"]
    assert [(job["name"], job["reason"]) for job in failed] == [("broken", "RuntimeError: the cell is bad")]
    both = zonemelt.json("jobs", mixed, "--state", "skipped", "--state", "stopped")["jobs"]
    assert [job["name"] for job in both] == ["skipped", "further", "stopped"]
    assert [job["name"] for job in zonemelt.json("jobs", mixed, "--name", "s*ped")["jobs"]] == [
        "skipped",
        "stopped",
    ]
    assert zonemelt.json("jobs", mixed, "--name", "graphs_for_tests.speak")["total"] == 1
    assert "2 of" in zonemelt("jobs", mixed, "--limit", "2")
    assert "no job is like that" in zonemelt("jobs", mixed, "--state", "held")
    assert "broken" in zonemelt("jobs", mixed)


def test_an_unknown_state_names_the_nearest(zonemelt, mixed: Path):
    assert "did you mean 'failed'" in zonemelt.refused("jobs", mixed, "--state", "fail")


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("first", "its output is in the store"),
        ("broken", "out of attempts (application): RuntimeError: the cell is bad"),
        ("skipped", "it needs the output of 2 'broken', which failed"),
        ("further", "it needs the output of 2 'broken', which failed"),
        ("stopped", "returned stop_children"),
    ],
)
def test_show_tells_why(zonemelt, mixed: Path, job: str, why: str):
    assert why in " ".join(zonemelt("show", job, mixed).split())
    assert why in zonemelt.json("show", job, mixed)["why"]


def test_show_tells_everything(zonemelt, mixed: Path):
    broken = zonemelt.json("show", "broken", mixed)
    assert [parent["name"] for parent in broken["parents"]] == ["first"]
    assert [child["name"] for child in broken["children"]] == ["skipped"]
    (attempt,) = broken["tried"]
    assert attempt["how"] == "failed"
    assert attempt["cause"] == "application"
    assert "raise RuntimeError" in attempt["traceback"]
    many = zonemelt.json("show", "many", mixed)
    assert many["brought"]["replace"] >= 4
    assert many["output"] is None
    mapped = zonemelt.json("jobs", mixed, "--state", "done")["jobs"]
    brought = [zonemelt.json("show", str(job["id"]), mixed)["origin"] for job in mapped]
    assert many["id"] in {origin["id"] for origin in brought if origin}
    said = zonemelt("show", "broken", mixed)
    assert "waits for   1 'first', done" in said
    assert "Traceback (most recent call last)" in said


def test_show_names_what_a_job_refers_to(zonemelt, tmp_path: Path):
    from graphs_for_tests import map_reduce, same
    from jobflow import Flow

    from zonemelt.workflows.engine.run import run_flow

    first = same({"energy": [1, 2]})
    second = same(first.output["energy"][1])
    first.name, second.name = "relax", "after"
    run_flow(Flow([first, second, map_reduce(2)]), site="inline", directory=tmp_path / "c")
    assert "output of 1 'relax'['energy'][1]" in zonemelt("show", "after", tmp_path / "c")
    assert "OutputReference" in str(zonemelt.json("show", "after", tmp_path / "c")["arguments"])
    brought = zonemelt("show", "6", tmp_path / "c")
    assert "output of 4 'add'" in brought
    assert "OutputReference" not in brought


def test_what_no_head_drives_is_interrupted(zonemelt, tmp_path: Path, mixed: Path):
    """In the words of ``status`` and in its JSON."""
    place = shutil.copytree(mixed, tmp_path / "c")
    with sqlite3.connect(place / "ledger.db") as connection:
        connection.execute("UPDATE campaign SET value = '\"running\"' WHERE key = 'status'")
    assert zonemelt.json("status", place)["status"] == "interrupted"
    assert "mixed  interrupted" in zonemelt("status", place)


def test_a_job_has_many_names(zonemelt, mixed: Path):
    talker = zonemelt.json("show", "talker", mixed)
    for name in (str(talker["id"]), talker["uuid"], talker["uuid"][:13], f"{talker['uuid']}_1"):
        assert zonemelt.json("show", name, mixed)["id"] == talker["id"]


def test_a_job_that_is_not_there(zonemelt, mixed: Path):
    assert "did you mean 'broken'" in zonemelt.refused("show", "brokn", mixed)
    assert "there is no job '4711'" in zonemelt.refused("show", "4711", mixed)
    said = zonemelt.refused("show", "countdown", mixed)
    assert "3 jobs are named 'countdown'" in said
    assert "(done)" in said


def test_an_ambiguous_uuid(zonemelt, tmp_path: Path, mixed: Path):
    copy = shutil.copytree(mixed, tmp_path / "copy")
    with sqlite3.connect(copy / "ledger.db") as connection:
        for job, end in ((1, "1"), (2, "2")):
            connection.execute("UPDATE jobs SET uuid = ? WHERE id = ?", (f"abcdabcd-{end}", job))
    connection.close()
    assert "several jobs" in zonemelt.refused("show", "abcdabcd", copy)
    assert zonemelt.json("show", "abcdabcd-2", copy)["id"] == 2


def test_logs_of_a_job_that_has_ended(zonemelt):
    """The in-process site keeps no output apart; a worker's is in the job's directory."""
    zonemelt("run", "campaigns_for_tests:mixed", "--site", "inline", "-d", "here", code=1)
    (attempt,) = zonemelt.json("show", "talker", "here")["tried"]
    Path(attempt["directory"], "output.log").write_text("hello\nworld\n")
    assert zonemelt("logs", "talker", "here") == "hello\nworld\n"
    said = zonemelt.refused("logs", "talker", "here", "--attempt", "3")
    assert "there is no output of attempt 3: it had 1" in said
    assert "it needs the output" in zonemelt.refused("logs", "skipped", "here")


def test_what_is_not_a_campaign(zonemelt, tmp_path: Path):
    assert "there is no such directory" in zonemelt.refused("status", tmp_path / "nothing")
    assert "this is not a campaign directory" in zonemelt.refused("status", tmp_path)
    assert "there is no campaign, neither here nor in" in zonemelt.refused("status")
    (tmp_path / "campaign.yaml").write_text("name: x\n")
    assert "this campaign has not begun" in zonemelt.refused("status", tmp_path)
    (tmp_path / "ledger.db").write_text("this is not a database, whatever its name says, not at all")
    assert "the database cannot be opened" in zonemelt.refused("status", tmp_path)


def test_a_ledger_of_another_version(zonemelt, tmp_path: Path, mixed: Path):
    copy = shutil.copytree(mixed, tmp_path / "copy")
    connection = sqlite3.connect(copy / "ledger.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for words in (("status",), ("jobs",), ("show", "1"), ("resume",), ("retry", "--all-failed"), ("pause",)):
        said = zonemelt.refused(*words, copy)
        assert "the ledger has schema 99" in said


def test_the_newest_campaign_is_meant(zonemelt, home: Path, mixed: Path):
    import os

    runs = home / "zonemelt_runs"
    for age, name in ((500, "old"), (0, "new")):
        copy = shutil.copytree(mixed, runs / name)
        for path in copy.iterdir():
            at = path.stat().st_mtime - age
            os.utime(path, (at, at))
    said, where = zonemelt.both("status")
    assert where == "campaign zonemelt_runs/new\n"
    assert "mixed" in said
    os.chdir(runs / "old")
    assert zonemelt.both("status")[1] == ""
    assert zonemelt.json("status")["directory"] == "."


def test_reading_writes_nothing(zonemelt, tmp_path: Path, mixed: Path):
    before = (mixed / "ledger.db").read_bytes()
    for words in (("status",), ("jobs",), ("show", "1"), ("logs", "talker")):
        zonemelt(*words, mixed)
    assert (mixed / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("name", ["²", "9" * 30, f"abcd_{'9' * 30}"])
def test_no_number_is_an_error_that_nobody_expected(zonemelt, mixed: Path, name: str):
    assert "there is no job" in zonemelt.refused("show", name, mixed)


def test_json_has_no_word_for_what_is_no_number(capsys):
    from zonemelt.workflows.paper import print_json

    print_json({"r2": float("nan"), "most": [float("inf"), 1.0], "name": "NaN"})
    said = json.loads(capsys.readouterr().out)
    assert said == {"r2": None, "most": [None, 1.0], "name": "NaN"}
