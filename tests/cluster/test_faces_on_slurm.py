"""Our PBS and PJM providers over those systems' commands, with real jobs on the SLURM cluster behind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cluster.faces.install import install
from cluster.modes import needs_slurm
from parsl.jobs.states import JobState
from waiting import until

from zonemelt.sites.launchers import NodeLauncher
from zonemelt.sites.providers.jobs import SubmissionError
from zonemelt.sites.providers.pbspro import PBSProProvider
from zonemelt.sites.providers.pjm import PJMProvider

pytestmark = needs_slurm


@pytest.fixture
def face(slurm, tmp_path, monkeypatch):
    def wear(name: str) -> None:
        commands = install(name, tmp_path / "bin")
        monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")

    return wear


def pbs(tmp_path, **options):
    return _ready(PBSProProvider(**{"queue": "cpu", "walltime": "00:05:00", **options}), tmp_path)


def pjm(tmp_path, **options):
    return _ready(
        PJMProvider(**{"group": "hp0", "rscgrp": "cpu", "walltime": "00:05:00", **options}), tmp_path
    )


def _ready(provider, tmp_path):
    provider.cmd_timeout = 30
    provider.script_dir = str(tmp_path)
    return provider


def wait_for(provider, job, state):
    until(
        lambda: provider.status([job])[0].state == state, f"job {job} is {state.name}",
        said=lambda: str(provider.status([job])[0]),
    )  # fmt: skip
    return provider.status([job])[0]


@pytest.mark.parametrize("program", ["pbsdsh", "mpiexec"])
def test_pbs_starts_a_manager_on_every_node(slurm, face, tmp_path, program):
    face("pbs")
    provider = pbs(
        tmp_path, nodes_per_block=2, launcher=NodeLauncher(program), worker_init="export WITH='some words'"
    )
    job = provider.submit('echo "$(hostname) $WITH"', 1, "block-0")
    ended = wait_for(provider, job, JobState.COMPLETED)
    assert sorted(Path(ended.stdout_path).read_text().splitlines()) == ["cn1 some words", "cn2 some words"]


def test_pbs_packs_chunks_unless_they_are_scattered(slurm, face, tmp_path):
    face("pbs")
    packed = pbs(tmp_path, nodes_per_block=2, place="free")
    job = packed.submit("cat $PBS_NODEFILE", 1, "block-0")
    assert len(Path(wait_for(packed, job, JobState.COMPLETED).stdout_path).read_text().split()) == 1


@pytest.mark.parametrize("switch", ["PBS_FACE_FIRST_ONLY", "PBS_FACE_NO_HISTORY", "PBS_FACE_BROKEN_JSON", ""])
def test_the_defects_of_pbs_servers_hide_no_job(slurm, face, tmp_path, monkeypatch, switch):
    face("pbs")
    monkeypatch.setenv(switch or "UNUSED", "1")
    provider = pbs(tmp_path)
    jobs = [provider.submit("sleep 600", 1, f"block-{k}") for k in range(2)]
    for job in jobs:
        wait_for(provider, job, JobState.RUNNING)
    slurm.run("scancel", jobs[0].partition(".")[0])
    # without history all that can be known is that it has ended
    ended = JobState.COMPLETED if switch == "PBS_FACE_NO_HISTORY" else JobState.CANCELLED
    wait_for(provider, jobs[0], ended)
    assert [one.state for one in provider.status(jobs)] == [ended, JobState.RUNNING]
    assert provider.cancel(jobs) == [True, True]


@pytest.mark.slow
def test_the_walltime_of_pbs_is_a_timeout(slurm, face, tmp_path):
    face("pbs")
    provider = pbs(tmp_path)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    slurm.run("scontrol", "update", f"jobid={job.partition('.')[0]}", "EndTime=now+5")
    assert "Exit_status -29" in wait_for(provider, job, JobState.TIMEOUT).message


def test_totals_in_place_of_chunks(slurm, face, tmp_path):
    face("pbs")
    provider = pbs(
        tmp_path, select=False, scheduler_options="#PBS -l ncpus=2\n#PBS -P ab12\n#PBS -l storage=x"
    )
    wait_for(provider, provider.submit("true", 1, "block-0"), JobState.COMPLETED)
    with pytest.raises(SubmissionError, match="Unknown queue"):
        pbs(tmp_path, queue="nowhere").submit("true", 1, "block-0")


@pytest.mark.slow
def test_pjm_starts_a_manager_on_every_node_and_notices_a_lost_one(slurm, face, tmp_path):
    face("pjm_on_slurm")
    provider = pjm(tmp_path, nodes_per_block=2, launcher=NodeLauncher("pjm"))
    command = f"echo $PMIX_RANK > {tmp_path}/at.$(hostname); sleep 600"
    job = provider.submit(command, 1, "block-0")
    until(lambda: len(list(tmp_path.glob("at.*"))) == 2, "both nodes have a manager")
    assert sorted(path.read_text() for path in tmp_path.glob("at.*")) == ["0\n", "1\n"]
    slurm.lose_power(slurm.job(job)["BatchHost"])
    assert "LOST COMM" in wait_for(provider, job, JobState.FAILED).message


@pytest.mark.slow
def test_pjm_cancels_and_times_out(slurm, face, tmp_path):
    face("pjm_on_slurm")
    provider = pjm(tmp_path)
    first, second = (provider.submit("sleep 600", 1, f"block-{k}") for k in range(2))
    wait_for(provider, first, JobState.RUNNING)
    assert provider.cancel([first]) == [True]
    wait_for(provider, second, JobState.RUNNING)
    slurm.run("scontrol", "update", f"jobid={second}", "EndTime=now+5")
    assert "ELAPSE LIMIT" in wait_for(provider, second, JobState.TIMEOUT).message
