"""Run an external program, as several MPI ranks where the job was given them, and end all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.deadline import deadline_of_job
from zonemelt.tasks.errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Set by the worker for a job whose `launcher` is `program`: how its program becomes several ranks.
PROGRAM_VARIABLE: Final = "ZONEMELT_PROGRAM"
_GRACE = 10.0  # seconds that a program has to end once it was asked to
# Of the MPI that this process itself may be using, which another program's MPI would take for its own.
_OF_OUR_MPI = ("OMPI_", "OPAL_", "PMIX_", "PRTE_")
_OF_OUR_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})


@dataclass(frozen=True, kw_only=True)
class ProgramRanks:
    """How a program of this job is started.

    Attributes:
        ranks: MPI processes.
        threads: of each.
        prefix: the site's launcher with its options; empty: the MPI launcher of the program itself, on this
            node, and for one rank none.
    """

    ranks: int = 1
    threads: int = 1
    prefix: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> ProgramRanks:
        """What this job was given; one rank where nobody says."""
        said = json.loads(os.environ.get(PROGRAM_VARIABLE, "{}"))
        return cls(**said | {"prefix": tuple(said.get("prefix", ()))})

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that starts the program with its ranks.

        Raises:
            SiteError: there is no MPI launcher.
        """
        if self.prefix:
            return [*self.prefix, *argv]
        if self.ranks == 1:
            return list(argv)
        return [*mpi_command(self.ranks, beside=Path(argv[0]).parent), *argv]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        status: its exit status; negative: the signal that ended it.
        timed_out: it was ended because it took too long.
        seconds: wall time, s.
        cpu_seconds: processor time of its processes on this node, s.
    """

    status: int
    timed_out: bool
    seconds: float
    cpu_seconds: float


def run_program(argv: Sequence[str], *, folder: Path, stdout: str, stderr: str, timeout: float) -> Ended:
    """Run a program to its end, in a folder, with its output in files there.

    Whatever happens here, an exception or the end of its time, its processes do not outlive this call.

    Args:
        argv: its command line, launcher included.
        folder: where it runs.
        stdout: name of the file for its standard output.
        stderr: name of the file for its standard error.
        timeout: seconds it may take; the deadline of the job, if that is nearer, counts instead.

    Raises:
        FileNotFoundError: there is no such program.
    """
    started, before = time.monotonic(), _children()
    allowed = min(timeout, deadline_of_job() - time.time())
    timed_out = False
    with (folder / stdout).open("wb") as out, (folder / stderr).open("wb") as err:
        process = subprocess.Popen(
            argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(None if allowed == float("inf") else max(0.0, allowed))
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end(process)
    return Ended(
        status=process.returncode,
        timed_out=timed_out,
        seconds=time.monotonic() - started,
        cpu_seconds=_children() - before,
    )


def mpi_command(ranks: int, *, beside: Path) -> list[str]:
    """How to start processes with MPI on this machine.

    The launcher beside the program goes first: one of another MPI would start worlds of size 1.

    Args:
        ranks: how many.
        beside: the folder of the program.

    Raises:
        SiteError: there is none.
    """
    launcher = shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if launcher is None:
        raise SiteError(
            "there is no mpiexec",
            where="multi-rank job",
            remedy="pip install 'zonemelt[mpi]', or load the machine's MPI module",
        )
    version = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False)
    said = version.stdout + version.stderr
    if "Open MPI" not in said and "OpenRTE" not in said:
        return [launcher, "-n", str(ranks)]
    # Unbound: the ranks of two jobs side by side would be bound to the same first cores.
    options = ["--oversubscribe", "--bind-to", "none"]
    if os.geteuid() == 0:
        options.append("--allow-run-as-root")
    return [launcher, *options, "-n", str(ranks)]


def _environment() -> dict[str, str]:
    """Ours, without what belongs to this Python and its MPI."""
    given = ProgramRanks.here()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _OF_OUR_PYTHON and not (not given.prefix and name.startswith(_OF_OUR_MPI))
    }
    own = f"{Path(sys.executable).parent}"
    path = [entry for entry in kept.get("PATH", os.defpath).split(os.pathsep) if entry != own]
    threads = str(given.threads)
    return {
        **kept,
        "PATH": os.pathsep.join([*path, own]),
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its group, politely first; what it left running in the group is not asked."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
