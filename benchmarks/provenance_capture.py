"""What it costs a job that the engine notes where it comes from: the same graph with and without, in turn."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.engine_graphs import fan
from benchmarks.report import Row, median, say, spread

from zonemelt.workflows.engine import commit, worker
from zonemelt.workflows.engine.run import run_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTED = ("under", "given", "made", "joules")


class _Nothing:
    """Stands where circumstances and energy are noted."""

    def name(self, source: str) -> str:  # noqa: ARG002
        return ""

    def untold(self, campaign: object, name: str) -> list[object]:  # noqa: ARG002
        return []

    def read(self) -> tuple[float, ...]:
        return ()


@contextlib.contextmanager
def capture_off() -> Iterator[None]:
    """The engine as it would be if it noted nothing of what this room asks for."""
    nothing = _Nothing()
    kept = tuple(name for name in commit._NOTED if name not in NOTED)  # noqa: SLF001
    with (
        patch.object(worker, "here", nothing),
        patch.object(worker, "meter", nothing),
        patch.object(worker, "digest_of", lambda _: ""),
        patch.object(commit, "_NOTED", kept),
    ):
        yield


def _spent(jobs: int, place: Path) -> float:
    """Processor seconds for one job, head and worker together."""
    flow = fan(jobs)
    began = time.process_time()
    run_flow(flow, site="inline", directory=place)
    return (time.process_time() - began) / jobs


def capture_rows(*, quick: bool) -> Iterator[Row]:
    """The cost of the capture."""
    jobs, repeats = (200, 15) if quick else (250, 61)
    began = time.perf_counter()
    found: dict[str, list[float]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        _spent(20, Path(scratch, "warm-up"))
        for number in range(repeats):
            if not number % 10:
                say(f"capture: {number + 1} of {repeats}")
            for how in ("on", "off") if number % 2 else ("off", "on"):
                with capture_off() if how == "off" else contextlib.nullcontext():
                    found[how].append(1e6 * _spent(jobs, Path(scratch, f"{how}{number}")))
    yield Row(
        name=f"capture, fan of {jobs} jobs that do nothing", unit="µs/job", ours=median(found["on"]),
        peer=median(found["off"]), peer_name="nothing noted",
        target="ratio <= 1.05", spread=spread(found["on"]), quick=quick, seconds=time.perf_counter() - began,
        note="processor time of head and worker in one process; many short runs in turn",
    )  # fmt: skip
