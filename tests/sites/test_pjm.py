"""The PJM provider over PJM's commands, without a scheduler: jobs are processes of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cluster.faces.install import install
from cluster.faces.pjm_alone import Alone
from parsl.jobs.states import JobState, JobStatus
from waiting import until

from zonemelt.sites.launchers import NodeLauncher
from zonemelt.sites.providers.jobs import SubmissionError
from zonemelt.sites.providers.pjm import PJMProvider


@pytest.fixture
def machine(tmp_path, monkeypatch):
    commands = install("pjm_alone", tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PJM_FACE_DIR", str(tmp_path / "pjm"))
    machine = Alone(tmp_path / "pjm")
    yield machine
    (machine.directory / "closed").unlink(missing_ok=True)  # or what waits there would wait for ever
    for number in machine.numbers():
        if machine.record(number).state == "RUN":
            machine.delete(number)


def make(tmp_path, **options):
    provider = PJMProvider(**{"group": "hp000000", "rscgrp": "small", "cmd_timeout": 20, **options})
    provider.script_dir = str(tmp_path)
    return provider


def seen(provider, job):
    return provider.status([job])[0]


def wait_for(provider, job, state):
    until(lambda: seen(provider, job).state == state, f"{state.name}", said=lambda: str(seen(provider, job)))
    return seen(provider, job)


def test_a_job_waits_runs_and_completes(machine, tmp_path):
    (queue := machine.directory / "closed").touch()
    provider = make(tmp_path, worker_init="export FROM_SETUP=yes")
    go = tmp_path / "go"
    job = provider.submit(f"while [ ! -e {go} ]; do sleep 0.1; done; echo setup: $FROM_SETUP", 1, "block-0")
    assert seen(provider, job).state == JobState.PENDING
    queue.unlink()
    wait_for(provider, job, JobState.RUNNING)
    go.touch()
    assert "setup: yes" in Path(wait_for(provider, job, JobState.COMPLETED).stdout_path).read_text()


def test_a_manager_is_started_on_every_node(machine, tmp_path):
    provider = make(tmp_path, nodes_per_block=3, launcher=NodeLauncher("pjm"))
    job = provider.submit("echo rank $PMIX_RANK; exit 9", 1, "block-0")
    ended = wait_for(provider, job, JobState.COMPLETED)
    said = sorted(path.read_text() for path in tmp_path.glob("manager.*.out.*"))
    assert said == ["rank 0\n", "rank 1\n", "rank 2\n"]
    assert not Path(ended.stderr_path).read_text()
    assert "exit status 9" in next(tmp_path.glob("manager.*.err.0")).read_text()


def test_the_end_of_the_walltime_is_a_timeout_and_stays_one(machine, tmp_path):
    provider = make(tmp_path, walltime="00:00:01")
    job = provider.submit("sleep 600", 1, "block-0")
    assert "ELAPSE LIMIT EXCEEDED" in wait_for(provider, job, JobState.TIMEOUT).message
    assert seen(provider, job).state == JobState.TIMEOUT


def test_a_machine_without_history_is_asked_for_statistics(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("PJM_FACE_NO_HISTORY", "1")
    provider = make(tmp_path, walltime="00:00:01")
    job = provider.submit("sleep 600", 1, "block-0")
    assert "PJM code 11" in wait_for(provider, job, JobState.TIMEOUT).message


def test_jobs_are_cancelled_one_by_one(machine, tmp_path):
    provider = make(tmp_path)
    first, second = (provider.submit("sleep 600", 1, f"block-{n}") for n in range(2))
    wait_for(provider, first, JobState.RUNNING)
    wait_for(provider, second, JobState.RUNNING)
    assert provider.cancel([first]) == [True]
    assert [one.state for one in provider.status([first, second])] == [JobState.CANCELLED, JobState.RUNNING]
    machine.delete(second)
    assert seen(provider, second).state == JobState.CANCELLED
    assert provider.cancel([second, "99"]) == [True, True]  # they are gone


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"walltime": "05:00:00"}, r"PJM 0057 pjsub elapse=18000 is greater than the upper limit \(14400\)"),
        ({"nodes_per_block": 32}, r"PJM 0057 pjsub node=32 is greater than the upper limit \(24\)"),
        ({"group": "fugaku"}, "PJM 0071 pjsub Group not authorized"),
    ],
)
def test_a_refusal_carries_the_words_of_pjm(machine, tmp_path, options, words):
    with pytest.raises(SubmissionError, match=words):
        make(tmp_path, **options).submit("true", 1, "block-0")


def test_options_of_the_command_line_are_put_there(machine, tmp_path):
    provider = make(tmp_path, scheduler_options="#PJM --no-check-directory\n#PJM -j", gfscache="/vol0004")
    assert provider.command_line() == ["--no-check-directory"]
    assert "no-check" not in provider.script("true", "block-0")
    wait_for(provider, provider.submit("true", 1, "block-0"), JobState.COMPLETED)


def test_a_lost_node_fails_its_job(machine, tmp_path):
    provider = make(tmp_path)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    machine.lose_node(job)
    assert "LOST COMM" in wait_for(provider, job, JobState.FAILED).message


@pytest.mark.parametrize("kind", ["fail", "hang"])
def test_an_outage_of_pjstat_changes_no_state(machine, tmp_path, kind):
    provider = make(tmp_path)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    (machine.directory / "outage").write_text(kind)
    if kind == "hang":
        provider.cmd_timeout = 1
    assert seen(provider, job).state == JobState.RUNNING
    assert provider.outage
    (machine.directory / "outage").unlink()
    provider.cmd_timeout = 20
    assert seen(provider, job).state == JobState.RUNNING
    assert provider.outage is None


def test_names_are_what_pjm_accepts(machine, tmp_path):
    provider = make(tmp_path)
    job = provider.submit("true", 1, "0 größte Probe/" + "x" * 80 + "-block-7")
    name = machine.record(job).name
    assert len(name) <= 63
    assert name.startswith("j0-gr")
    assert "-block-7." in name


def test_a_job_that_nobody_knows_has_ended(machine, tmp_path):
    provider = make(tmp_path)
    provider.resources["77"] = {
        "status": JobStatus(JobState.RUNNING), "job_stdout_path": None, "job_stderr_path": None
    }  # fmt: skip
    assert "no longer knows" in seen(provider, "77").message


def test_volumes_are_separated_by_colons():
    with pytest.raises(ValueError, match="'/vol0001,/vol0002': separate volumes by a colon"):
        PJMProvider(group="hp000000", rscgrp="small", gfscache="/vol0001,/vol0002")
