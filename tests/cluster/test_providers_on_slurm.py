"""Our SLURM provider on a real SLURM: what it says when jobs end in every way there is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from cluster.modes import both_ways, needs_slurm
from cluster.slurm import Cluster, why_not
from parsl.jobs.states import JobState, JobStatus
from waiting import until

from zonemelt.sites.launchers import NodeLauncher
from zonemelt.sites.providers.jobs import SubmissionError
from zonemelt.sites.providers.slurm import SlurmProvider

pytestmark = needs_slurm


def make(place: Path, **options) -> SlurmProvider:
    provider = SlurmProvider(**{"partition": "cpu", "walltime": "00:05:00", "cmd_timeout": 20, **options})
    provider.script_dir = str(place)
    return provider


def state(provider: SlurmProvider, job: str) -> JobState:
    return provider.status([job])[0].state


def wait_for(provider: SlurmProvider, job: str, wanted: JobState) -> JobStatus:
    until(
        lambda: state(provider, job) == wanted, f"job {job} is {wanted.name}",
        said=lambda: str(provider.status([job])[0]),
    )  # fmt: skip
    return provider.status([job])[0]


def stays(provider: SlurmProvider, job: str, wanted: JobState) -> None:
    for _ in range(3):
        assert state(provider, job) == wanted


@both_ways
def test_a_block_runs_on_every_node_and_completes(slurm, tmp_path):
    provider = make(tmp_path, nodes_per_block=2, launcher=NodeLauncher("srun"))
    job = provider.submit('echo "at $(hostname) with $SLURM_CPUS_PER_TASK cores"', 1, "block-0")
    ended = wait_for(provider, job, JobState.COMPLETED)
    said = sorted(line.partition(": ")[2] for line in Path(ended.stdout_path).read_text().splitlines())
    assert said == ["at cn1 with 4 cores", "at cn2 with 4 cores"]


@both_ways
def test_a_job_that_somebody_cancels_is_cancelled_and_stays_so(slurm, tmp_path):
    provider = make(tmp_path)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    slurm.run("scancel", job)
    assert "CANCELLED" in wait_for(provider, job, JobState.CANCELLED).message
    stays(provider, job, JobState.CANCELLED)


@both_ways
def test_ends_are_told_and_stay_and_a_block_shrinks_where_it_can(slurm, tmp_path):
    """One test, since each of these takes SLURM half a minute to notice."""
    two = make(tmp_path, nodes_per_block=2, launcher=NodeLauncher("srun"))
    one = make(tmp_path, partition="gpu")
    shrinks = two.submit(f"while sleep 0.2; do date > {tmp_path}/alive.$(hostname); done", 1, "shrinks")
    dies, expires = (one.submit("sleep 600", 1, name) for name in ("dies", "expires"))
    until(lambda: len(list(tmp_path.glob("alive.*"))) == 2, "both nodes work")
    for job in (dies, expires):
        wait_for(one, job, JobState.RUNNING)
    first = slurm.job(shrinks)["BatchHost"]
    other = {"cn1": "cn2", "cn2": "cn1"}[first]
    slurm.lose_power(other)
    slurm.lose_power(slurm.job(dies)["BatchHost"])
    slurm.run("scontrol", "update", f"jobid={expires}", "EndTime=now+5")

    assert "NODE_FAIL" in wait_for(one, dies, JobState.FAILED).message
    assert slurm.job(dies)["Restarts"] == "0"
    assert "TIMEOUT" in wait_for(one, expires, JobState.TIMEOUT).message
    until(lambda: slurm.states()[other].startswith("down"), "the loss is noticed")
    assert slurm.job(shrinks)["NumNodes"] == "1"
    (tmp_path / f"alive.{first}").unlink()
    until((tmp_path / f"alive.{first}").exists, "the other node still works")
    stays(two, shrinks, JobState.RUNNING)
    stays(one, dies, JobState.FAILED)
    stays(one, expires, JobState.TIMEOUT)


def test_a_block_without_its_first_node_works_on_and_ends_with_its_managers(slurm, tmp_path):
    provider = make(tmp_path, nodes_per_block=2, launcher=NodeLauncher("srun"))
    alive, over = f"{tmp_path}/alive.$(hostname)", tmp_path / "over"
    job = provider.submit(f"until [ -e {over} ]; do date > {alive}; sleep 0.2; done", 1, "block-0")
    until(lambda: len(list(tmp_path.glob("alive.*"))) == 2, "both nodes work")
    first = slurm.job(job)["BatchHost"]
    slurm.lose_power(first)
    until(lambda: slurm.states()[first].startswith("down"), "the loss is noticed")
    stays(provider, job, JobState.RUNNING)
    left = tmp_path / f"alive.{ {'cn1': 'cn2', 'cn2': 'cn1'}[first] }"
    left.unlink()
    until(left.exists, "the other node still works")
    over.touch()
    assert "lost its first node" in wait_for(provider, job, JobState.FAILED).message
    until(
        lambda: slurm.job(job)["JobState"] == "CANCELLED", "the job does not stand there until its walltime"
    )


@both_ways
def test_a_job_that_slurm_does_not_know_does_not_run_for_ever(slurm, tmp_path):
    provider = make(tmp_path)
    for number in ("999998", "999999"):
        provider.resources[number] = {
            "status": JobStatus(JobState.RUNNING), "job_stdout_path": None, "job_stderr_path": None,
        }  # fmt: skip
    assert "no longer knows" in provider.status(["999998"])[0].message
    stays(provider, "999999", JobState.COMPLETED)


@pytest.mark.skipif(why_not(accounting=True) is not None, reason=str(why_not(accounting=True)))
def test_what_the_controller_has_forgotten_the_database_tells(tmp_path, monkeypatch):
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), accounting=True, min_job_age=2)
    try:
        cluster.start()
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        provider = make(tmp_path)
        job = provider.submit("exit 7", 1, "block-0")
        until(lambda: not cluster.job(job), "the controller has forgotten it", seconds=300)
        ended = provider.status([job])[0]
        assert (ended.state, ended.exit_code) == (JobState.FAILED, 7)
    finally:
        cluster.stop()


def test_an_outage_changes_no_state_and_is_said_once(slurm, tmp_path, caplog):
    provider = make(tmp_path, cmd_timeout=2)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    slurm.lose_controller()
    stays(provider, job, JobState.RUNNING)
    assert provider.outage
    assert provider.cancel([job]) == [False]
    slurm.start_controller()
    stays(provider, job, JobState.RUNNING)
    assert provider.outage is None
    assert [r.message.split(",")[0] for r in caplog.records if "answer" in r.message] == [
        "slurm does not answer", "slurm answers again",
    ]  # fmt: skip
    assert provider.cancel([job]) == [True]


def test_a_refusal_carries_the_words_of_slurm(slurm, tmp_path):
    with pytest.raises(SubmissionError, match="invalid partition specified: nowhere"):
        make(tmp_path, partition="nowhere").submit("true", 1, "block-0")


def test_a_held_job_counts_as_one_that_waits(slurm, tmp_path):
    provider = make(tmp_path, scheduler_options="#SBATCH --hold")
    job = provider.submit("true", 1, "block-0")
    assert "JobHeldUser" in wait_for(provider, job, JobState.PENDING).message


def test_a_job_whose_submission_timed_out_is_found_by_its_name(slurm, tmp_path, monkeypatch):
    provider = make(tmp_path)
    submit = provider._submit

    def slow(script):
        _, said = submit(script)
        return None, type(said)(code=1, out="", err="Socket timed out on send/recv operation")

    monkeypatch.setattr(provider, "_submit", slow)
    job = provider.submit("sleep 600", 1, "block-0")
    wait_for(provider, job, JobState.RUNNING)
    assert provider.cancel([job, "999999"]) == [True, True]
    until(lambda: slurm.job(job)["JobState"] == "CANCELLED", "it is gone")
