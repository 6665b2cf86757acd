"""The test cluster itself: what tests rely on when they say that SLURM did something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cluster.modes import both_ways, needs_slurm
from cluster.slurm import NODES, Cluster, why_not
from waiting import until

pytestmark = needs_slurm


@both_ways
def test_every_node_is_idle_and_runs_a_step(slurm):
    assert slurm.states() == dict.fromkeys(NODES, "idle")
    assert sorted(slurm.run("srun", "--nodes=2", "hostname").split()) == ["cn1", "cn2"]


def test_each_task_is_given_gpus_of_its_own(slurm):
    said = slurm.run(
        "srun", "--partition=gpu", "--nodes=2", "--ntasks-per-node=2", "--gpus-per-task=2",
        "bash", "-c", "echo $(hostname) $CUDA_VISIBLE_DEVICES",
    )  # fmt: skip
    assert sorted(said.splitlines()) == ["gn1 0,1", "gn1 2,3", "gn2 0,1", "gn2 2,3"]
    refused = "Requested node configuration is not available"
    with pytest.raises(subprocess.SubprocessError, match=refused):
        slurm.run("srun", "--partition=gpu", "--gpus-per-node=5", "true")


@both_ways
def test_sacct_remembers_where_there_is_a_database_and_says_so_where_not(slurm):
    job = slurm.run("sbatch", "--parsable", "--output=/dev/null", "--wrap=true").strip()
    ask = ("sacct", "--allocations", "--noheader", "--format=state", f"--jobs={job}")
    if slurm.accounting:
        until(lambda: slurm.run(*ask).split() == ["COMPLETED"], "the database knows how it ended")
    else:
        with pytest.raises(subprocess.SubprocessError, match="accounting storage is disabled"):
            slurm.run(*ask)


@pytest.mark.slow
def test_a_power_cut_ends_what_runs_there_and_slurm_notices(slurm):
    job = slurm.run(
        "sbatch", "--parsable", "--no-requeue", "--nodelist=cn2", "--output=/dev/null", "--wrap=sleep 600"
    ).strip()
    until(lambda: slurm.job(job)["JobState"] == "RUNNING", "the job runs")
    slurm.lose_power("cn2")
    until(lambda: slurm.job(job)["JobState"] == "NODE_FAIL", "its end is noticed")
    assert slurm.states()["cn2"].startswith("down")
    slurm.boot("cn2")
    assert slurm.states()["cn2"] == "idle"


def test_the_controller_may_go_away_and_come_back(slurm):
    slurm.lose_controller()
    with pytest.raises(subprocess.SubprocessError):
        slurm.run("scontrol", "ping")
    slurm.start_controller()
    assert slurm.states() == dict.fromkeys(NODES, "idle")


@pytest.mark.skipif(shutil.which("ss") is None, reason="no ss (iproute2) to list sockets with")
def test_it_listens_on_the_loopback_interface_only(slurm):
    lines = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line for line in lines if '"slurm' in line or '"mariadbd"' in line]
    assert len(ours) > len(NODES)
    assert all(line.split()[3].startswith("127.0.0.1:") for line in ours), ours


def test_it_ends_with_whoever_started_it(slurm, tmp_path):
    place = Path(tempfile.mkdtemp(prefix="slurm-"))
    program = tmp_path / "starts_and_dies.py"
    program.write_text(
        "import os, signal, sys; from pathlib import Path; from cluster.slurm import Cluster\n"
        "Cluster(Path(sys.argv[1])).start(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, program, place], env=environment, check=False, timeout=300)
    processes = [int(path.read_text()) for path in (place / "run").glob("*.pid")]
    assert len(processes) == len(NODES) + 2  # munged and slurmctld
    until(lambda: not any(map(_alive, processes)), "they are gone")
    shutil.rmtree(place)


def test_a_cluster_that_cannot_run_says_why(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    why_not.cache_clear()
    try:
        assert "needs root" in why_not()
    finally:
        monkeypatch.undo()
        why_not.cache_clear()


def test_a_path_too_long_for_sockets_is_refused(tmp_path):
    with pytest.raises(ValueError, match="directly below /tmp"):
        Cluster(tmp_path / ("long" * 30))


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
