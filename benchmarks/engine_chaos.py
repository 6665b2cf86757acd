"""Kill processes of a running campaign at random, and count what was lost, doubled, or done in vain.

Each kill is a ``SIGKILL`` of the head, of Parsl's interchange, of its manager, or of a worker. After the head
dies another one resumes the campaign. Every job notes that it begins in a file of its own kind, appended to
in one write, so that executions are counted by something that the engine does not know about.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from benchmarks.engine_peers import WORKERS, two_workers
from benchmarks.report import ROOT, Row, say
from jobflow import CURRENT_JOB, Flow, Job, Response, job

if TYPE_CHECKING:
    from collections.abc import Iterator

VICTIMS = ("head", "interchange", "manager", "worker")
_MARKS = {"interchange": "interchange", "manager": "process_worker_pool", "worker": "spawn_main"}
PAUSE = (0.3, 2.5)  # seconds between a campaign that moves and the next kill
PATIENCE = 240.0  # seconds without progress after which a campaign counts as stuck
WORK = 0.004  # seconds that a job takes
_LOG = "executions.log"


def _begin(log: str) -> None:
    current: Any = CURRENT_JOB.job
    with Path(log).open("ab", buffering=0) as file:
        file.write(f"{current.uuid} {current.index}\n".encode())
    time.sleep(WORK)


@job
def leaf(x: int, log: str) -> int:
    """Give back what it is given."""
    _begin(log)
    return x


@job
def both(a: int, b: int, log: str) -> int:
    """Add two numbers."""
    _begin(log)
    return a + b


@job
def grow(x: int, log: str) -> Response[Any]:
    """Be replaced by three jobs that give 2 x."""
    _begin(log)
    one, two = leaf(x, log), leaf(x, log)
    last = both(one.output, two.output, log)
    return Response(replace=Flow([one, two, last], output=last.output))


@job
def detour(x: int, log: str) -> Response[Any]:
    """Give x, after one more job."""
    _begin(log)
    return Response(output=x, detour=leaf(x, log))


# A unit: leaf → grow (which becomes itself, three jobs, and one that collects) → both ← detour (and its own).
JOBS_PER_UNIT = 9


def campaign(jobs: int, log: str) -> tuple[Flow, list[tuple[str, int]]]:
    """A dynamic graph of so many jobs, and what some of its uuids must give in the end."""
    members: list[Flow | Job] = []
    wanted: list[tuple[str, int]] = []
    for i in range(jobs // JOBS_PER_UNIT):
        start = leaf(i, log)
        grown, aside = grow(start.output, log), detour(start.output, log)
        end = both(grown.output, aside.output, log)
        members += [start, grown, aside, end]
        wanted.append((end.uuid, 3 * i))
    return Flow(members), wanted


def chaos_rows(*, kills: int, jobs: int, seed: int = 0) -> Iterator[Row]:
    """Run the campaign to its end through so many kills, and look at what is there."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place = Path(scratch, "campaign")
        dice = random.Random(seed)
        done = _ravage(place, jobs, kills, dice)
        found = _verdict(place, jobs, dict(_wanted(place)))
    seconds = time.perf_counter() - began
    note = f"kills: {', '.join(f'{count} {name}' for name, count in sorted(done.items()))}"
    common: dict[str, Any] = {"unit": "jobs", "seconds": seconds, "note": note}
    name = f"chaos, {sum(done.values())} kills, {found['total']} jobs"
    yield Row(name=f"{name}: lost or wrong", ours=found["lost"], target="ours == 0", **common)
    yield Row(name=f"{name}: results recorded twice", ours=found["doubled"], target="ours == 0", **common)
    allowed = WORKERS * sum(done.values())
    yield Row(
        name=f"{name}: extra executions", ours=found["extra"], peer=allowed,
        peer_name="jobs running at the kills", target="ratio <= 1", **common,
    )  # fmt: skip


