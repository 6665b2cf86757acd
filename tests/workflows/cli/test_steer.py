"""pause, cancel, retry, release: on campaigns that no head drives."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A campaign whose jobs are all still to run: a head put them into the ledger and was killed."""
    import campaigns_for_tests

    from zonemelt.tasks.blobs import BlobDirectory
    from zonemelt.workflows.engine.graph import job_rows
    from zonemelt.workflows.engine.ledger import Ledger

    place = tmp_path / "begun"
    place.mkdir()
    ledger = Ledger(place)
    with ledger.transaction():
        ledger.put("name", "good")
        ledger.put("status", "running")
        ledger.insert(job_rows(campaigns_for_tests.good(3), blobs=BlobDirectory(place / "blobs")))
    ledger.close()
    return place


def states(zonemelt, place: Path) -> dict[str, str]:
    return {job["name"]: job["state"] for job in zonemelt.json("jobs", place)["jobs"]}


def test_without_a_head(zonemelt, begun: Path):
    found = zonemelt.json("status", begun)
    assert "no head drives it" in found["waits_for"]
    assert "interrupted" in zonemelt("status", begun)
    assert "waits for 1 'number 0' (ready)" in zonemelt.json("show", "total", begun)["why"]


def test_pause_and_resume_a_campaign(zonemelt, begun: Path):
    assert "it is paused" in zonemelt("pause", begun)
    assert zonemelt.json("status", begun)["status"] == "paused"
    assert "it is paused (by a person)" in zonemelt("status", begun)
    assert "4 jobs: 4 done" in zonemelt("resume", begun, "--site", "inline")


def test_hold_and_release_a_job(zonemelt, begun: Path):
    zonemelt("pause", "number 1", begun)
    assert states(zonemelt, begun)["number 1"] == states(zonemelt, begun)["total"] == "held"
    assert "paused by a person" in zonemelt.json("show", "total", begun)["why"]
    assert "is held" in zonemelt.refused("pause", "total", begun)
    said = zonemelt("resume", begun, "--site", "inline", code=1)
    assert "only held jobs are left" in said
    assert "is done" in zonemelt.refused("resume", begun, "--job", "number 0")
    assert "are released" in zonemelt("resume", begun, "--job", "number 1")
    assert "4 jobs: 4 done" in zonemelt("resume", begun, "--site", "inline")


def test_cancel_and_retry_a_job(zonemelt, begun: Path):
    zonemelt("cancel", "number 1", begun)
    assert states(zonemelt, begun)["total"] == "cancelled"
    assert "with what it depends on: 2 'number 1'" in zonemelt.json("show", "total", begun)["why"]
    assert "has ended already" in zonemelt.refused("cancel", "number 1", begun)
    zonemelt("retry", "number 1", begun)
    assert "4 jobs: 4 done" in zonemelt("resume", begun, "--site", "inline")


def test_cancel_and_retry_a_campaign(zonemelt, begun: Path):
    assert "it is cancelled" in zonemelt("cancel", begun)
    assert set(states(zonemelt, begun).values()) == {"cancelled"}
    assert "it was cancelled" in zonemelt("status", begun)
    assert "4 jobs run again" in zonemelt("retry", "--all-failed", begun)
    assert "4 jobs: 4 done" in zonemelt("resume", begun, "--site", "inline")


def test_what_cannot_be_retried(zonemelt, tmp_path: Path, mixed: Path):
    copy = shutil.copytree(mixed, tmp_path / "copy")
    assert "has not failed" in zonemelt.refused("retry", "first", copy)
    assert "retry the job that failed" in zonemelt.refused("retry", "skipped", copy)
    assert "say which jobs" in zonemelt.refused("retry", copy)
    assert "say which jobs" in zonemelt.refused("retry", "broken", copy, "--all-failed")
    assert "is not a regular expression" in zonemelt.refused("retry", copy, "--error", "(")
    assert "no job is to run again" in zonemelt("retry", copy, "--error", "MemoryError")


def test_a_second_head_is_refused(zonemelt, begun: Path):
    from zonemelt.workflows.engine.lock import HeadLock

    with HeadLock(begun):
        assert zonemelt.json("status", begun)["head"]["pid"] == os.getpid()
        for words in (("resume", begun), ("resume", begun, "--detach")):
            said = zonemelt.refused(*words)
            assert f"process {os.getpid()} on {socket.gethostname()} is running this campaign" in said
    assert zonemelt.json("status", begun)["head"] is None


def test_a_head_elsewhere_counts_by_its_signs_of_life(zonemelt, begun: Path):
    lock = begun / "head.lock"
    lock.write_text(json.dumps({"pid": 12, "host": "another", "since": time.time()}))
    assert zonemelt.json("status", begun)["head"]["host"] == "another"
    assert "process 12 on another is running" in zonemelt.refused("resume", begun, "--site", "inline")
    old = time.time() - 3600
    os.utime(lock, (old, old))
    assert zonemelt.json("status", begun)["head"] is None
    assert "4 jobs: 4 done" in zonemelt("resume", begun, "--site", "inline")
