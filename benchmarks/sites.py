"""Campaigns on a batch system: ``python -m benchmarks.sites [--quick] [--json]``.

A real SLURM of four make-believe nodes is started on this machine (as root, with SLURM's packages; `make
cluster` installs them), and campaigns run on two of them through pilot jobs. The peer is what people do
without: one batch job for each job.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import ROOT, Row, as_json, as_table, machine, median, say, spread
from jobflow import Flow, job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zonemelt.sites.site import Site

WORKERS = 4  # two nodes with two each
_COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "sinfo")


@job
def rest(seconds: float, number: int) -> int:
    """Take some time."""
    time.sleep(seconds)
    return number


def site(*, poll_seconds: float = 1.0) -> Site:
    """Two nodes of the cluster."""
    from zonemelt.sites.site import Launch, Network, Pool, Site

    pool = Pool(
        partition="cpu", nodes_per_block=2, walltime="00:30:00", drain="00:00:30", workers=2,
        exclusive=False, launch=Launch(program="srun"),
    )  # fmt: skip
    return Site(
        name="bench", scheduler="slurm", network=Network(address="127.0.0.1"), poll_seconds=poll_seconds,
        environment={"PYTHONPATH": str(ROOT)}, pools={"cpu": pool},
    )  # fmt: skip


def run(flow: Flow, place: Path, *, poll_seconds: float = 1.0) -> dict[str, Any]:
    """Run a campaign; returns its seconds and, of each job, when it began and ended."""
    from zonemelt.workflows.engine.run import run_flow

    began = time.time()
    responses = run_flow(flow, site=site(poll_seconds=poll_seconds), directory=place)
    took = time.time() - began
    with sqlite3.connect(place / "ledger.db") as connection:
        rows = connection.execute("SELECT data FROM events WHERE kind = 'done'").fetchall()
    times = [(event["start"], event["end"]) for (text,) in rows for event in [json.loads(text)]]
    return {"wall": took, "began": began, "times": times, "done": len(responses)}


def first_result_rows(cluster: Any, scratch: Path, *, quick: bool) -> Iterator[Row]:
    """Seconds from the start of a campaign to its first result, against one batch job."""
    began = time.perf_counter()
    ours, peers = [], []
    for number in range(1 if quick else 5):
        found = run(Flow([rest(0.0, 1)]), scratch / f"first-{number}")
        ours.append(min(end for _, end in found["times"]) - found["began"])
        start = time.time()
        cluster.run("sbatch", "--wait", "--partition=cpu", "--output=/dev/null", "--wrap=true")
        peers.append(time.time() - start)
    yield Row(
        name="start of a campaign to its first result", unit="s", ours=median(ours), spread=spread(ours),
        peer=median(peers), peer_name="sbatch --wait, an empty job", quick=quick,
        seconds=time.perf_counter() - began,
    )  # fmt: skip


def pilot_rows(cluster: Any, scratch: Path, *, quick: bool) -> Iterator[Row]:
    """Jobs through one allocation, against one allocation each."""
    began = time.perf_counter()
    jobs, peer_jobs = (200, 10) if quick else (2000, 40)
    before = _blocks(cluster)
    found = run(Flow([rest(0.0, i) for i in range(jobs)]), scratch / "pilot")
    blocks = len(_blocks(cluster) - before)
    start = time.time()
    for _ in range(peer_jobs):
        cluster.run("sbatch", "--partition=cpu", "--output=/dev/null", "--wrap=true")
    while cluster.run("squeue", "--noheader", "--format=%i").split():
        time.sleep(0.2)
    peer = peer_jobs / (time.time() - start)
    common: dict[str, Any] = {"quick": quick, "seconds": time.perf_counter() - began}
    yield Row(name="jobs of an allocation", unit="jobs", ours=found["done"] / blocks, peer=1,
              peer_name="a batch job each", **common)  # fmt: skip
    yield Row(name=f"rate of {jobs} empty jobs, start included", unit="jobs/s", ours=jobs / found["wall"],
              peer=peer, peer_name="a batch job each", **common)  # fmt: skip


def command_rows(_: Any, scratch: Path, *, quick: bool) -> Iterator[Row]:
    """Commands that the scheduler is given in an hour, with few jobs and with many."""
    began = time.perf_counter()
    seconds = 20 if quick else 60
    few, many = WORKERS * 4, 1000
    rates = []
    for jobs in (few, many):
        with _counted(scratch / f"commands-{jobs}") as log:
            work = Flow([rest(WORKERS * seconds / jobs, i) for i in range(jobs)])
            found = run(work, scratch / f"campaign-{jobs}", poll_seconds=5.0)
            issued = Counter(log.read_text().split())
        rates.append(3600 * issued["squeue"] / found["wall"])
        note = ", ".join(f"{count} {name}" for name, count in sorted(issued.items()))
        yield Row(
            name=f"looks at the queue an hour, {jobs} jobs, one every 5 s", unit="commands", ours=rates[-1],
            target="ours <= 800", quick=quick, seconds=time.perf_counter() - began, note=note,
        )  # fmt: skip
    yield Row(
        name=f"looks at the queue, {many} jobs against {few}", unit="", ours=rates[1] / rates[0],
        target="ours <= 1.2", quick=quick, seconds=time.perf_counter() - began,
    )  # fmt: skip


def utilisation_rows(cluster: Any, scratch: Path, *, quick: bool) -> Iterator[Row]:
    """How much of the allocated time works, in a mixed load of short and long jobs on two nodes."""
    began = time.perf_counter()
    long, short = (8, 60) if quick else (60, 1200)
    before = _blocks(cluster)
    jobs = [rest(6.0, i) for i in range(long)] + [rest(0.1, i) for i in range(short)]
    found = run(Flow(jobs), scratch / "mixed")
    (block,) = _blocks(cluster) - before
    allocated = _allocated(cluster, block)
    busy = sum(end - start for start, end in found["times"])
    yield Row(
        name=f"utilisation, {long} jobs of 6 s and {short} of 0.1 s on 2 nodes", unit="",
        ours=busy / (WORKERS * allocated), target="ours >= 0.9", quick=quick,
        seconds=time.perf_counter() - began, note=f"{busy:.0f} s of work in {allocated:.0f} s of 4 workers",
    )  # fmt: skip


def recovery_rows(cluster: Any, scratch: Path, *, quick: bool) -> Iterator[Row]:
    """Seconds from the loss of a node to the moment its last job has begun again."""
    began = time.perf_counter()
    cut: list[float] = []

    def cut_power() -> None:
        place = scratch / "lost" / "spool"
        while not (place.is_dir() and len(list(place.iterdir())) >= WORKERS):
            time.sleep(0.1)
        time.sleep(2.0)
        cut.append(time.time())
        cluster.lose_power("cn2")

    thread = threading.Thread(target=cut_power, daemon=True)
    thread.start()
    run(Flow([rest(3.0, i) for i in range(60)]), scratch / "lost")
    thread.join()
    with sqlite3.connect(scratch / "lost" / "ledger.db") as connection:
        rows = connection.execute(
            "SELECT MAX(json_extract(data, '$.start')), COUNT(*) FROM events WHERE kind = 'done'"
            " AND job IN (SELECT job FROM events WHERE kind = 'retry')"
        ).fetchone()
    cluster.boot("cn2")
    yield Row(
        name="a node loses power: until its jobs have begun elsewhere", unit="s", ours=rows[0] - cut[0],
        quick=quick, seconds=time.perf_counter() - began,
        note=f"{rows[1]} jobs went again; a manager counts as lost 30 s after its last sign of life",
    )  # fmt: skip


def _blocks(cluster: Any) -> set[str]:
    return set(cluster.run("squeue", "--all", "--states=all", "--noheader", "--format=%i").split())


def _allocated(cluster: Any, block: str) -> float:
    """Seconds that a block had its nodes."""
    while cluster.run("squeue", "--noheader", f"--jobs={block}", "--states=R,CG", "--format=%i").split():
        time.sleep(0.2)
    found = cluster.job(block)
    return float(_clock(found["EndTime"]) - _clock(found["StartTime"]))


def _clock(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


@contextlib.contextmanager
def _counted(folder: Path) -> Iterator[Path]:
    """Let every command of the scheduler note that it was called; gives the file of the notes."""
    import shutil

    folder.mkdir()
    log = folder / "log"
    log.touch()
    for name in _COMMANDS:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho {name} >> {log}\nexec {shutil.which(name)} "$@"\n')
        path.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    try:
        yield log
    finally:
        os.environ["PATH"] = before


GROUPS: dict[str, Callable[..., Iterator[Row]]] = {
    "first-result": first_result_rows,
    "pilot": pilot_rows,
    "commands": command_rows,
    "utilisation": utilisation_rows,
    "recovery": recovery_rows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sites", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="NAME")
    given = parser.parse_args(arguments)
    about, rows = machine(), list(_measured(given.only, quick=given.quick))
    print(as_json(rows, about=about) if given.json else as_table(rows))


def _measured(names: Sequence[str], *, quick: bool) -> Iterator[Row]:
    sys.path.insert(0, str(ROOT / "tests"))
    from cluster.slurm import Cluster, why_not

    if reason := why_not():
        for name in names:
            yield Row(name=name, unit="", quick=quick, note=reason)
        return
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    try:
        cluster.start()
        os.environ.update(cluster.environment)
        with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
            for name in names:
                rows = list(GROUPS[name](cluster, Path(scratch), quick=quick))
                say(f"{name}: {rows[0].seconds:.0f} s")
                yield from rows
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