def _head(place: Path) -> subprocess.Popen[bytes]:
    """A process that begins the campaign, or goes on with it."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.engine_chaos", str(place)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=(log := (place.parent / "head.log").open("ab")), stderr=log, start_new_session=True,
    )  # fmt: skip


def _ravage(place: Path, jobs: int, kills: int, dice: random.Random) -> Counter[str]:
    """Run and kill until the campaign is over; returns who was killed how often.

    Raises:
        RuntimeError: nothing moves any more, or a head gives up.
    """
    (place.parent / "jobs").write_text(str(jobs))
    done: Counter[str] = Counter()
    head = _head(place)
    log = place.parent / _LOG
    try:
        while True:
            size, since = _size(log), time.monotonic()
            while _size(log) == size and head.poll() is None and time.monotonic() - since < PATIENCE:
                time.sleep(0.05)
            if head.poll() == 0:
                return done
            if head.poll() is not None or _size(log) == size:
                head.send_signal(signal.SIGUSR1)
                time.sleep(1.0)
                text = (place.parent / "head.log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"the campaign came to a halt after {dict(done)}:\n{text}")
            if sum(done.values()) >= kills:
                head.wait()
                continue
            time.sleep(dice.uniform(*PAUSE))
            victim = dice.choice(VICTIMS)
            if not _kill(head, victim, place, dice):
                continue
            done[victim] += 1
            say(f"kill {sum(done.values())}: {victim}, {_executions(log)} executions so far")
            if victim == "head":
                head.wait()
                head = _head(place)
    finally:
        if head.poll() is None:
            head.kill()


def _kill(head: subprocess.Popen[bytes], victim: str, place: Path, dice: random.Random) -> bool:
    """Kill one process, at once; False where there is none of the kind."""
    if victim == "head":
        head.kill()
        return True
    from zonemelt.workflows.engine.reap import orphans

    there = orphans(_token(place))
    dice.shuffle(there)
    for process in there:
        with contextlib.suppress(psutil.Error):
            if _MARKS[victim] in " ".join(process.cmdline()):
                process.kill()
                return True
    return False


def _token(place: Path) -> str:
    """By what the processes of the present head are known."""
    from zonemelt.tasks.sqlite import connect

    connection = connect(place / "ledger.db", read_only=True)
    row = connection.execute("SELECT value FROM campaign WHERE key = 'workers'").fetchone()
    connection.close()
    return str(json.loads(row[0]))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _executions(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _wanted(place: Path) -> list[tuple[str, int]]:
    return [(uuid, value) for uuid, value in json.loads((place.parent / "wanted").read_text())]


def _verdict(place: Path, jobs: int, wanted: dict[str, int]) -> dict[str, int]:
    """What is missing, what is there twice, what was executed more than once."""
    from zonemelt.tasks.sqlite import connect
    from zonemelt.workflows.engine.responses import Responses
    from zonemelt.workflows.engine.states import JobState

    connection = connect(place / "ledger.db", read_only=True)
    total, finished = connection.execute(
        "SELECT COUNT(*), SUM(state = ?) FROM jobs", (int(JobState.DONE),)
    ).fetchone()
    outputs = connection.execute("SELECT COUNT(*) FROM outputs").fetchone()[0]
    events = connection.execute("SELECT COUNT(*) FROM events WHERE kind = 'done'").fetchone()[0]
    connection.close()
    expected = jobs // JOBS_PER_UNIT * JOBS_PER_UNIT
    responses = Responses(place)
    wrong = sum(
        value != (max(responses[uuid].items())[1].output if uuid in responses else None)
        for uuid, value in wanted.items()
    )
    runs = Counter((place.parent / _LOG).read_text().splitlines())
    return {
        "total": total,
        "lost": (total - finished) + abs(expected - total) + max(0, total - outputs) + wrong,
        "doubled": max(0, outputs - total) + max(0, events - total),
        "extra": sum(runs.values()) - len(runs),
    }


def main(place: Path) -> None:
    """Be a head."""
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.engine.run import resume, run_flow

    faulthandler.register(signal.SIGUSR1, all_threads=True)  # where it hangs, if it does
    log = str(place.parent / _LOG)
    patient = RetryPolicy(infrastructure=100, backoff_s=0.1, backoff_limit_s=1.0)
    if (place / "ledger.db").exists():
        resume(place, site=two_workers(), retry=patient)
        return
    flow, wanted = campaign(int((place.parent / "jobs").read_text()), log)
    (place.parent / "wanted").write_text(json.dumps(wanted))
    run_flow(flow, site=two_workers(), directory=place, retry=patient)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
