"""Measurements in processes of their own, so that memory is honest and peers can be interleaved.

A benchmark asks a child for one measurement after the other, over pipes, in lines of JSON. Children stay
warm between questions, so one can ask ours, a peer, ours again, and compare what a noisy machine did to both.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self


class Session:
    """A child process that answers questions; a context manager.

    Args:
        module: what to run, as ``python -m`` names it; it calls :func:`serve`.
        arguments: its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed on leaving)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.pid = self._process.pid

    def ready(self) -> dict[str, Any]:
        """Wait until the child is warm; returns what it says about itself."""
        return self._answer()

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask for one measurement and wait for it.

        Raises:
            RuntimeError: the child died; with the end of what it printed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            tail = self._log.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"the measuring process ended with {self._process.wait()}:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]], **about: Any) -> None:
    """Be the child of a session: answer until the questions end.

    Args:
        answer: turns a question into an answer.
        about: said once, when the child is warm.
    """
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed meanwhile is no answer
    print(json.dumps(about), file=pipe, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=pipe, flush=True)


@contextlib.contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Measure a block: ``wall`` and ``cpu`` in seconds, ``peak_mb`` of memory, all of this process."""
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    wall, cpu = time.perf_counter(), time.process_time()
    yield found
    found["wall"] = time.perf_counter() - wall
    found["cpu"] = time.process_time() - cpu
    found["peak_mb"] = peak_mb()


def peak_mb() -> float:
    """The most memory this program had so far, MB: what getrusage says is also of whoever began it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_session(module: str, *arguments: str, **question: Any) -> dict[str, Any]:
    """One measurement in a fresh process."""
    with Session(module, *arguments) as session:
        session.ready()
        return session.ask(**question)
