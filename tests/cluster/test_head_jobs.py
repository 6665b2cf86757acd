"""Heads that are batch jobs: in one allocation with their workers, each with a successor until the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cluster.campaigns_on_slurm import TESTS, begun, site_file, slurm_site
from cluster.modes import needs_slurm
from graphs_for_tests import executions
from waiting import until

from zonemelt.workflows.engine.inspect import summarise

pytestmark = needs_slurm
CLI = [sys.executable, "-m", "zonemelt.workflows.cli"]


def with_two_workers(path, **pool):
    """The file of a site with two workers on each node."""
    return site_file(slurm_site(**{"workers": 2, **pool}), path)


def submit(path, site, *, jobs, seconds):
    arguments = {"jobs": jobs, "folder": str(path / "notes"), "seconds": seconds}
    settings = [part for key, value in arguments.items() for part in ("--set", f"arguments.{key}={value}")]
    command = [*CLI, "submit", "cluster.campaigns_on_slurm:busy_work", *settings, "--as-job"]
    command += ["--site", site, "--directory", str(path / "c")]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True, check=False)


def head_jobs(path):
    return json.loads((path / "c" / "head_jobs" / "jobs.json").read_text())


def wait_for_the_end(path):
    until(
        lambda: (path / "c" / "ledger.db").exists() and summarise(path / "c").status == "finished",
        seconds=500,
    )


@pytest.mark.slow
def test_it_goes_on_in_the_next_allocation(slurm, tmp_path):
    # The head leaves 25 seconds after its beginning; there is work for at least 40.
    site = with_two_workers(tmp_path, walltime="00:02:00", drain="00:01:35")
    done = submit(tmp_path, site, jobs=80, seconds=2)
    assert not done.returncode, done.stderr
    wait_for_the_end(tmp_path)
    assert len(executions(tmp_path / "notes")) == 80
    assert len(head_jobs(tmp_path)) >= 3  # two that worked, and a successor that was not needed
    until(lambda: not slurm.run("squeue", "--noheader").strip())


def test_its_successor_takes_over_when_it_is_killed(slurm, tmp_path):
    site = with_two_workers(tmp_path, walltime="00:10:00", drain="00:00:30")
    done = submit(tmp_path, site, jobs=24, seconds=2)
    assert not done.returncode, done.stderr
    until(lambda: begun(tmp_path / "notes") >= 3)
    slurm.run("scancel", "--signal=KILL", "--full", head_jobs(tmp_path)[0]["job"])
    wait_for_the_end(tmp_path)
    assert len(executions(tmp_path / "notes")) == 24
    until(lambda: not slurm.run("squeue", "--noheader").strip())


def test_a_machine_without_a_scheduler_has_no_jobs_for_heads(tmp_path):
    done = submit(tmp_path, "local", jobs=1, seconds=0)
    assert done.returncode
    assert "site 'local' has no scheduler" in done.stderr


@pytest.mark.usefixtures("slurm")
def test_what_the_scheduler_says_is_handed_on(tmp_path):
    done = submit(tmp_path, with_two_workers(tmp_path, partition="nowhere"), jobs=1, seconds=0)
    assert done.returncode
    assert "invalid partition" in done.stderr.lower()
