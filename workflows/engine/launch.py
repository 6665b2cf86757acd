"""Start the ranks of a multi-rank job inside its block, and collect what rank 0 returns."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.engine.resources import Resources
    from zonemelt.workflows.engine.results import Chunk, Result, Task

TASK_FILE = "ranks.json"
RESULT_FILE = "rank0.json"
_MODULE = "zonemelt.workflows.engine.rank"


def run_ranks(task: Task, resources: Resources, chunk: Chunk) -> Result:
    """Run a job as ``resources.ranks`` processes in the current directory.

    Every rank calls the job's function; the output is what rank 0 returns. Ranks started by ``mpi`` share
    ``mpi4py.MPI.COMM_WORLD``; those started by ``torch`` find RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
    MASTER_PORT, as torch.distributed's ``env://`` wants them.

    Raises:
        SiteError: there is no MPI launcher, or the job wants more nodes than a local block has.
        RankError: a rank failed; its traceback is in the job's output.
    """
    if resources.nodes > 1:
        raise SiteError(
            f"the job asks for {resources.nodes} nodes, a local block has one",
            where=f"job {task.uuid}",
            remedy="run it on a site whose pool gives several nodes a block",
        )
    secret = uuid.uuid4().hex
    alone = chunk._replace(tasks=[task])
    Path(TASK_FILE).write_text(
        json.dumps(
            {"chunk": alone.encode().decode(), "token": secret, "launcher": resources.launcher,
             "world_size": resources.ranks}
        )
    )  # fmt: skip
    command = [sys.executable, "-m", _MODULE, TASK_FILE]
    environment = {**os.environ, "OMP_NUM_THREADS": str(resources.threads)}
    if resources.launcher == "mpi":
        codes = [
            subprocess.run([*mpi_command(resources.ranks), *command], env=environment, check=False).returncode
        ]
    else:
        codes = _start_torch(command, resources.ranks, environment)
    result = _read_result(secret)
    if result is None or (any(codes) and result["ok"]):
        raise RankError(
            f"{resources.launcher} ranks ended with exit codes {codes} "
            f"{'without a result' if result is None else 'after rank 0 had finished'}; "
            "their output is in the job's directory"
        )
    Path(TASK_FILE).unlink()
    Path(RESULT_FILE).unlink()
    return result


class RankError(RuntimeError):
    """A rank of a multi-rank job failed."""


def _read_result(token: str) -> Result | None:
    try:
        found = json.loads(Path(RESULT_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    result: Result = found["result"]
    return result if found["token"] == token else None


def mpi_command(ranks: int) -> list[str]:
    """How to start ``ranks`` processes with MPI on this machine.

    The launcher beside this Python goes first: one of another MPI would start worlds of size 1.

    Raises:
        SiteError: there is none.
    """
    beside = Path(sys.executable).parent
    launcher = shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if launcher is None:
        raise SiteError(
            "there is no mpiexec",
            where="multi-rank job",
            remedy="pip install 'zonemelt[mpi]', or load the machine's MPI module",
        )
    version = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False)
    if "Open MPI" not in version.stdout + version.stderr:
        return [launcher, "-n", str(ranks)]
    options = ["--oversubscribe"]
    if os.geteuid() == 0:
        options.append("--allow-run-as-root")
    return [launcher, *options, "-n", str(ranks)]


def _start_torch(command: Sequence[str], ranks: int, environment: dict[str, str]) -> list[int]:
    """Start ranks as torchrun does on one node; the first failure ends the others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
        "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "NODE_RANK": "0",
    }  # fmt: skip
    started = [
        subprocess.Popen(command, env={**environment, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(ranks)
    ]
    try:
        while (codes := [process.poll() for process in started]) and None in codes:
            if any(codes):
                break
            try:
                started[codes.index(None)].wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        for process in started:
            if process.poll() is None:
                process.terminate()
    return [process.wait() for process in started]
