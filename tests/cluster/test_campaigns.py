"""Whole campaigns on a real SLURM: what goes wrong there costs retries of infrastructure, and no result."""

from __future__ import annotations

import json
import subprocess
import sys

import graphs_for_tests as g
import pytest
from cluster.campaigns_on_slurm import (
    TESTS,
    WORKERS,
    begun,
    busy_work,
    gated_work,
    meanwhile,
    open_gate,
    retries,
    site_file,
    slurm_site,
)
from cluster.modes import both_ways, in_ways
from jobflow import Flow
from jobs_of_several_ranks import reduced_by_torch, sum_of_ranks
from ledgers_for_tests import events, fact_of
from relabelling_for_tests import SMALL, as_words
from waiting import until

from zonemelt import RetryPolicy, resume, run_flow
from zonemelt.sites.site import Accelerators, Launch, Network
from zonemelt.tasks.errors import InputError, SiteError
from zonemelt.workflows.engine.inspect import summarise
from zonemelt.workflows.engine.reap import orphans

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]
PATIENT = RetryPolicy(infrastructure=20, backoff_s=0.1, backoff_limit_s=1.0)
JOBS = 16


def running_block(slurm):
    """The id of the block that runs, once one does."""

    def look():
        return slurm.run("squeue", "--noheader", "--states=R", "--format=%i").split()

    return until(look)[0]


def all_blocks(slurm):
    return set(slurm.run("squeue", "--all", "--states=all", "--noheader", "--format=%i").split())


def hosts(directory):
    """The nodes that jobs of a campaign ran on."""
    return {one["host"] for one in events(directory, "done")}


def fill(slurm):
    """Let somebody else have all nodes; returns the id of that job."""
    all_nodes = ("--partition=cpu", "--nodes=2", "--exclusive")
    slurm.run("sbatch", *all_nodes, "--output=/dev/null", "--wrap=sleep 600")
    return running_block(slurm)


def disturbed(slurm, path, harm, **pool):
    """Run a campaign; once all workers are at work, do the harm."""

    def act():
        until(lambda: begun(path / "notes") >= WORKERS)
        harm(running_block(slurm))
        open_gate(path / "notes")

    flow = gated_work(JOBS, path / "notes")
    with meanwhile(act):
        responses = run_flow(flow, site=slurm_site(**pool), directory=path / "c", retry=PATIENT)
    assert len(responses) == JOBS
    found = retries(path / "c")
    assert set(found) <= {"infrastructure"}
    return found["infrastructure"]


def wait_until_it_ended(slurm, block):
    until(lambda: block not in slurm.run("squeue", "--noheader", "--states=R", "--format=%i").split())


@both_ways
def test_a_campaign_runs_in_one_allocation(slurm, tmp_path):
    before = all_blocks(slurm)
    flow = busy_work(JOBS, tmp_path / "notes", seconds=0.3)
    assert len(run_flow(flow, site=slurm_site(), directory=tmp_path / "c")) == JOBS
    assert not retries(tmp_path / "c")
    assert len(all_blocks(slurm) - before) == 1  # every job went through the same block
    assert hosts(tmp_path / "c") == {"cn1", "cn2"}
    until(lambda: not slurm.run("squeue", "--noheader").strip())  # and it was given back


