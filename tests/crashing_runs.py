"""Campaigns that are killed, and what must be true of them afterwards."""

from __future__ import annotations

import functools
import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import graphs_for_tests as g
import psutil
from comparing_runs import Run, reference
from ledgers_for_tests import fact_of
from waiting import until

from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.engine.reap import orphans
from zonemelt.workflows.engine.run import resume, run_flow
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    from jobflow import Flow

# Heads are forked from a process that has imported everything: a start takes milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["crashing_runs"])


def campaign_graph(groups: int, folder: str | None, *, seconds: float = 0.0) -> Flow:
    """A graph that grows: per group 4 jobs to begin with and 15 in the end, by every way a response has."""
    common: dict[str, Any] = {"folder": folder} if folder else {}
    if seconds:
        common["seconds"] = seconds

    def what(value: Any, **more: Any) -> dict[str, Any]:
        return {"value": value, **common, **more}

    inner = {
        "jobs": [
            what("r1"),
            what("r2", after=[0]),
            what("r3", replace={"jobs": [what("r4")], "shape": "job"}),
        ]
    }
    jobs: list[dict[str, Any]] = []
    for i in range(groups):
        first = len(jobs)
        detour = {"jobs": [what("d1"), what("d2", after=[0], fails=i % 3 == 0)], "shape": "list"}
        addition = {"jobs": [what("a1"), what("a2", after=[0])], "shape": "plain"}
        jobs += [
            what(i, after=[first - 1] if i % 4 else []),
            what(f"{i} replaced", after=[first], replace=inner, detour=detour),
            what(
                f"{i} adds",
                after=[first],
                addition=addition,
                replace={"jobs": [what("p1"), what("p2")], "shape": "plain"},
            ),
            what(f"{i} joins", after=[first + 1, first + 2], missing="none"),
        ]
    return g.grow({"jobs": jobs}, "campaign")


def drive(directory: str, folder: str, groups: int, seconds: float, site: str) -> None:
    """What a head's process does: start the campaign, or go on with it."""
    try:
        if (Path(directory) / "begun").exists():
            resume(directory, site=site)
        else:
            Path(directory).mkdir(exist_ok=True)
            graph = campaign_graph(groups, folder, seconds=seconds)
            (Path(directory) / "begun").touch()
            run_flow(graph, site=site, directory=directory)
    except BaseException:
        import traceback

        (Path(directory) / "error.txt").write_text(traceback.format_exc())
        raise


def start_head(directory: Path, folder: Path, groups: int, *, seconds: float, site: str) -> Any:
    head = _CONTEXT.Process(target=drive, args=(str(directory), str(folder), groups, seconds, site))
    head.start()
    return head


def lines(folder: Path) -> int:
    """Jobs begun so far."""
    return sum(path.stat().st_size > 0 for path in folder.iterdir())


