"""Start commands and ranks as real processes, and wait for what they do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from zonemelt.sites.site import Pool, Site

TESTS = Path(__file__).parent


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "zonemelt.workflows.cli", *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}


def start(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process, and a session, of its own."""
    return subprocess.Popen(
        command(*words), env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, **options,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=540)  # pytest ends a test after 600
    return process.returncode, output


def run_ranks(count: int, *words: str | Path) -> list[subprocess.CompletedProcess[str]]:
    """Run Python so many times side by side, as ranks of one node; none outlives the call.

    Args:
        count: how many.
        words: of the command line behind ``python``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    line = [sys.executable, *map(str, words)]
    started = [
        subprocess.Popen(
            line, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=480) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [
        subprocess.CompletedProcess(line, process.returncode, *output)
        for process, output in zip(started, said, strict=True)
    ]


def has_ended(pid: int) -> bool:
    """Whether there is no such process, or only what nobody has asked the end of."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def two_workers() -> Site:
    """This machine with two worker processes, however many cores it has."""
    return Site(name="here", scheduler="local", pools={"cpu": Pool(workers=2)})
