"""What runs in a worker process: one chunk of jobs, each in its own directory, each spooled before reported."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.retry import WalltimeExceeded, cause_of
from zonemelt.workflows.engine.spool import SpoolWriter, read_epoch, spool_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.engine.results import Chunk, Result, Task

# Set in every process that the head starts: names the campaign, so that orphans can be found.
CAMPAIGN_VARIABLE = "ZONEMELT_CAMPAIGN"
WORKER_VARIABLE = "ZONEMELT_WORKER"
OUTPUT_FILE = "output.log"
_TAIL = 4000  # bytes of a job's output that go with a failure
_HARD_STOP = 30.0  # seconds after the walltime at which a job that does not react loses its process


def run_chunk(chunk: Chunk) -> list[Result]:
    """Run the jobs of a chunk, one after the other.

    Jobs that were not begun, because the budget ran out or because the campaign moved on to another epoch,
    are simply absent from what is returned.

    Args:
        chunk: the jobs and where their campaign lives.

    Returns:
        One result per job that was begun, failures included.
    """
    os.environ.setdefault(WORKER_VARIABLE, "1")
    sys.path.extend(entry for entry in chunk.path if entry not in sys.path)
    log = _worker_log(chunk.directory)
    spool = SpoolWriter(spool_path(chunk.directory, chunk.id))
    results: list[Result] = []
    begun = time.monotonic()
    try:
        for task in chunk.tasks:
            if results and time.monotonic() - begun > chunk.budget:
                break
            if read_epoch(chunk.directory) != chunk.epoch:
                break
            spool.write({"begun": task.id, "attempt": task.attempt, "pid": os.getpid()})
            result = run_task(task, Path(chunk.directory), known=chunk.additional, log=log)
            with contextlib.suppress(OSError):  # a full disk: the message still carries it
                spool.write(result)  # type: ignore[arg-type]
            results.append(result)
    finally:
        spool.close()
    return results


def run_task(
    task: Task,
    directory: Path,
    *,
    known: list[str] | None,
    log: int | None = None,
    store: Any = None,
) -> Result:
    """Run one job in a directory of its own and describe how it went; never raises what the job raises.

    Args:
        task: the job.
        directory: the campaign directory.
        known: names of the additional stores; None allows any.
        log: descriptor of the file that standard output goes to, to tell what this job printed.
        store: a store to run against, for a job with ``expose_store``.
    """
    from zonemelt.tasks.blobs import BlobDirectory
    from zonemelt.workflows.engine.execute import execute, job_directory
    from zonemelt.workflows.engine.launch import run_ranks
    from zonemelt.workflows.engine.resources import read_resources

    resources = read_resources(task.resources)
    place: Path | None = None
    printed = _position(log)
    start = time.time()
    home = Path.cwd() if log is None else Path(directory)
    try:
        place = _make_place(job_directory(directory, task.uuid, task.index))
        os.chdir(place)
        with _limits(resources.walltime, resources.memory):
            if resources.ranks > 1:
                result = run_ranks(task, resources, directory=directory, known=known)
            else:
                result = execute(task, BlobDirectory(directory / "blobs"), known=known, store=store)
    except (Exception, SystemExit, WalltimeExceeded) as error:  # noqa: BLE001 (whatever a job raises is reported)
        result = _failure(error)
    finally:
        os.chdir(home)
        _reset_current_job()
    result.update(
        job=task.id, attempt=task.attempt, start=start, end=time.time(),
        host=socket.gethostname(), pid=os.getpid(),
    )  # fmt: skip
    _keep_output(result, place, log, printed)
    return result


def _make_place(path: Path) -> Path:
    """The job's directory, empty: what an earlier attempt left is kept beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        number = 1
        while (earlier := path.with_name(f"{path.name}.attempt{number}")).exists():
            number += 1
        path.rename(earlier)
        path.mkdir()
    return path


def _failure(error: BaseException) -> Result:
    while type(error).__name__ == "ExceptionGroup" and len(error.exceptions) == 1:  # type: ignore[attr-defined]
        error = error.exceptions[0]  # type: ignore[attr-defined]
    return {
        "ok": False,
        "cause": getattr(error, "cause", None) or cause_of(error).value,
        "error": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


def _keep_output(result: Result, place: Path | None, log: int | None, printed: int) -> None:
    """Give the job's directory what it printed; remove the directory if nothing is in it."""
    if log is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        size = _position(log) - printed
        if size > 0 and place is not None:
            text = os.pread(log, size, printed)
            result["tail"] = text[-_TAIL:].decode(errors="replace")
            with contextlib.suppress(OSError):
                (place / OUTPUT_FILE).write_bytes(text)
    if place is None:
        return
    try:
        place.rmdir()
        result["directory"] = None
    except OSError:
        result["directory"] = str(place)


def _position(log: int | None) -> int:
    return 0 if log is None else os.lseek(log, 0, os.SEEK_END)


_log: list[int] = []


def _worker_log(directory: str) -> int | None:
    """Send this worker's standard output and error, compiled code included, to a file of its own.

    A process that is no Parsl worker keeps its own.
    """
    if "PARSL_WORKER_RANK" not in os.environ:
        return None
    folder = Path(directory, "logs")
    folder.mkdir(exist_ok=True)
    path = folder / f"worker-{socket.gethostname()}-{os.getpid()}.log"
    if not _log or not path.exists():
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        _log[:] = [file]
        handler = logging.StreamHandler(sys.stderr)
        logger = logging.getLogger("jobflow")
        logger.setLevel(logging.WARNING)
        logger.handlers[:] = [handler]
    return _log[0]


@contextlib.contextmanager
def _limits(walltime: float, memory: int) -> Iterator[None]:
    """Stop the job at its walltime, and let it allocate no more than its memory."""
    if not walltime and not memory:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    watched = walltime and threading.current_thread() is threading.main_thread()
    stopped = threading.Event()
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    if watched:
        signal.signal(signal.SIGALRM, lambda *_: _raise_walltime(walltime))
        signal.setitimer(signal.ITIMER_REAL, walltime)
        # A job in compiled code sees no signal; after a grace its process ends, and the head hears of it.
        threading.Thread(target=_hard_stop, args=(stopped, walltime), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()
        if watched:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if memory:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _raise_walltime(walltime: float) -> None:
    raise WalltimeExceeded(f"the job ran longer than its walltime of {walltime:g} s")


def _hard_stop(stopped: threading.Event, walltime: float) -> None:
    if not stopped.wait(walltime + _HARD_STOP):
        os._exit(124)


def _reset_current_job() -> None:
    """jobflow's notion of the current job is one for the process and outlives a job that fails."""
    from jobflow import CURRENT_JOB

    CURRENT_JOB.reset()