@in_ways("squeue")
def test_a_campaign_of_the_catalog_through_pilot_jobs(slurm, tmp_path):
    command = [sys.executable, "-m", "zonemelt.workflows.cli", "run", "al_potential", *as_words(SMALL)]
    command += ["--site", site_file(slurm_site(), tmp_path), "--directory", str(tmp_path / "c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert (tmp_path / "c" / "report.html").exists()
    assert summarise(tmp_path / "c").status == "finished"
    assert hosts(tmp_path / "c") <= {"cn1", "cn2"}


@in_ways("sacct")
def test_the_walltime_of_a_block_ends_in_the_middle_of_jobs(slurm, tmp_path):
    def end(block):
        slurm.run("scontrol", "update", f"jobid={block}", "EndTime=now+5")
        wait_until_it_ended(slurm, block)

    assert disturbed(slurm, tmp_path, end) >= 1


@in_ways("squeue")
def test_a_block_is_cancelled_by_somebody(slurm, tmp_path):
    def cancel(block):
        slurm.run("scancel", block)
        wait_until_it_ended(slurm, block)

    assert disturbed(slurm, tmp_path, cancel) >= 1


@in_ways("sacct")
def test_a_node_loses_power(slurm, tmp_path):
    assert disturbed(slurm, tmp_path, lambda _: slurm.lose_power("cn2")) >= 1


@pytest.mark.slow
@both_ways
def test_a_node_is_set_down_under_load(slurm, tmp_path):
    def down(_):
        slurm.set_state("cn2", "down")
        slurm.set_state("cn2", "resume")

    disturbed(slurm, tmp_path, down)


def test_the_interchange_is_killed(slurm, tmp_path):
    def kill(_):
        token = fact_of(tmp_path / "c", "workers")
        (process, *_rest) = [p for p in orphans(token) if "interchange" in " ".join(p.cmdline())]
        process.kill()

    disturbed(slurm, tmp_path, kill)


def test_blocks_of_a_killed_head_are_given_back(slurm, tmp_path):
    other = fill(slurm)
    command = [sys.executable, "-m", "zonemelt.workflows.cli", "run", "cluster.campaigns_on_slurm:busy_work"]
    arguments = {"jobs": 4, "folder": str(tmp_path / "notes"), "seconds": 0.1}
    command += [part for key, value in arguments.items() for part in ("--set", f"arguments.{key}={value}")]
    command += ["--site", site_file(slurm_site(), tmp_path), "--directory", str(tmp_path / "c")]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as head:
        (block,) = until(lambda: (fact_of(tmp_path / "c", "blocks") or {}).get("cpu"))
        head.kill()

    def make_room():
        until(lambda: "CANCELLED" in slurm.run("scontrol", "show", "job", block))
        slurm.run("scancel", other)

    with meanwhile(make_room):
        assert len(resume(tmp_path / "c", site=slurm_site())) == 4
    assert fact_of(tmp_path / "c", "blocks") == {}


@pytest.mark.slow
def test_a_block_that_runs_without_workers_is_given_back(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("zonemelt.workflows.engine.parsl_workers._SILENT", 5.0)
    flow = busy_work(2, tmp_path / "notes", seconds=0.1)
    before = all_blocks(slurm)
    with pytest.raises(SiteError, match="3 blocks in a row ended before a worker connected"):
        run_flow(flow, site=slurm_site(setup=("sleep 600",)), directory=tmp_path / "c")
    assert len(all_blocks(slurm) - before) >= 3
    until(lambda: not slurm.run("squeue", "--noheader").strip())


@both_ways
def test_a_broken_environment_is_told_in_its_own_words(slurm, tmp_path):
    site = slurm_site(setup=("echo 'module: no such module torch/9' >&2; exit 7",))
    flow = busy_work(4, tmp_path / "notes", seconds=0.1)
    with pytest.raises(SiteError, match="no such module torch/9"):
        run_flow(flow, site=site, directory=tmp_path / "c")
    assert not retries(tmp_path / "c")  # no attempt of a job was spent on it
    assert len(resume(tmp_path / "c", site=slurm_site())) == 4


def test_another_version_on_the_nodes_is_told(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("zonemelt.sites.environment._versions", lambda: "9.9.9 2020.1.1 3.1")
    flow = busy_work(2, tmp_path / "notes", seconds=0.1)
    with pytest.raises(SiteError, match=r"zonemelt [\d.]+, the head has 9\.9\.9"):
        run_flow(flow, site=slurm_site(), directory=tmp_path / "c")


def test_what_the_scheduler_refuses_is_told(slurm, tmp_path):
    flow = busy_work(2, tmp_path / "notes", seconds=0.1)
    with pytest.raises(SiteError, match=r"(?i)invalid partition"):
        run_flow(flow, site=slurm_site(partition="nowhere"), directory=tmp_path / "c")


def test_a_full_queue_is_waited_for(slurm, tmp_path):
    other = fill(slurm)

    def make_room():
        until(lambda: len(slurm.run("squeue", "--noheader", "--states=PD").splitlines()) == 1)
        slurm.run("scancel", other)

    flow = busy_work(4, tmp_path / "notes", seconds=0.2)
    with meanwhile(make_room):
        assert len(run_flow(flow, site=slurm_site(), directory=tmp_path / "c")) == 4
    assert not retries(tmp_path / "c")


def test_a_look_from_inside_a_worker(slurm, tmp_path):
    site = slurm_site(
        partition="gpu", nodes_per_block=1, accelerators=Accelerators(request="gres=gpu:fake:2")
    )
    command = [sys.executable, "-m", "zonemelt.workflows.cli", "sites", "check", site_file(site, tmp_path)]
    done = subprocess.run(
        [*command, "--probe", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout + done.stderr
    checks = {check["what"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["worker cpu"]["ok"]
    assert checks["worker cpu"]["found"].startswith("gn")
    assert "torch 2" in checks["worker cpu"]["found"]


WHOLE = {
    "whole_block": True, "workers": None, "cores": 4, "environment": {"PYTHONPATH": str(TESTS)},
    "launch": Launch(program="srun", mpi="mpirun"),
}  # fmt: skip


def ranks(job, **config):
    job.update_config({"manager_config": {"nodes": 2, "ranks_per_node": 2, **config}})
    return job


def test_a_job_of_two_nodes_with_two_ranks_each(slurm, tmp_path):
    mpi = ranks(sum_of_ranks())
    gloo = ranks(reduced_by_torch([1.0, 2.0, 4.0, 8.0]), launcher="torch")
    after = g.add(mpi.output["sum"], 1)
    site = slurm_site(**WHOLE)
    site = site.model_copy(update={"distributed": site.distributed.model_copy(update={"interface": "lo"})})
    responses = run_flow(Flow([mpi, gloo, after]), site=site, directory=tmp_path / "c", ensure_success=True)
    assert responses[mpi.uuid][1].output == {"sum": 10, "size": 4, "rank": 0}
    assert responses[gloo.uuid][1].output == {"sum": 15.0, "size": 4, "threads": "1", "backend": "gloo"}
    assert responses[after.uuid][1].output == 11


def test_more_than_a_block_can_give_is_refused_before_it_is_asked_for(slurm, tmp_path):
    before = all_blocks(slurm)
    with pytest.raises(InputError, match="asks for 3 nodes, a block of 'cpu' gives a job 2"):
        run_flow(ranks(sum_of_ranks(), nodes=3), site=slurm_site(**WHOLE), directory=tmp_path / "a")
    with pytest.raises(InputError, match="walltime of 7200 s does not fit"):
        run_flow(ranks(sum_of_ranks(), walltime=7200), site=slurm_site(**WHOLE), directory=tmp_path / "b")
    site = slurm_site().model_copy(update={"network": Network(interface="ib7")})
    with pytest.raises(InputError, match="no interface 'ib7'"):
        run_flow(g.add(1, 2), site=site, directory=tmp_path / "c")
    assert all_blocks(slurm) <= before
