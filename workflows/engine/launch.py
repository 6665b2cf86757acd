"""Start the ranks of a multi-rank job inside its block, and collect what rank 0 returns."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.deadline import DEADLINE_VARIABLE
from zonemelt.tasks.errors import SiteError
from zonemelt.tasks.programs import PROGRAM_VARIABLE, mpi_command
from zonemelt.tasks.train.ranks import BACKEND_VARIABLE, LostRankError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.workflows.engine.resources import Resources
    from zonemelt.workflows.engine.results import Chunk, Result, Task

LAUNCH_VARIABLE = "ZONEMELT_LAUNCH"  # set by sites/environment.py, which a worker does not import
TASK_FILE = "ranks.json"
RESULT_FILE = "rank0.json"
FAILURE_FILE = "failure.json"  # of the first rank that ends with an error of its own
LOST_FILE = "lost.json"  # of the first that ends because another is gone
_MODULE = "zonemelt.workflows.engine.rank"
_GRACE = 20.0  # seconds that a launcher has to end all ranks once one has failed
_BY_SIGNAL = 128  # and more: what shells and launchers make of a process that was killed


class RankError(RuntimeError):
    """A rank of a multi-rank job failed."""


@dataclass(frozen=True, kw_only=True)
class Launching:
    """How ranks are started here, as the site says; by default on this node alone.

    Attributes:
        program: what starts them on the nodes of a block; ``simple``: this process, on its own node.
        options: its further options.
        mpi: what starts MPI ranks instead; empty: the same.
        nodes: nodes that a job may span.
        backend: of torch.distributed.
        interface: that ranks talk over; None leaves it to the libraries.
        master_suffix: appended to the name of the first host.
        environment: for torch.distributed.
    """

    program: str = "simple"
    options: str = ""
    mpi: str = ""
    nodes: int = 1
    backend: str = "gloo"
    interface: str | None = None
    master_suffix: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls) -> Launching:
        """What this worker was told."""
        return cls(**json.loads(os.environ.get(LAUNCH_VARIABLE, "{}")))


def run_ranks(task: Task, resources: Resources, chunk: Chunk) -> Result:
    """Run a job as ``resources.ranks`` processes in the current directory.

    Every rank calls the job's function; the output is what rank 0 returns. Where a rank raises, the result is
    that failure. Ranks started by ``mpi`` share
    ``mpi4py.MPI.COMM_WORLD``; those started by ``torch`` find RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
    MASTER_PORT, as torch.distributed's ``env://`` wants them, and ZONEMELT_BACKEND.

    Raises:
        SiteError: there is no MPI launcher, or the job wants more nodes than its block has.
        LostRankError: a rank was killed.
        RankError: a rank ended without a word.
    """
    launching = Launching.here()
    _check_nodes(resources, launching, task)
    secret = uuid.uuid4().hex
    alone = chunk._replace(tasks=[task])
    Path(TASK_FILE).write_text(
        json.dumps(
            {"chunk": alone.encode().decode(), "token": secret, "launcher": resources.launcher,
             "world_size": resources.ranks}
        )
    )  # fmt: skip
    command = [sys.executable, "-m", _MODULE, TASK_FILE]
    variables = {"OMP_NUM_THREADS": str(resources.threads)}
    if DEADLINE_VARIABLE in os.environ:
        variables[DEADLINE_VARIABLE] = os.environ[DEADLINE_VARIABLE]
    if resources.launcher == "torch":
        variables |= _rendezvous(resources, launching)
    if launching.program == "simple" and resources.launcher == "torch":
        codes = _start_here(command, resources.ranks, {**os.environ, **variables})
    else:
        starter = rank_command(resources, launching, variables)
        codes = [_start_by([*starter, *command], {**os.environ, **variables})]
    result = _read_result(RESULT_FILE, secret)
    if result is None or any(codes):
        if (failure := _read_result(FAILURE_FILE, secret)) is not None:
            return failure
        said = (
            f"{resources.launcher} ranks ended with exit codes {codes} "
            f"{'without a result' if result is None else 'after rank 0 had finished'}"
        )
        if _read_result(LOST_FILE, secret) is not None or any(map(_was_killed, codes)):
            raise LostRankError(said, where=f"job {task.uuid}", remedy="it goes again by itself, a few times")
        raise RankError(f"{said}; their output is in the job's directory")
    Path(TASK_FILE).unlink()
    Path(RESULT_FILE).unlink()
    return result


@contextlib.contextmanager
def program_ranks(task: Task, resources: Resources) -> Iterator[None]:
    """Let a job whose launcher is ``program`` know how its own program is started; others see nothing.

    Raises:
        SiteError: it wants more nodes than its block has.
    """
    if resources.launcher != "program":
        yield
        return
    launching = Launching.here()
    _check_nodes(resources, launching, task)
    alone = launching.program == "simple" and not launching.mpi
    variables = {"OMP_NUM_THREADS": str(resources.threads)}
    os.environ[PROGRAM_VARIABLE] = json.dumps(
        {
            "ranks": resources.ranks,
            "threads": resources.threads,
            # alone on a node the program's own MPI starts it: it need not be the one of this Python
            "prefix": [] if alone else rank_command(resources, launching, variables),
        }
    )
    try:
        yield
    finally:
        os.environ.pop(PROGRAM_VARIABLE, None)


def _check_nodes(resources: Resources, launching: Launching, task: Task) -> None:
    if resources.nodes > launching.nodes:
        raise SiteError(
            f"the job asks for {resources.nodes} nodes, its block gives a job {launching.nodes}: "
            "a local block has one",
            where=f"job {task.uuid}",
            remedy="run it in a pool with whole_block: true and as many nodes_per_block",
        )


def _was_killed(code: int) -> bool:
    """Whether a process ended by a signal other than that by which the rest is ended after a failure."""
    number = -code if code < 0 else code - _BY_SIGNAL
    return number > 0 and number != signal.SIGTERM


def _read_result(name: str, token: str) -> Result | None:
    try:
        found = json.loads(Path(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    result: Result = found["result"]
    return result if found["token"] == token else None


def rank_command(resources: Resources, launching: Launching, variables: dict[str, str]) -> list[str]:
    """The command line that goes before a program to start it as every rank of a job.

    Args:
        resources: what the job asks for.
        launching: how ranks are started.
        variables: what ranks must find in their environment; most launchers hand on all of it.

    Raises:
        SiteError: there is no MPI launcher here.
    """
    ranks, each = str(resources.ranks), str(resources.ranks_per_node)
    instead = "" if resources.launcher == "torch" else launching.mpi
    options = [] if instead else shlex.split(launching.options)
    program = instead or launching.program
    if program == "srun":
        gpus = [f"--gpus-per-task={resources.gpus_per_rank}"] if resources.gpus_per_rank else []
        return [
            # The step of the worker itself holds the nodes: without --overlap this one would wait for ever.
            "srun", "--overlap", "--kill-on-bad-exit=1", f"--nodes={resources.nodes}", f"--ntasks={ranks}",
            f"--ntasks-per-node={each}", f"--cpus-per-task={resources.threads}", *gpus, *options,
        ]  # fmt: skip
    if program == "mpirun":
        passed = [part for name in variables for part in ("-x", name)]
        passed += ["--allow-run-as-root"] if os.geteuid() == 0 else []
        places = f"ppr:{each}:node:OVERSUBSCRIBE"
        return ["mpirun", "-n", ranks, "--map-by", places, "--bind-to", "none", *passed, *options]
    if program == "mpiexec":
        return ["mpiexec", "-n", ranks, "-ppn", each, *options]
    if program == "pjm":  # ranks a node were asked for when the block was submitted
        return ["mpiexec", "-n", ranks, *options]
    return mpi_command(resources.ranks, beside=Path(sys.executable).parent)


def _rendezvous(resources: Resources, launching: Launching) -> dict[str, str]:
    """Where the ranks of torch.distributed meet: at this node, the first of the block."""
    alone = launching.program == "simple"
    interface = launching.interface or ("lo" if alone else None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1" if alone else "", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1" if alone else f"{socket.gethostname()}{launching.master_suffix}",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(resources.ranks),
        "LOCAL_WORLD_SIZE": str(resources.ranks_per_node),
        BACKEND_VARIABLE: launching.backend,
    }
    if interface is not None:
        shared |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    return {**shared, **launching.environment}


def _start_by(command: Sequence[str], environment: dict[str, str]) -> int:
    """Let a launcher start the ranks; it is ended where a rank has failed and it waits for the others.

    srun does so where a node went and came back: the ranks there will never report that they ended.
    """
    with subprocess.Popen(command, env=environment) as launcher:
        try:
            failed: float | None = None
            while launcher.poll() is None:
                try:
                    launcher.wait(1.0)
                except subprocess.TimeoutExpired:
                    if failed is None and (Path(FAILURE_FILE).exists() or Path(LOST_FILE).exists()):
                        failed = time.monotonic()
                    if failed is not None and time.monotonic() - failed > _GRACE:
                        break
        finally:
            _end(launcher)
    return launcher.returncode


def _end(*processes: subprocess.Popen[bytes]) -> None:
    """Ask processes to end, and make it so."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + _GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start_here(command: Sequence[str], ranks: int, environment: dict[str, str]) -> list[int]:
    """Start ranks as torchrun does on one node; the first failure ends the others."""
    started: list[subprocess.Popen[bytes]] = []
    codes: list[int | None] = []
    try:
        for rank in range(ranks):
            own = {"NODE_RANK": "0", "RANK": str(rank), "LOCAL_RANK": str(rank)}
            started.append(subprocess.Popen(command, env={**environment, **own}))
        while (codes := [process.poll() for process in started]) and None in codes:
            if any(codes):
                break
            try:
                started[codes.index(None)].wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        _end(*started)
    return [-signal.SIGTERM if code is None else code for code in codes]  # None: ended here, however that was
