"""What runs in a worker process: a chunk of jobs, each in its own directory, each spooled before reported."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.campaign_place import PLACE_VARIABLE
from zonemelt.tasks.deadline import DEADLINE_VARIABLE
from zonemelt.workflows.engine.circumstances import digest_of, here
from zonemelt.workflows.engine.energy import meter
from zonemelt.workflows.engine.resources import read_resources
from zonemelt.workflows.engine.results import Chunk, is_plain
from zonemelt.workflows.engine.retry import WalltimeExceeded, failure_of
from zonemelt.workflows.engine.spool import SpoolWriter, read_epoch, spool_path
from zonemelt.workflows.engine.walking import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import JobStore

    from zonemelt.tasks.blobs import BlobDirectory
    from zonemelt.workflows.engine.resources import Resources
    from zonemelt.workflows.engine.results import Result, Task

# Set in every process that the head starts: names the campaign, so that orphans can be found.
CAMPAIGN_VARIABLE = "ZONEMELT_CAMPAIGN"
WORKER_VARIABLE = "ZONEMELT_WORKER"
VENDOR_VARIABLE = "ZONEMELT_ACCELERATORS"  # set by sites/environment.py, like the next
END_VARIABLE = "ZONEMELT_BLOCK_END"
OUTPUT_FILE = "output.log"
ERROR_FILE = "error.txt"
_HOST = socket.gethostname()
_TAIL = 4000  # bytes of a job's output that go with a failure
_HARD_STOP = 30.0  # seconds after the walltime at which a job that does not react loses its process


def run_chunk(data: bytes) -> bytes:
    """What Parsl calls in a worker process: a chunk in, its results out, both JSON."""
    return json.dumps(run_jobs(Chunk.decode(data)), separators=(",", ":")).encode()


def run_jobs(chunk: Chunk, *, store: JobStore | None = None) -> list[Result]:
    """Run the jobs of a chunk, one after the other.

    Jobs that were not begun, because the budget ran out or because the campaign moved on to another epoch,
    are simply absent from what is returned.

    Args:
        chunk: the jobs and where their campaign lives.
        store: a store to run against instead of what came with the chunk, for jobs with ``expose_store``.

    Returns:
        One result per job that was begun, failures included.
    """
    from zonemelt.tasks.blobs import BlobDirectory
    from zonemelt.workflows.engine.closure import ClosureStore, closure_job_store

    chunk.open_path()
    log = _worker_log(chunk.directory)
    if store is None:
        store = closure_job_store(chunk.outputs, chunk.blobs, known=chunk.additional)
    place, blobs = Place(chunk.directory), BlobDirectory(Path(chunk.directory, "blobs"))
    spool = SpoolWriter(spool_path(chunk.directory, chunk.id))
    os.environ[PLACE_VARIABLE] = chunk.directory
    results: list[Result] = []
    closed, arrived = store.docs_store, set[str]()
    begun = time.monotonic()
    try:
        for task in chunk.tasks:
            if results and time.monotonic() - begun > chunk.budget:
                break
            if read_epoch(chunk.directory) != chunk.epoch:
                break
            if task.after and task.after not in arrived:
                continue
            resources = read_resources(task.resources)
            if not _fits(resources.walltime):
                results.append({"ok": False, "job": task.id, "attempt": task.attempt, "postponed": True})
                continue
            with contextlib.suppress(OSError):
                spool.write({"begun": task.id, "attempt": task.attempt, "host": _HOST, "pid": os.getpid()})
            result = _run_job(task, resources, chunk, place, blobs=blobs, store=store, log=log)
            _leave_out_told(result, (chunk.directory, chunk.created))
            with contextlib.suppress(OSError):  # a full disk: the message still carries it
                spool.write(result)  # type: ignore[arg-type]
            results.append(result)
            if is_plain(result) and REFERENCE not in result["document"] and isinstance(closed, ClosureStore):
                closed.put(task.uuid, result["document"])
                arrived.add(task.uuid)
    finally:
        os.environ.pop(PLACE_VARIABLE, None)
        spool.close()
        place.leave()
    return results


def _leave_out_told(result: Result, campaign: tuple[str, float]) -> None:
    """Let a result carry what its campaign was not told by this process before."""
    if (source := result.get("source")) is not None:
        if (campaign, *source) in _told:
            del result["source"]
        _told.add((campaign, *source))
    if new := here.untold(campaign, result["under"]):
        result["circumstances"] = new


def _fits(walltime: float) -> bool:
    """Whether a job that says how long it may take comes to its end before its block does."""
    return not walltime or time.time() + walltime < float(os.environ.get(END_VARIABLE, "inf"))


def _run_job(
    task: Task,
    resources: Resources,
    chunk: Chunk,
    place: Place,
    *,
    blobs: BlobDirectory,
    store: JobStore,
    log: int | None,
) -> Result:
    """Run one job in a directory of its own and describe how it went; never raises what the job raises."""
    from jobflow import CURRENT_JOB

    from zonemelt.workflows.engine.execute import execute
    from zonemelt.workflows.engine.launch import program_ranks, run_ranks

    printed = _position(log)
    used = meter.read()
    start = time.time()
    try:
        place.enter(task.uuid, task.index)
        with (
            _deadline(resources.walltime),
            _limits(resources.walltime, resources.memory),
            program_ranks(task, resources),
        ):
            many = resources.ranks > 1 and resources.launcher != "program"
            result = run_ranks(task, resources, chunk) if many else execute(task, blobs, store)
    except (Exception, SystemExit, WalltimeExceeded) as error:  # noqa: BLE001 (whatever a job raises is reported)
        result = failure_of(error)
    finally:
        # jobflow's current job is one for the process and outlives a job that fails.
        CURRENT_JOB.reset()  # type: ignore[no-untyped-call]
    result |= {
        "job": task.id, "attempt": task.attempt, "start": start, "end": time.time(),
        "host": _HOST, "pid": os.getpid(), "given": digest_of(task.body.encode()),
        "under": here.name(result["source"][1] if "source" in result else ""),
    }  # fmt: skip
    if (joules := meter.since(used)) is not None:
        result["joules"] = joules
    if result["ok"]:
        result["made"] = digest_of(result["document"].encode())
    if log is not None and (text := _printed(log, printed)):
        result["tail"] = text[-_TAIL:].decode(errors="replace")
        place.keep(OUTPUT_FILE, text)
    if not result["ok"]:
        place.keep(ERROR_FILE, result["traceback"].encode(errors="replace"))
    result["directory"] = place.kept()
    return result


def job_directory(directory: str, uuid: str, index: int) -> str:
    """Where a job runs: two levels, so that no folder holds a million entries."""
    return f"{directory}/jobs/{uuid[-2:]}/{uuid}_{index}"


class Place:
    """The directory a job runs in, under the job's own name.

    Most short jobs leave nothing behind. Making and removing a directory for each costs more than the job
    (2 ms on ext4), so an empty one is handed on to the next job by renaming it.

    Args:
        directory: the campaign directory.
    """

    def __init__(self, directory: str) -> None:
        self._home = os.getcwd()  # noqa: PTH109
        self._directory = directory
        self._idle = f"{directory}/jobs/.idle-{_HOST}-{os.getpid()}"
        self._empty: str | None = self._idle if os.path.isdir(self._idle) else None  # noqa: PTH112
        self._path = ""

    def enter(self, uuid: str, index: int) -> None:
        """Go into the directory of a job, empty; what an earlier attempt left is kept beside it."""
        path = job_directory(self._directory, uuid, index)
        self._path = ""
        number = 0
        while os.path.exists(path):  # noqa: PTH110
            number += 1
            path = f"{job_directory(self._directory, uuid, index)}.attempt{number + 1}"
        try:
            self._make(path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            self._make(path)
        os.chdir(path)
        self._path = path

    def _make(self, path: str) -> None:
        if self._empty is None:
            os.mkdir(path)  # noqa: PTH102
        else:
            os.rename(self._empty, path)  # noqa: PTH104
            self._empty = None

    def keep(self, name: str, content: bytes) -> None:
        """Write a file into the job's directory, if it came so far that it has one."""
        if not self._path:
            return
        with contextlib.suppress(OSError):
            Path(self._path, name).write_bytes(content)

    def kept(self) -> str | None:
        """The directory, if the job left anything in it; otherwise it is handed on."""
        if not self._path:
            return None
        if os.listdir(self._path):  # noqa: PTH208
            return self._path
        self._empty = self._path
        return None

    def leave(self) -> None:
        """Go back to where the process was."""
        os.chdir(self._home)
        if self._empty not in {None, self._idle}:
            os.rename(str(self._empty), self._idle)  # noqa: PTH104


