"""What durability costs and gives: restart, status, reuse, and a million jobs in bounded memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engine_graphs import fan, stream
from benchmarks.engine_peers import ledger_bytes, two_workers
from benchmarks.report import Row, median, say, spread
from benchmarks.sessions import Session, measured, serve

from zonemelt.workflows.engine.pools import InlineWorkers

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILD = "benchmarks.engine_durable"


class Enough(BaseException):
    """Ends a head in the middle of a campaign."""


class StubWorkers(InlineWorkers):
    """Workers that note the first chunk and do nothing, or finish so many jobs and then end the head.

    Args:
        finish: how many jobs are done, in this process, before the end.
    """

    def __init__(self, *, finish: int = 0) -> None:
        self.token = f"stub-{time.time_ns()}"
        self.left = finish
        self.first = 0.0

    def capacity(self, pool: str) -> int:  # noqa: ARG002
        """As many as the other benchmarks have."""
        return 2

    def submit(self, pool: str, chunk: Any, arrived: Any) -> None:  # noqa: ARG002
        """Run the chunk here, or end the head.

        Raises:
            Enough: as many jobs are done as were asked for.
        """
        from zonemelt.workflows.engine.worker import run_jobs

        self.first = self.first or time.perf_counter()
        if self.left <= 0:
            raise Enough
        self.left -= len(chunk.tasks)
        arrived.put((chunk, run_jobs(chunk)))


def _begin(place: Path, jobs: int, done: int) -> None:
    """Leave a campaign of so many jobs behind, so many of them done, as a head that was killed would."""
    from zonemelt.workflows.engine.run import run_flow

    try:
        run_flow(fan(jobs), site=StubWorkers(finish=done), directory=place)
    except Enough:
        return


def _restart(place: Path) -> float:
    from zonemelt.workflows.engine.run import resume

    workers = StubWorkers()
    began = time.perf_counter()
    try:
        resume(place, site=workers)
    except Enough:
        return workers.first - began
    raise RuntimeError("the campaign had nothing left to dispatch")


def restart_rows(*, quick: bool, jobs: int | None) -> Iterator[Row]:
    """Restart to first dispatch, and status, of a campaign that was interrupted half-way."""
    size = jobs or (2000 if quick else 100_000)
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place = Path(scratch, "campaign")
        say(f"restart: a campaign of {size} jobs, one half done")
        with Session(CHILD) as session:
            session.ready()
            session.ask(action="begin", place=str(place), jobs=size, done=size // 2)
        began = time.perf_counter()
        found = []
        for _ in range(2 if quick else 5):
            with Session(CHILD) as session:  # what a new head has to import is not the ledger's doing
                session.ready()
                found.append(session.ask(action="restart", place=str(place))["seconds"])
        yield Row(
            name=f"restart to first dispatch, {size} jobs",
            unit="s", ours=median(found), spread=spread(found),
            target="ours <= 1", quick=quick, seconds=time.perf_counter() - began,
            note="from opening the campaign to the first chunk handed to the workers; without their start",
        )  # fmt: skip
        yield from _command_rows(place, size, quick=quick)


def _command_rows(place: Path, size: int, *, quick: bool) -> Iterator[Row]:
    for name, arguments, limit in (
        (f"zonemelt status --json, {size} jobs", ["status", "--json", str(place)], 1),
        ("zonemelt --help", ["--help"], 0.5),
    ):
        found, trouble = [], ""
        began = time.perf_counter()
        for _ in range(2 if quick else 5):
            start = time.perf_counter()
            ended = subprocess.run(
                [str(Path(sys.executable).with_name("zonemelt")), *arguments],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            found.append(time.perf_counter() - start)
            if ended.returncode or (arguments[0] == "status" and not json.loads(ended.stdout or "null")):
                trouble = f"exit code {ended.returncode}: {ended.stderr.strip()[-300:]}"
        yield Row(
            name=name, unit="s", ours=None if trouble else median(found), spread=spread(found),
            target=f"ours <= {limit}", quick=quick, seconds=time.perf_counter() - began, note=trouble,
        )  # fmt: skip


def reuse_rows(*, quick: bool, jobs: int | None) -> Iterator[Row]:
    """A finished campaign, run again: no job is executed."""
    size = jobs or (200 if quick else 10_000)
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch, Session(CHILD) as session:
        session.ready()
        found = session.ask(action="reuse", place=scratch, jobs=size)
    trouble = "" if not found["executed"] else f"{found['executed']} jobs were executed again"
    yield Row(
        name=f"rerun of {size} finished jobs", unit="s", ours=None if trouble else found["wall"],
        peer=found["first"], peer_name="the first run", target="ours <= 5", quick=quick,
        seconds=found["wall"] + found["first"], note=trouble,
    )  # fmt: skip


def _reuse(scratch: Path, jobs: int) -> dict[str, float]:
    from zonemelt.workflows.engine.pools import make_workers
    from zonemelt.workflows.engine.run import run_flow

    workers, _ = make_workers(two_workers(), scratch / "workers")
    with workers:
        run_flow(fan(40), site=workers, directory=scratch / "warm-up")
        with measured() as first:
            run_flow(fan(jobs), site=workers, directory=scratch / "first")
        with measured() as again:
            run_flow(
                fan(jobs), site=workers, directory=scratch / "again", reuse=[scratch / "first"],
                ensure_success=True,
            )  # fmt: skip
    return {"wall": again["wall"], "first": first["wall"], "executed": _executed(scratch / "again")}


def _executed(place: Path) -> int:
    """How many jobs of a campaign were run rather than found."""
    from zonemelt.tasks.sqlite import connect

    connection = connect(place / "ledger.db", read_only=True)
    row = connection.execute(
        "SELECT COUNT(*) FROM events WHERE kind = 'done' AND json_extract(data, '$.reused') IS NULL"
    ).fetchone()
    connection.close()
    return int(row[0])


def million_rows(*, jobs: int) -> Iterator[Row]:
    """A stream of small fans, as many jobs in all as asked for: memory and rate stay what they were."""
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch, Session(CHILD) as session:
        session.ready()
        found = session.ask(action="stream", place=scratch, jobs=jobs)
    first, last = found["rates"][1], found["rates"][-1]
    common: dict[str, Any] = {"seconds": found["wall"]}
    yield Row(
        name=f"stream of {jobs} jobs, rate at the end", unit="jobs/s", ours=last, peer=first,
        peer_name="in the second tenth", target="ratio >= 0.8", **common,
        spread=spread(found["rates"]),
        note="tenths: " + ", ".join(f"{rate:.0f}" for rate in found["rates"]) + " jobs/s",
    )  # fmt: skip
    yield Row(
        name=f"stream of {jobs} jobs, head peak memory", unit="MB", ours=found["peak_mb"],
        peer=found["memory"][0], peer_name="after a tenth of the jobs", target="ours <= 500", **common,
    )  # fmt: skip
    yield Row(
        name=f"stream of {jobs} jobs, head CPU at the end", unit="ms/job", ours=found["costs"][-1],
        peer=found["costs"][1], peer_name="in the second tenth", target="ratio <= 1.25", **common,
        spread=spread(found["costs"]), note="making the flows included",
    )  # fmt: skip
    yield Row(
        name=f"stream of {jobs} jobs, ledger", unit="B/job", ours=found["ledger_bytes"] / jobs,
        target="ours <= 1500", **common,
    )  # fmt: skip


def _stream(scratch: Path, jobs: int) -> dict[str, Any]:
    import psutil

    from zonemelt.workflows.engine.pools import make_workers
    from zonemelt.workflows.engine.run import run_flow

    times: list[float] = []
    spent: list[float] = []
    memory: list[float] = []
    tenth = jobs // 10

    def watched() -> Iterator[Any]:
        given = 0
        for flow in stream(jobs):
            if given >= tenth * len(times):
                times.append(time.perf_counter())
                spent.append(time.process_time())
                memory.append(psutil.Process().memory_info().rss / 2**20)
            given += len(flow.jobs)
            yield flow
            del flow

    workers, _ = make_workers(two_workers(), scratch / "workers")
    place = scratch / "campaign"
    with workers:
        run_flow(fan(40), site=workers, directory=scratch / "warm-up")
        with measured() as found:
            responses = run_flow(watched(), site=workers, directory=place)
        times.append(time.perf_counter())
        spent.append(time.process_time())
    assert len(responses) == jobs, f"{len(responses)} of {jobs} jobs are done"
    del responses
    size = ledger_bytes(place)
    shutil.rmtree(place)
    rates = [tenth / (after - before) for before, after in pairwise(times)]
    costs = [1e3 * (after - before) / tenth for before, after in pairwise(spent)]
    return {**found, "rates": rates, "costs": costs, "memory": memory[1:], "ledger_bytes": size}


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    place = Path(question["place"])
    if question["action"] == "begin":
        _begin(place, question["jobs"], question["done"])
        return {}
    if question["action"] == "restart":
        return {"seconds": _restart(place)}
    if question["action"] == "reuse":
        return _reuse(place, question["jobs"])
    return _stream(place, question["jobs"])


if __name__ == "__main__":
    from zonemelt.workflows.engine import run  # noqa: F401 (imported before the clock starts)

    serve(_answer)
