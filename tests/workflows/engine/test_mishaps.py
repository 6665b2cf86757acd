"""The disk is full, the store is away, a second head comes: the campaign waits, and goes on."""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import graphs_for_tests as g
import jobs_for_mishaps as mishaps
import pytest
from comparing_runs import assert_same, of_campaign, taken
from crashing_runs import Campaign, campaign_graph, undisturbed
from graphs_for_tests import executions
from jobflow import Flow, JobStore
from ledgers_for_tests import events
from maggma.stores import MemoryStore
from waiting import until

from zonemelt.tasks.errors import CampaignError, HeadRunningError, StoreError
from zonemelt.workflows.engine.lock import HeadLock, head_is_alive, read_holder
from zonemelt.workflows.engine.mirror import Mirror
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.run import resume, run_flow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [
    pytest.mark.filterwarnings("ignore:Some jobs are not connected:UserWarning"),
    pytest.mark.timeout(900),
]


# ── the disk is full ────────────────────────────────────────────────────────────────────────────────────


class Reluctant:
    """A connection to a database on a disk that is full now and then."""

    def __init__(self, connection: sqlite3.Connection, refusals: Iterator[bool]) -> None:
        self._connection, self._refusals = connection, refusals

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _refuse(self, sql: str) -> None:
        if (
            sql.startswith(("COMMIT", "INSERT", "UPDATE"))
            and self._connection.in_transaction
            and next(self._refusals)
        ):
            self._connection.execute("ROLLBACK")  # as SQLite does
            raise sqlite3.OperationalError("database or disk is full")

    def execute(self, sql: str, *arguments: Any) -> Any:
        self._refuse(sql)
        return self._connection.execute(sql, *arguments)

    def executemany(self, sql: str, *arguments: Any) -> Any:
        self._refuse(sql)
        return self._connection.executemany(sql, *arguments)


def test_a_ledger_that_cannot_be_written_waits(tmp_path, monkeypatch) -> None:
    from zonemelt.workflows.engine import head, ledger

    refusing = {"on": False, "left": 12}
    luck = random.Random(5)

    def refusals() -> Iterator[bool]:
        while True:
            refuse = refusing["on"] and refusing["left"] > 0 and luck.random() < 0.1
            refusing["left"] -= refuse
            yield refuse

    plain = ledger.connect
    monkeypatch.setattr(ledger, "connect", lambda *a, **k: Reluctant(plain(*a, **k), refusals()))
    begin = head.Head.begin
    monkeypatch.setattr(head.Head, "begin", lambda self: (begin(self), refusing.update(on=True)))
    monkeypatch.setattr(head.time, "sleep", lambda _: None)
    folder = tmp_path / "marks"
    folder.mkdir()
    responses = run_flow(campaign_graph(8, str(folder)), site="inline", directory=tmp_path / "c")
    assert refusing["left"] == 0
    assert set(executions(folder).values()) == {1}
    assert_same(of_campaign(tmp_path / "c", responses), undisturbed(8))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting needs privileges")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_pauses_the_campaign(small_disk, tmp_path) -> None:
    """Jobs fill the disk; when there is room again the campaign goes on, and nothing is lost."""
    folder = tmp_path / "marks"
    folder.mkdir()
    ballast = small_disk / "ballast"

    def make_room() -> None:
        until((folder / "full_1").exists)
        time.sleep(1)  # the engine meets a full disk meanwhile
        ballast.unlink()

    fill = mishaps.fill_disk(str(folder), str(ballast))
    jobs = [mishaps.big_output(str(folder), fill.output, i) for i in range(6)]
    helper = threading.Thread(target=make_room)
    helper.start()
    try:
        responses = run_flow(
            Flow([fill, *jobs, g.total([job.output["n"] for job in jobs])]),
            site="inline",
            directory=small_disk / "c",
            ensure_success=True,
            retry=RetryPolicy(backoff_s=0.2),
        )
    finally:
        helper.join()
    assert [responses[job.uuid][1].output["n"] for job in jobs] == list(range(6))
    assert {event["cause"] for event in events(small_disk / "c", "retry")} <= {"infrastructure"}
    assert set(executions(folder).values()) <= {1, 2}


# ── a store that goes away ──────────────────────────────────────────────────────────────────────────────


