"""The head: the one loop that drives a campaign, from ready jobs to committed results."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import HeadRunningError, JobError, SiteError, ZonemeltError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import (
    commit_failure,
    commit_plain,
    commit_success,
    lost,
    postpone,
    refused,
)
from zonemelt.workflows.engine.disk import Disk
from zonemelt.workflows.engine.dispatch import MOST, Durations, Limits, plan
from zonemelt.workflows.engine.lines import follower, lengthen, take_back
from zonemelt.workflows.engine.lock import HEARTBEAT
from zonemelt.workflows.engine.results import is_plain
from zonemelt.workflows.engine.schema import HEAD_POOL
from zonemelt.workflows.engine.spending import Spending
from zonemelt.workflows.engine.spool import (
    FOLDER,
    Recorded,
    begun_in,
    busy,
    read_epoch,
    results_in,
    spool_path,
    write_epoch,
)
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.traffic import Packer, Traffic
from zonemelt.workflows.engine.worker import run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobflow import JobStore

    from zonemelt.workflows.engine.ledger import Ledger, ReadyJob
    from zonemelt.workflows.engine.lock import HeadLock
    from zonemelt.workflows.engine.mirror import Mirror
    from zonemelt.workflows.engine.pools import Workers
    from zonemelt.workflows.engine.results import Chunk, Result
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.engine.reuse import Reuse

logger = logging.getLogger("zonemelt.engine")

_BREAKDOWNS = 5  # of the machinery, in a row, before the head gives up
_IDLE = 90.0  # seconds in which workers begin nothing before they count as broken
_TICK = 0.5  # seconds between looks at the control folder, the clock and the machinery


class Head:
    """Drives one campaign until every job is finished, it is paused, or it is interrupted.

    Args:
        ledger: the durable state.
        workers: the machine.
        lock: held by this process.
        policy: how often a job goes again.
        limits: what the campaign may take.
        store: a store that holds outputs of other campaigns, and that jobs with ``expose_store`` see.
        external: jobs may refer to outputs that are only in the store.
        mirror: brings outputs to the store.
        reuse: finds results of identical jobs of earlier campaigns.
        additional: names of the store's additional stores; None where any is allowed.
        feed: adds jobs to a streamed campaign, until it returns False.
        raise_immediately: raise on the first failed job.
    """

    def __init__(
        self,
        ledger: Ledger,
        workers: Workers,
        *,
        lock: HeadLock,
        policy: RetryPolicy,
        limits: Limits,
        store: JobStore,
        external: bool = False,
        mirror: Mirror | None = None,
        reuse: Reuse | None = None,
        additional: list[str] | None = None,
        feed: Callable[[], bool] | None = None,
        raise_immediately: bool = False,
    ) -> None:
        self.ledger = ledger
        self.workers = workers
        self.lock = lock
        self.policy = policy
        self.limits = limits
        self.store = store
        self.mirror = mirror
        self.reuse = reuse
        self.feed = feed
        self.raise_immediately = raise_immediately
        self.durations = Durations()
        self.arrived: queue.SimpleQueue[tuple[Chunk, list[Result] | BaseException]] = queue.SimpleQueue()
        self.epoch = 0
        self.traffic = Traffic()
        self.packer = Packer(ledger, store if external else None, additional)
        self._uncommitted: list[tuple[Chunk, list[Result] | BaseException]] = []
        self._breakdowns = 0
        self._again = False  # something became ready in the last round without a result arriving
        self._disk = Disk(ledger.directory)
        self._recorded = Recorded(ledger.path)
        self._tick_at = self._beat_at = 0.0
        self._busy_at = time.monotonic()
        self.spending = Spending(ledger, workers, limits.node_hours)

    # ── the loop ────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Run to the end.

        Raises:
            JobError: with ``raise_immediately``, a job failed.
            HeadRunningError: another head took the campaign over.
            SiteError: the machinery breaks down again and again.
        """
        self.begin()
        while self.step():
            pass
        self.spending.count()
        self._recorded.remove()

    def begin(self) -> None:
        """Take the campaign over from whoever drove it before: fence, harvest, reset."""
        self.workers.give_back(self.ledger.get("blocks", {}))
        self.epoch = read_epoch(self.ledger.directory) + 1
        write_epoch(self.ledger.directory, self.epoch)
        (self.ledger.directory / FOLDER).mkdir(exist_ok=True)
        with self.ledger.transaction():
            self.ledger.put("workers", self.workers.token)
            self.ledger.put("status", "running")
            self.ledger.event("head", epoch=self.epoch)
        self.harvest()

    def leave(self) -> None:
        """Forget the blocks, once the workers have given them back: their ids may come to name other jobs."""
        if self.epoch and read_epoch(self.ledger.directory) == self.epoch:
            self._recorded.remove()
            with contextlib.suppress(sqlite3.OperationalError), self.ledger.transaction():
                self.ledger.put("blocks", {})

    def harvest(self) -> None:
        """Take in what workers have spooled and no head has recorded; whatever is left runs again."""
        paths = sorted((self.ledger.directory / FOLDER).glob("*.spool"))
        with self.ledger.transaction():
            for path in paths:
                for result in results_in(path):
                    self._commit_result(result)
            self.ledger.reset_running()
        self._recorded.add(*paths)
        self._recorded.remove()
        self.traffic.give_up()

    def step(self) -> bool:
        """One round: wait for results, commit them, send out what is ready.

        Returns:
            False when there is nothing left to do.
        """
        arrivals = self._uncommitted
        try:
            self._tick()
            self._wait(arrivals)
            with self.ledger.transaction():
                failed = [r for chunk, outcome in arrivals for r in self._commit(chunk, outcome)]
                self._take_in()
                chunks = list(self._choose())
        except sqlite3.OperationalError as error:
            # Nothing is lost: what has arrived is kept, and tried again when there is room.
            logger.warning("the ledger cannot be written (%s); trying again", error)
            time.sleep(1.0)
            return True
        self._uncommitted = []
        for chunk, _ in arrivals:
            self._breakdowns, self._busy_at = 0, time.monotonic()
            if self.traffic.remove(chunk):
                self._recorded.add(spool_path(chunk.directory, chunk.id))
        for pool, chunk, jobs in chunks:
            self._send(pool, chunk, jobs)
        if failed and self.raise_immediately:
            raise JobError(
                f"{failed[0]['error']}: {failed[0]['message']}",
                where=f"job {failed[0]['job']}",
                remedy=failed[0]["traceback"],
            )
        return self._goes_on()

    def _take_in(self) -> None:
        """Take as much from a stream as keeps every worker busy."""
        if self.feed is None:
            return
        enough = 4 * MOST * sum(self.workers.capacity(pool) for pool in self.workers.pools)
        while self.feed is not None and self.ledger.unfinished < enough:
            if not self.feed():
                self.feed = None

    def _goes_on(self) -> bool:
        status = self.ledger.get("status")
        if self.traffic and status != "cancelled":
            return True
        if status != "running":
            return False
        if self.ledger.unfinished == 0 and self.feed is None:
            return False
        if self.ledger.next_retry() is None and self.feed is None:
            control.end_stuck(self.ledger)
            return False
        return True

    def _wait(self, arrivals: list[tuple[Chunk, list[Result] | BaseException]]) -> None:
        """Add what has arrived, waiting for it up to the next tick."""
        with contextlib.suppress(queue.Empty):
            arrivals.append(self.arrived.get(timeout=self._patience()))
            while True:
                arrivals.append(self.arrived.get_nowait())

    def _patience(self) -> float:
        """Seconds to wait for a result before there is something else to do."""
        if self._uncommitted or self._again:
            return 0.0
        if self.traffic or not self._may_send():
            return _TICK
        at = self.ledger.next_retry()
        return _TICK if at is None else min(max(0.0, at - time.time()), _TICK)

    # ── results come in ─────────────────────────────────────────────────────────────────────────────

    def _commit(self, chunk: Chunk, outcome: list[Result] | BaseException) -> list[Result]:
        """Record what became of a chunk; returns the results of jobs that have failed for good."""
        if chunk not in self.traffic:
            return []
        error = None
        if isinstance(outcome, BaseException):
            error, outcome = outcome, results_in(spool_path(chunk.directory, chunk.id))
        late = [result for result in outcome if result.get("postponed")]
        outcome = [result for result in outcome if not result.get("postponed")]
        plain = [result for result in outcome if is_plain(result)]
        commit_plain(self.ledger, plain)
        others = outcome if not plain else [result for result in outcome if not is_plain(result)]
        failed = [result for result in others if not self._commit_result(result)]
        for result in outcome:
            kind = self.traffic.job(chunk, result["job"]).kind
            self.durations.learn(kind, result["end"] - result["start"])
        reported = {result["job"] for result in (*outcome, *late)}
        begun = begun_in(spool_path(chunk.directory, chunk.id)) if error is not None else set()
        back = []
        for task in chunk.tasks:
            if task.id in reported:
                continue
            if error is None or (begun and task.id not in begun):
                back.append(task.id)
            elif not self._commit_result(lost(task, error)):
                failed.append(lost(task, error))
        take_back(self.ledger, back)
        postpone(self.ledger, late)
        return failed

    def _commit_result(self, result: Result) -> bool:
        """Record one result; False where the job has failed for good."""
        if result["ok"]:
            try:
                with self.ledger.transaction() if result.get("rows") else contextlib.nullcontext():
                    commit_success(self.ledger, result)
            except ZonemeltError as error:
                result = refused(result, error)
            else:
                return True
        return commit_failure(self.ledger, result, self.policy) is not JobState.FAILED

    # ── jobs go out ─────────────────────────────────────────────────────────────────────────────────

    def _may_send(self) -> bool:
        return not self._disk.full and bool(self.ledger.get("status") == "running")

    def _choose(self) -> Iterator[tuple[str, Chunk, list[ReadyJob]]]:
        """Take jobs out of the ledger and pack them for their workers."""
        self._again = False
        if self.ledger.unfinished == 0 or not self._may_send():
            return
        most = self.limits.in_flight
        jobs_left = sys.maxsize if most is None else most - self.traffic.jobs
        for pool in (*self.workers.pools, HEAD_POOL):
            room = self.traffic.room(pool, 1 if pool == HEAD_POOL else self.workers.capacity(pool))
            limit = min(room.chunks * MOST, jobs_left)
            if limit <= 0:
                continue
            ready = [job for job in self.ledger.ready(pool, limit) if not self._reused(job)]
            for chosen in plan(ready, room, self.durations.of):
                jobs = chosen
                if self.reuse is None and pool != HEAD_POOL:
                    most = jobs_left - len(chosen)
                    jobs = lengthen(chosen, partial(follower, self.ledger), self.durations.of, most=most)
                self.ledger.mark_running(job.id for job in jobs)
                jobs_left -= len(jobs)
                yield pool, self.packer.pack(jobs, self.epoch), jobs

    def _reused(self, job: ReadyJob) -> bool:
        """Let an earlier result stand in for a job, unless the jobs that it brings do not suit this site."""
        if self.reuse is None or (result := self.reuse.result(job)) is None:
            return False
        try:
            with self.ledger.transaction() if result.get("rows") else contextlib.nullcontext():
                self.ledger.mark_running([job.id])
                commit_success(self.ledger, result)
        except ZonemeltError as error:
            logger.warning("job %d '%s' is not reused, it runs: %s", job.id, job.name, error)
            self.reuse.refuse(job)
            return False
        self._again = True
        return True

    def _send(self, pool: str, chunk: Chunk, jobs: list[ReadyJob]) -> None:
        self.traffic.add(pool, chunk, jobs)
        if pool == HEAD_POOL:
            self._run_beside(chunk)
        else:
            self.workers.submit(pool, chunk, self.arrived)

    def _run_beside(self, chunk: Chunk) -> None:
        """Run jobs that see the store: only the head has it."""
        if self.mirror is not None:
            self.mirror.flush()  # what the job refers to must be where it looks
        try:
            self.arrived.put((chunk, run_jobs(chunk, store=self.store)))
        except OSError as error:  # a full disk, say
            self.arrived.put((chunk, error))

    # ── now and then ────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._tick_at:
            return
        self._tick_at = now + _TICK
        control.obey(self.ledger)
        self.limits = self.limits.steered(self.ledger.get("steered", {}))
        self.spending.budget = self.limits.node_hours
        if now < self._beat_at:
            return
        self._beat_at = now + (2.0 if self.traffic or self._disk.full else HEARTBEAT)
        self.lock.beat()
        self._recorded.remove()
        self._disk.look()
        if read_epoch(self.ledger.directory) != self.epoch:
            raise HeadRunningError(
                "another head has taken this campaign over",
                where=str(self.ledger.directory),
                remedy="nothing is lost: follow it with `zonemelt watch`",
            )
        self.spending.count()
        if (trouble := self.workers.ailing() or self._idling(now)) is not None:
            self._mend(trouble)

    def _idling(self, now: float) -> str | None:
        """Notice workers that are there and begin nothing: parts of Parsl hang without dying."""
        waits = self.traffic and self.spending.nodes and self.arrived.empty()  # for workers, not for itself
        if not waits or busy(self.ledger.directory, elsewhere=True):
            self._busy_at = now
        if now - self._busy_at < _IDLE:
            return None
        self._busy_at = now
        return f"jobs were sent, workers are there, and none has begun one for {_IDLE:g} s"

    def _mend(self, trouble: str) -> None:
        """Replace broken machinery; what was on its way is harvested or goes again."""
        logger.warning("%s; starting the workers anew", trouble)
        with self.ledger.transaction():
            self.ledger.event("breakdown", trouble=trouble)
        self.epoch += 1
        write_epoch(self.ledger.directory, self.epoch)
        self._breakdowns += 1
        try:
            if self._breakdowns > _BREAKDOWNS:
                raise RuntimeError(f"{_BREAKDOWNS} times in a row without a result in between")  # noqa: TRY301
            self.workers.restart()
        except Exception as error:
            raise SiteError(
                f"the workers cannot be kept running: {error}",
                where=trouble,
                remedy="mend the cause, then `zonemelt resume`: nothing is lost",
            ) from error
        with self.ledger.transaction():
            self.ledger.put("workers", self.workers.token)
        self.harvest()
