"""What runs on a node before its workers."""

from __future__ import annotations

import json
import subprocess
import sys

from zonemelt.sites import environment, hello
from zonemelt.sites.environment import worker_init
from zonemelt.sites.load import load_site
from zonemelt.sites.site import Launch, Pool, Site
from zonemelt.workflows.engine import launch, results, worker


def site(**more):
    pool = Pool(account="a", cores=8, environment={"OMP_NUM_THREADS": "2"}, setup=("module load python",))
    values = {"name": "here", "scheduler": "slurm", "pools": {"cpu": pool}, "setup": ("module purge",)}
    return Site(**{**values, **more})


def lines(of):
    return worker_init(of, of.pools["cpu"]).splitlines()


def test_the_sites_lines_come_before_the_pools():
    end, *others = lines(site())
    assert end.startswith("export ZONEMELT_BLOCK_END=")  # the block's time runs while the setup does
    assert others[:2] == ["module purge", "module load python"]


def test_workers_know_when_their_block_ends():
    pool = site().pools["cpu"].model_copy(update={"walltime": "00:10:00", "setup": ()})
    script = worker_init(site(setup=()), pool) + "\necho $(( ZONEMELT_BLOCK_END - $(date +%s) ))"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert 500 < int(done.stdout) <= 600
    assert "BLOCK_END" not in worker_init(site(), pool, in_job=True)


def test_a_pools_variables_win():
    found = [line for line in lines(site(environment={"OMP_NUM_THREADS": "4"})) if "OMP_NUM_THREADS" in line]
    assert found == ["export OMP_NUM_THREADS=2"]


def test_the_lines_run_in_a_shell():
    """Values with quotes and spaces arrive as they were written; the versions fit."""
    own = site(environment={"TEXT": "it's two words"}, setup=())
    pool = own.pools["cpu"].model_copy(update={"setup": ()})
    script = worker_init(own, pool) + '\necho "$TEXT"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "it's two words\n"


def test_another_version_ends_the_block_and_says_so():
    found = hello.problem("0.0.1", "2020.1.1", "3.1")
    assert found is not None
    for part in ("zonemelt", "0.0.1", "parsl", "2020.1.1", "Python", "3.1"):
        assert part in found
    command = [sys.executable, "-m", "zonemelt.sites.hello", "0.0.1", "2020.1.1", "3.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert found in done.stderr


def test_a_worker_finds_what_the_site_says_under_the_same_names():
    assert environment.LAUNCH_VARIABLE == launch.LAUNCH_VARIABLE
    assert environment.VENDOR_VARIABLE == worker.VENDOR_VARIABLE
    assert environment.END_VARIABLE == worker.END_VARIABLE
    assert environment.CONTAINER_VARIABLE == results.CONTAINER_VARIABLE


def test_how_ranks_are_started_reaches_the_worker(monkeypatch):
    whole = Pool(
        account="a", nodes_per_block=2, whole_block=True, launch=Launch(program="srun", mpi="mpirun")
    )
    own = site(pools={"cpu": whole})
    (line,) = [line for line in lines(own) if line.startswith("export ZONEMELT_LAUNCH=")]
    text = line.partition("=")[2].strip("'")
    assert json.loads(text)["nodes"] == 2
    monkeypatch.setenv(launch.LAUNCH_VARIABLE, text)
    assert launch.Launching.here().mpi == "mpirun"


def test_this_machine_needs_no_greeting():
    assert "hello" not in "\n".join(lines(load_site("local")))
