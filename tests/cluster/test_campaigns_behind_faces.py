"""Campaigns through the commands of PBS Pro and PJM: real jobs and walltimes, and the servers' defects."""

from __future__ import annotations

import os

import pytest
from cluster.campaigns_on_slurm import (
    WORKERS,
    begun,
    busy_work,
    gated_work,
    meanwhile,
    open_gate,
    retries,
    slurm_site,
)
from cluster.faces.install import install
from cluster.modes import needs_slurm
from waiting import until

from zonemelt import RetryPolicy, run_flow
from zonemelt.sites.site import Launch
from zonemelt.tasks.errors import SiteError

pytestmark = needs_slurm
PATIENT = RetryPolicy(infrastructure=20, backoff_s=0.1, backoff_limit_s=1.0)
FACES = {"pbspro": ("pbs", "pbsdsh"), "pjm": ("pjm_on_slurm", "pjm")}
JOBS = 16


@pytest.fixture
def batch_site(slurm, tmp_path, monkeypatch):
    """A site behind another batch system's commands."""

    def make(scheduler, switch="", **pool):
        monkeypatch.setenv(switch or "UNUSED", "1")
        face, program = FACES[scheduler]
        monkeypatch.setenv("PATH", f"{install(face, tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}")
        return slurm_site(scheduler, **{"launch": Launch(program=program), "account": "hp0", **pool})

    return make


def blocks(slurm, state):
    return slurm.run("squeue", "--noheader", f"--states={state}", "--format=%i").split()


CASES = [
    pytest.param("pbspro", "", id="pbs"),
    pytest.param("pbspro", "PBS_FACE_FIRST_ONLY", id="pbs-first-only", marks=pytest.mark.slow),
    pytest.param("pbspro", "PBS_FACE_NO_HISTORY", id="pbs-no-history", marks=pytest.mark.slow),
    pytest.param("pbspro", "PBS_FACE_BROKEN_JSON", id="pbs-broken-json", marks=pytest.mark.slow),
    pytest.param("pjm", "", id="pjm"),
    pytest.param("pjm", "PJM_FACE_NO_HISTORY", id="pjm-no-history", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("scheduler", "switch"), CASES)
def test_a_campaign_outlives_its_block(slurm, batch_site, tmp_path, scheduler, switch):
    def act():
        until(lambda: begun(tmp_path / "notes") >= WORKERS)
        slurm.run("scancel", block := blocks(slurm, "R")[0])
        until(lambda: block not in blocks(slurm, "R"))
        open_gate(tmp_path / "notes")

    before = set(blocks(slurm, "all"))
    flow = gated_work(JOBS, tmp_path / "notes")
    with meanwhile(act):
        responses = run_flow(
            flow, site=batch_site(scheduler, switch), directory=tmp_path / "c", retry=PATIENT
        )
    assert len(responses) == JOBS
    assert set(retries(tmp_path / "c")) == {"infrastructure"}
    until(lambda: not blocks(slurm, "PD,R"))
    assert len(set(blocks(slurm, "all")) - before) == 2  # one block was lost, one took its place


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["pbspro", "pjm"])
def test_the_walltime_of_a_block_ends_in_the_middle_of_jobs(slurm, batch_site, tmp_path, scheduler):
    def act():
        until(lambda: begun(tmp_path / "notes") >= WORKERS)
        block = blocks(slurm, "R")[0]
        slurm.run("scontrol", "update", f"jobid={block}", "EndTime=now+5")
        until(lambda: block not in blocks(slurm, "R"))
        open_gate(tmp_path / "notes")

    flow = gated_work(JOBS, tmp_path / "notes")
    with meanwhile(act):
        responses = run_flow(flow, site=batch_site(scheduler), directory=tmp_path / "c", retry=PATIENT)
    assert len(responses) == JOBS
    assert set(retries(tmp_path / "c")) == {"infrastructure"}


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [("pbspro", "qsub: Unknown queue"), ("pjm", r"PJM 0058 pjsub .*invalid partition specified: nowhere")],
)
def test_what_the_scheduler_refuses_is_told(batch_site, tmp_path, scheduler, words):
    flow = busy_work(2, tmp_path / "notes", seconds=0.1)
    with pytest.raises(SiteError, match=words):
        run_flow(flow, site=batch_site(scheduler, partition="nowhere"), directory=tmp_path / "c")