class Campaign:
    """A campaign that is killed again and again.

    Args:
        place: a folder for it.
        groups: size of the graph.
        seconds: duration of each job.
        seed: of the moments of the kills.
    """

    def __init__(self, place: Path, groups: int, *, seconds: float = 0.0, seed: int = 0) -> None:
        self.directory, self.folder = place / "campaign", place / "marks"
        self.folder.mkdir()
        self.groups, self.seconds = groups, seconds
        self.random = random.Random(seed)
        self.kills = 0
        self.at_risk = 0  # jobs that may have been running at a kill
        self.tokens: set[str] = set()
        self.head: Any = None

    def start(self, site: str) -> None:
        if not (self.directory / "ledger.db").exists():
            (self.directory / "begun").unlink(missing_ok=True)  # killed before it was
        elif self.fact("name") is None:
            (self.directory / "begun").unlink()
        self.head = start_head(self.directory, self.folder, self.groups, seconds=self.seconds, site=site)

    def wait_for_progress(self, jobs: int) -> None:
        """Until so many more jobs have begun, or the head has come to its end."""
        wanted = lines(self.folder) + jobs
        until(lambda: not self.head.is_alive() or lines(self.folder) >= wanted, seconds=400, step=0.01)
        time.sleep(self.random.random() * 0.02)

    def fact(self, key: str) -> Any:
        """A fact of the ledger, None where there is none yet."""
        return fact_of(self.directory, key)

    def note_token(self) -> None:
        if token := self.fact("workers"):
            self.tokens.add(token)

    def kill_head(self, *, workers: int) -> None:
        self.note_token()
        if self.head.is_alive():
            self.head.kill()
            self.kills += 1
            self.at_risk += workers
        self.head.join()

    def finish(self, site: str) -> None:
        self.start(site)
        self.head.join(540)
        self.note_token()
        assert self.head.exitcode == 0, (self.directory / "error.txt").read_text()

    def check(self) -> None:
        """Nothing lost, nothing doubled, nothing left behind."""
        assert self.unfinished() == 0
        counts = g.executions(self.folder)
        repeated = {name: count for name, count in counts.items() if count > 1}
        assert sum(count - 1 for count in repeated.values()) <= self.at_risk, repeated
        connection = connect(self.directory / "ledger.db", read_only=True)
        done = dict(connection.execute("SELECT job, COUNT(*) FROM events WHERE kind = 'done' GROUP BY job"))
        assert set(done.values()) == {1}
        states = Counter(JobState(state) for (state,) in connection.execute("SELECT state FROM jobs"))
        assert states.keys() <= {JobState.DONE, JobState.FAILED}
        assert connection.execute("SELECT COUNT(*) FROM outputs").fetchone()[0] == states[JobState.DONE]
        connection.close()
        assert list((self.directory / "spool").iterdir()) == []
        until(lambda: not self.left_behind(), seconds=30, step=0.5)

    def unfinished(self) -> int:
        connection = connect(self.directory / "ledger.db", read_only=True)
        count = connection.execute("SELECT COUNT(*) FROM jobs WHERE state < 4").fetchone()[0]
        connection.close()
        return int(count)

    def left_behind(self) -> list[str]:
        """Processes that belong to the campaign."""
        found = [process for token in self.tokens for process in orphans(token)]
        for process in psutil.process_iter():
            try:
                if str(self.directory) in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return [str(process) for process in found if process.pid != os.getpid()]


# ── everything is killed ────────────────────────────────────────────────────────────────────────────────


def machinery(token: str) -> dict[str, list[psutil.Process]]:
    """The processes that a head started, by what they are."""
    found: dict[str, list[psutil.Process]] = {"interchange": [], "manager": [], "worker": []}
    for process in orphans(token):
        try:
            command, parent = " ".join(process.cmdline()), process.parent()
            above = " ".join(parent.cmdline()) if parent else ""
            if "interchange" in command:
                found["interchange"].append(process)
            elif "process_worker_pool.py" in above and "resource_tracker" not in command:
                found["worker"].append(process)
            elif "process_worker_pool.py" in command and "bash" not in command:
                found["manager"].append(process)
        except psutil.Error:
            continue
    return found


class Chaos(Campaign):
    """Heads, interchanges, managers and workers are killed, in no order, again and again."""

    RUNNING: ClassVar = {"head": 2, "interchange": 2, "manager": 2, "worker": 2}  # jobs each may take along

    def run(self, kills: int, *, most: int) -> Counter[str]:
        """Kill until so many have been killed, or the campaign is done; then let it finish."""
        killed: Counter[str] = Counter()
        self.start("local")
        while self.kills < kills and (self.kills == 0 or self.unfinished()):
            self.wait_for_progress(self.random.randint(1, most))
            if not self.head.is_alive():
                assert self.head.exitcode == 0, (self.directory / "error.txt").read_text()
                break
            victim = self.random.choices(["head", "worker", "interchange", "manager"], [6, 6, 3, 1])[0]
            self.note_token()
            if victim == "head":
                self.kill_head(workers=self.RUNNING["head"])
                self.start("local")
            elif not self._kill(victim):
                continue
            killed[victim] += 1
        if not self.head.is_alive() and self.head.exitcode:
            raise AssertionError((self.directory / "error.txt").read_text())
        self.head.join(1200)
        self.note_token()
        return killed

    def _kill(self, victim: str) -> bool:
        there = machinery(self.fact("workers") or "")[victim]
        if not there:
            return False
        try:
            self.random.choice(there).kill()
        except psutil.NoSuchProcess:
            return False
        self.kills += 1
        self.at_risk += self.RUNNING[victim]
        return True


@functools.cache
def undisturbed(groups: int) -> Run:
    """What ``run_locally`` makes of the graph."""
    return reference(campaign_graph(groups, None))