class Absent(MemoryStore):
    """A store that does not answer for a while."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.delivered: Counter[tuple[str, int]] = Counter()

    def update(self, docs: Any, key: Any = None) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("no route to host")
        for document in docs if isinstance(docs, list) else [docs]:
            self.delivered[document["uuid"], document["index"]] += 1
        super().update(docs, key)


class TestStoreThatGoesAway:
    @pytest.fixture(autouse=True)
    def _in_a_hurry(self, monkeypatch) -> None:
        monkeypatch.setattr("zonemelt.workflows.engine.mirror._PAUSE", 0.02)
        monkeypatch.setattr("zonemelt.workflows.engine.mirror._REST", 0.05)

    def test_and_comes_back(self, tmp_path, site) -> None:
        store = Absent(5)
        job_store = JobStore(store, additional_stores={"data": MemoryStore(), "other": MemoryStore()})
        responses = run_flow(campaign_graph(8, None), site=site, store=job_store, directory=tmp_path / "c")
        assert store.refusals == 0
        assert set(store.delivered.values()) == {1}
        assert_same(taken(job_store, responses), undisturbed(8))

    def test_for_good(self, tmp_path, monkeypatch) -> None:
        """The end of the campaign says so; a later resume delivers, and runs nothing."""
        flush = Mirror.flush
        monkeypatch.setattr(Mirror, "flush", lambda self: flush(self, patience=0.3))
        folder = tmp_path / "marks"
        folder.mkdir()
        store = Absent(10**9)
        with pytest.raises(StoreError, match=r"does not take 1[0-9]+ outputs \(ConnectionError\)") as caught:
            run_flow(
                campaign_graph(8, str(folder)), site="inline", store=JobStore(store), directory=tmp_path / "c"
            )
        assert "safe in the campaign directory" in caught.value.remedy
        with pytest.raises(CampaignError, match="store that was not given"):
            resume(tmp_path / "c", site="inline")
        store.refusals = 0
        responses = resume(tmp_path / "c", site="inline", store=JobStore(store))
        assert set(store.delivered.values()) == {1}
        assert set(store.delivered) == {(u, i) for u in responses for i in responses[u]}
        assert set(executions(folder).values()) == {1}


# ── two heads ───────────────────────────────────────────────────────────────────────────────────────────


class TestTwoHeads:
    def test_the_second_is_refused(self, tmp_path) -> None:
        campaign = Campaign(tmp_path, 10, seconds=0.02)
        campaign.start("inline")
        campaign.wait_for_progress(5)
        with pytest.raises(HeadRunningError) as caught:
            resume(campaign.directory, site="inline")
        assert f"process {campaign.head.pid} on {socket.gethostname()}" in str(caught.value)
        with pytest.raises(CampaignError):
            run_flow(g.add(1), site="inline", directory=campaign.directory)
        campaign.kill_head(workers=1)
        assert read_holder(campaign.directory)["pid"] == campaign.head.pid  # it had no time to say goodbye
        assert not head_is_alive(campaign.directory)
        campaign.finish("inline")  # what a dead head held is taken over
        campaign.check()

    def test_a_head_on_another_machine_counts_while_it_gives_signs_of_life(self, tmp_path) -> None:
        run_flow(g.add(1), site="inline", directory=tmp_path)
        lock = tmp_path / "head.lock"
        lock.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": 0}))
        with pytest.raises(HeadRunningError, match="process 7 on elsewhere"):
            resume(tmp_path, site="inline")
        assert head_is_alive(tmp_path)
        os.utime(lock, (time.time() - 1000,) * 2)
        assert not head_is_alive(tmp_path)
        assert len(resume(tmp_path, site="inline")) == 1

    def test_one_that_only_asks_does_not_keep_a_head_out(self, tmp_path, monkeypatch) -> None:
        file = os.open(tmp_path / "head.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(file, fcntl.LOCK_SH)
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                os.close(file)

        clock = SimpleNamespace(monotonic=lambda: sum(waited), time=time.time, sleep=sleep)
        monkeypatch.setattr("zonemelt.workflows.engine.lock.time", clock)
        with HeadLock(tmp_path):
            assert head_is_alive(tmp_path)
        assert len(waited) == 3
        assert not head_is_alive(tmp_path)

    def test_a_head_that_was_overtaken_stops(self, tmp_path, monkeypatch) -> None:
        """File locks may fail between machines: the epoch is the second fence."""
        from zonemelt.workflows.engine import head

        monkeypatch.setattr(head, "_TICK", 0.01)
        monkeypatch.setattr(head, "HEARTBEAT", 0.05)
        job = mishaps.overtake(str(tmp_path / "c"))
        with pytest.raises(HeadRunningError, match="another head has taken"):
            run_flow(
                Flow([job, *(g.rest(0.1, job.output) for _ in range(60))]),
                site="inline",
                directory=tmp_path / "c",
            )


# ── nothing is amiss ────────────────────────────────────────────────────────────────────────────────────


def test_a_long_job_in_the_head_itself_is_no_breakdown(tmp_path, monkeypatch):
    """While the head computes it looks at nothing: what came in meanwhile shows that it worked."""
    for name in ("_IDLE", "_TICK", "HEARTBEAT"):
        monkeypatch.setattr(f"zonemelt.workflows.engine.head.{name}", 1e-9)
    run_flow(Flow([g.add(1, 2)]), site="inline", directory=tmp_path / "c", ensure_success=True)
    assert not events(tmp_path / "c", "breakdown")