def _printed(log: int, start: int) -> bytes:
    """What this process printed since a position of its log."""
    sys.stdout.flush()
    sys.stderr.flush()
    return os.pread(log, _position(log) - start, start)


def _position(log: int | None) -> int:
    return 0 if log is None else os.lseek(log, 0, os.SEEK_END)


# Campaign, function, digest: what heads were told already.
_told: set[tuple[tuple[str, float], str, str]] = set()
_log: list[int] = []


def _worker_log(directory: str) -> int | None:
    """Send this worker's standard output and error, compiled code included, to a file of its own.

    A process that is no Parsl worker keeps its own.
    """
    if "PARSL_WORKER_RANK" not in os.environ:
        return None
    os.environ.setdefault(WORKER_VARIABLE, "1")
    if os.environ.get(VENDOR_VARIABLE) == "amd":
        # Parsl sets the variables of all vendors; ROCm would apply two of them, one after the other, and a
        # worker with any accelerator but the first would see none.
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
            os.environ.pop(name, None)
    folder = Path(directory, "logs")
    folder.mkdir(exist_ok=True)
    path = folder / f"worker-{_HOST}-{os.getpid()}.log"
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
def _deadline(walltime: float) -> Iterator[None]:
    """Let the job know when it must have ended: at its walltime, or with its block."""
    end = min(time.time() + (walltime or math.inf), float(os.environ.get(END_VARIABLE, "inf")))
    if math.isinf(end):
        yield
        return
    os.environ[DEADLINE_VARIABLE] = str(end)
    try:
        yield
    finally:
        del os.environ[DEADLINE_VARIABLE]


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
        before = signal.signal(signal.SIGALRM, lambda *_: _raise_walltime(walltime))
        signal.setitimer(signal.ITIMER_REAL, walltime)
        # A job in compiled code sees no signal; after a grace its process ends, and the head hears of it.
        threading.Thread(target=_hard_stop, args=(stopped, walltime), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()
        if watched:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        if memory:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _raise_walltime(walltime: float) -> None:
    raise WalltimeExceeded(f"the job ran longer than its walltime of {walltime:g} s")


def _hard_stop(stopped: threading.Event, walltime: float) -> None:
    if not stopped.wait(walltime + _HARD_STOP):
        os._exit(124)
