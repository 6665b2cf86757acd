"""Multi-rank jobs: launched inside their block, of the size that was asked for, dying as one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from graphs_for_tests import same
from jobflow import Flow
from jobs_of_several_ranks import (
    a_rank_is_lost,
    one_rank_complains,
    one_rank_dies,
    reduced_by_torch,
    sum_of_ranks,
    what_ranks_are_told,
)

from zonemelt import RetryPolicy, run_flow
from zonemelt.tasks.errors import SiteError
from zonemelt.tasks.programs import PROGRAM_VARIABLE, ProgramRanks
from zonemelt.workflows.engine import launch
from zonemelt.workflows.engine.launch import (
    LOST_FILE,
    RESULT_FILE,
    TASK_FILE,
    _start_by,
    _was_killed,
    mpi_command,
)
from zonemelt.workflows.engine.resources import read_resources

needs_mpi = pytest.mark.skipif(
    shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") is None,
    reason="there is no mpiexec",
)


def of_ranks(job, ranks=2, **more):
    job.update_config({"manager_config": {"ranks_per_node": ranks, **more}})
    return job


def failure(directory, name="failed"):
    with sqlite3.connect(directory / "ledger.db") as connection:
        row = connection.execute("SELECT data FROM events WHERE kind = ?", (name,)).fetchone()
    return json.loads(row[0])


@needs_mpi
@pytest.mark.mpi
def test_two_mpi_ranks_between_other_jobs(workers, tmp_path):
    job = of_ranks(sum_of_ranks())
    after = same(job.output["sum"])
    around = [same(number) for number in range(6)]
    responses = run_flow(Flow([*around[:3], job, after, *around[3:]]), site=workers, directory=tmp_path / "c")
    assert responses[job.uuid][1].output == {"sum": 3, "size": 2, "rank": 0}
    assert responses[after.uuid][1].output == 3
    assert len(responses) == 8
    assert responses[job.uuid][1].job_dir is None  # it left nothing behind


def test_two_torch_ranks_with_their_threads(workers, tmp_path):
    values = same([1.5, 2.25])
    job = of_ranks(reduced_by_torch(values.output), launcher="torch", threads=1)
    responses = run_flow(Flow([values, job]), site=workers, directory=tmp_path / "c")
    assert responses[job.uuid][1].output == {"sum": 3.75, "size": 2, "threads": "1", "backend": "gloo"}


@pytest.mark.parametrize("launcher", [pytest.param("mpi", marks=[pytest.mark.mpi, needs_mpi]), "torch"])
def test_a_rank_that_dies_fails_the_job(workers, tmp_path, launcher):
    job = of_ranks(one_rank_dies(launcher), launcher=launcher)
    responses = run_flow(job, site=workers, directory=tmp_path / "c")
    assert len(responses) == 0
    found = failure(tmp_path / "c")
    assert found["error"] == "RankError"
    assert f"rank 1 of {launcher} is about to die" in found["tail"]


def test_a_rank_that_is_killed_costs_a_retry(workers, tmp_path):
    job = of_ranks(a_rank_is_lost(str(tmp_path)), launcher="torch")
    responses = run_flow(job, site=workers, directory=tmp_path / "c", retry=RetryPolicy(backoff_s=0.1))
    assert responses[job.uuid][1].output == "came through"
    found = failure(tmp_path / "c", "retry")
    assert (found["cause"], found["error"]) == ("infrastructure", "LostRankError")


def test_what_a_rank_says_is_what_the_job_failed_of(workers, tmp_path):
    job = of_ranks(one_rank_complains(), launcher="torch")
    assert len(run_flow(job, site=workers, directory=tmp_path / "c")) == 0
    found = failure(tmp_path / "c")
    assert (found["cause"], found["error"]) == ("application", "InputError")
    assert found["message"].startswith("m7: the label is infinite")
    assert "one_rank_complains" in found["traceback"]


def test_ranks_know_when_their_job_must_have_ended(workers, tmp_path):
    job = of_ranks(what_ranks_are_told(), launcher="torch", walltime=600)
    before = time.time()
    told = float(run_flow(job, site=workers, directory=tmp_path / "c")[job.uuid][1].output)
    assert before + 600 < told < time.time() + 600


def test_a_launcher_that_waits_for_ranks_that_are_gone_is_ended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "_GRACE", 0.2)
    waits = f"open('{LOST_FILE}', 'w').close(); import time; time.sleep(600)"
    assert _start_by([sys.executable, "-c", waits], dict(os.environ)) == -signal.SIGTERM
    assert _start_by([sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ)) == 3


def test_a_rank_that_will_not_end_is_killed_and_not_blamed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "_GRACE", 0.3)
    deaf = (
        "import os, pathlib, signal, time\n"
        "if os.environ['RANK'] == '0':\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    pathlib.Path('deaf').touch()\n"
        "    time.sleep(600)\n"
        "while not pathlib.Path('deaf').exists():\n"
        "    time.sleep(0.01)\n"
        "raise SystemExit(3)"
    )
    assert launch._start_here([sys.executable, "-c", deaf], 2, dict(os.environ)) == [-signal.SIGTERM, 3]


@pytest.mark.parametrize(
    ("code", "killed"),
    [(0, False), (1, False), (7, False), (-9, True), (-15, False), (137, True), (143, False)],
)
def test_who_was_killed(code, killed):
    assert _was_killed(code) is killed


@needs_mpi
@pytest.mark.mpi
def test_a_world_of_the_wrong_size_is_noticed(tmp_path):
    """A foreign mpiexec starts single ranks that each believe to be the whole world."""
    task = {"chunk": "", "token": "t", "launcher": "mpi", "world_size": 2}
    (tmp_path / TASK_FILE).write_text(json.dumps(task))
    done = subprocess.run(
        [sys.executable, "-m", "zonemelt.workflows.engine.rank", TASK_FILE],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "rank 0 of 1, the job asked for 2" in done.stderr
    assert not (tmp_path / RESULT_FILE).exists()


def test_without_a_launcher_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SiteError, match="no mpiexec"):
        mpi_command(2, beside=Path(sys.executable).parent)


def test_more_nodes_than_a_local_block_has(tmp_path):
    job = of_ranks(sum_of_ranks(), nodes=2)
    assert len(run_flow(job, site="inline", directory=tmp_path / "c")) == 0
    assert "a local block has one" in failure(tmp_path / "c")["message"]


@pytest.mark.parametrize("program", ["srun", "mpirun", "mpiexec"])
def test_a_program_of_a_job_is_started_by_the_launcher_of_its_site(program, monkeypatch):
    monkeypatch.setenv(launch.LAUNCH_VARIABLE, json.dumps({"program": program, "nodes": 2}))
    resources = read_resources({"launcher": "program", "nodes": 2, "ranks_per_node": 3, "threads": 4})
    with launch.program_ranks(SimpleNamespace(uuid="x"), resources):
        here = ProgramRanks.here()
        command = here.command(["/opt/pw.x", "-in", "x"])
    assert (here.ranks, here.threads) == (6, 4)
    assert command[0] == program
    assert command[-3:] == ["/opt/pw.x", "-in", "x"]
    assert "6" in command or "--ntasks=6" in command
    assert PROGRAM_VARIABLE not in os.environ
    assert ProgramRanks.here() == ProgramRanks()


def test_a_program_on_one_machine_is_started_by_the_mpi_beside_it(monkeypatch, tmp_path):
    for folder in ("theirs", "ours"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mpiexec").write_text("#!/bin/sh\necho 'mpiexec (Open MPI) 4.1'\n")
        (tmp_path / folder / "mpiexec").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "ours"))
    monkeypatch.delenv(launch.LAUNCH_VARIABLE, raising=False)
    with launch.program_ranks(
        SimpleNamespace(uuid="x"), read_resources({"launcher": "program", "ranks_per_node": 2})
    ):
        command = ProgramRanks.here().command([str(tmp_path / "theirs" / "pw.x")])
    assert command[0] == str(tmp_path / "theirs" / "mpiexec")
    assert command[-3:] == ["-n", "2", str(tmp_path / "theirs" / "pw.x")]
    with launch.program_ranks(SimpleNamespace(uuid="x"), read_resources({"launcher": "program"})):
        assert ProgramRanks.here().command(["/pw.x"]) == ["/pw.x"]


def test_more_nodes_than_the_block_of_a_program_has(monkeypatch):
    monkeypatch.delenv(launch.LAUNCH_VARIABLE, raising=False)
    resources = read_resources({"launcher": "program", "nodes": 2})
    with (
        pytest.raises(SiteError, match="2 nodes, its block gives a job 1"),
        launch.program_ranks(SimpleNamespace(uuid="x"), resources),
    ):
        pass
