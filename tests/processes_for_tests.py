"""Start commands as real processes, and wait for what they do."""

from __future__ import annotations

import os
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
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def two_workers() -> Site:
    """This machine with two worker processes, however many cores it has."""
    return Site(name="here", scheduler="local", pools={"cpu": Pool(workers=2)})
