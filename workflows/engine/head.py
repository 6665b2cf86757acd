"""The head: the one loop that drives a campaign, from ready jobs to committed results."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import HeadRunningError, JobError, SiteError, ZonemeltError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import commit_failure, commit_success, lost, refused
from zonemelt.workflows.engine.dispatch import MOST, Durations, Room, plan
from zonemelt.workflows.engine.inputs import Inputs
from zonemelt.workflows.engine.lock import HEARTBEAT
from zonemelt.workflows.engine.results import Cause, Chunk, Task
from zonemelt.workflows.engine.reuse import source_digest
from zonemelt.workflows.engine.schema import HEAD_POOL
from zonemelt.workflows.engine.spool import FOLDER, read_epoch, read_spool, spool_path, write_epoch
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.worker import run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jobflow import JobStore

    from zonemelt.workflows.engine.ledger import Ledger, ReadyJob
    from zonemelt.workflows.engine.lock import HeadLock
    from zonemelt.workflows.engine.mirror import Mirror
    from zonemelt.workflows.engine.pools import Workers
    from zonemelt.workflows.engine.results import Result
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.engine.reuse import Reuse

logger = logging.getLogger("zonemelt.engine")

_BREAKDOWNS = 5  # of the machinery, in a row, before the head gives up
_TICK = 0.5  # seconds between looks at the control folder, the clock and the machinery
_BUDGET = 1.0  # seconds after which a worker begins no further job of a chunk
_CHUNKS_PER_WORKER = 2  # on their way at once: one runs while the next is at hand


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a campaign may take.

    Attributes:
        in_flight: jobs on their way at once; None for as many as the workers can take.
        node_hours: allocated node-hours after which it pauses; None for no limit.
    """

    in_flight: int | None = None
    node_hours: float | None = None


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
        feed: adds more jobs when called, until it returns False (streamed campaigns).
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
        self.external = external
        self.mirror = mirror
        self.reuse = reuse
        self.additional = additional
        self.feed = feed
        self.raise_immediately = raise_immediately
        self.durations = Durations()
        self.arrived: queue.SimpleQueue[tuple[Chunk, list[Result] | BaseException]] = queue.SimpleQueue()
        self.epoch = 0
        self._chunks: dict[str, tuple[str, dict[int, ReadyJob]]] = {}  # id → pool, jobs on their way
        self._on_the_way: Counter[str] = Counter()  # pool → chunks
        self._slots: Counter[str] = Counter()  # pool → workers that what is on the way takes
        self._jobs = 0
        self._uncommitted: list[tuple[Chunk, list[Result] | BaseException]] = []
        self._sources: set[str] = set()
        self._breakdowns = 0
        self._again = False  # something became ready in the last round without a result arriving
        self._next_chunk = 0
        self._tick_at = 0.0
        self._beat_at = 0.0
        self._spent_at = time.monotonic()

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

    def begin(self) -> None:
        """Take the campaign over from whoever drove it before: fence, harvest, reset."""
        self.epoch = read_epoch(self.ledger.directory) + 1
        write_epoch(self.ledger.directory, self.epoch)
        (self.ledger.directory / FOLDER).mkdir(exist_ok=True)
        with self.ledger.transaction():
            self.ledger.put("workers", self.workers.token)
            self.ledger.put("status", "running")
            self.ledger.event("head", epoch=self.epoch)
        self.harvest()

    def harvest(self) -> None:
        """Take in what workers have spooled and no head has recorded; whatever is left runs again."""
        paths = sorted((self.ledger.directory / FOLDER).glob("*.spool"))
        with self.ledger.transaction():
            for path in paths:
                for record in read_spool(path):
                    if "job" in record:
                        self._commit_result(record)  # type: ignore[arg-type]
            self.ledger.reset_running()
        for path in paths:
            path.unlink(missing_ok=True)
        self._chunks.clear()
        self._on_the_way.clear()
        self._slots.clear()
        self._jobs = 0

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
            self._breakdowns = 0
            self._forget(chunk)
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
        enough = 4 * MOST * sum(self.workers.capacity(pool) for pool in self.workers.pools)
        while self.feed is not None and self.ledger.unfinished < enough:
            if not self.feed():
                self.feed = None

    def _goes_on(self) -> bool:
        status = self.ledger.get("status")
        if self._chunks and status != "cancelled":
            return True
        if status != "running":
            return False
        if self.ledger.unfinished == 0 and self.feed is None:
            return False
        if self.ledger.next_retry() is None and self.feed is None:
            return self._end_the_stuck()
        return True

    def _end_the_stuck(self) -> bool:
        """Nothing runs and nothing can: held jobs wait for a person; others wait for one another."""
        with self.ledger.transaction():
            if self.ledger.count(JobState.HELD):
                self.ledger.put("status", "paused")
                self.ledger.event("paused", reason="only held jobs are left")
            else:
                self.ledger.event("stuck", jobs=self.ledger.unfinished)
                self.ledger.stop_all()
        return False

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
        if self._chunks or not self._may_send():
            return _TICK
        at = self.ledger.next_retry()
        return _TICK if at is None else min(max(0.0, at - time.time()), _TICK)

    # ── results come in ─────────────────────────────────────────────────────────────────────────────

    def _commit(self, chunk: Chunk, outcome: list[Result] | BaseException) -> list[Result]:
        """Record what became of a chunk; returns the results of jobs that have failed for good."""
        if chunk.id not in self._chunks:
            return []
        error = None
        if isinstance(outcome, BaseException):
            error, outcome = outcome, self._spooled(chunk)
        failed = [result for result in outcome if not self._commit_result(result)]
        self._learn(chunk, outcome)
        reported = {result["job"] for result in outcome}
        begun = self._begun(chunk) if error is not None else set()
        for task in chunk.tasks:
            if task.id in reported:
                continue
            if error is None or (begun and task.id not in begun):
                self.ledger.mark_ready(task.id, counted=False)
            elif not self._commit_result(lost(task, error)):
                failed.append(lost(task, error))
        return failed

    def _learn(self, chunk: Chunk, results: list[Result]) -> None:
        jobs = self._chunks[chunk.id][1]
        for result in results:
            self.durations.learn(jobs[result["job"]].kind, result["end"] - result["start"])

    def _spooled(self, chunk: Chunk) -> list[Result]:
        path = spool_path(chunk.directory, chunk.id)
        return [r for r in read_spool(path) if "job" in r] if path.exists() else []  # type: ignore[misc]

    def _begun(self, chunk: Chunk) -> set[int]:
        path = spool_path(chunk.directory, chunk.id)
        return {r["begun"] for r in read_spool(path) if "begun" in r} if path.exists() else set()

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

    def _forget(self, chunk: Chunk) -> None:
        entry = self._chunks.pop(chunk.id, None)
        if entry is None:
            return
        pool, jobs = entry
        self._on_the_way[pool] -= 1
        self._slots[pool] -= _slots(jobs.values())
        self._jobs -= len(jobs)
        spool_path(chunk.directory, chunk.id).unlink(missing_ok=True)

    # ── jobs go out ─────────────────────────────────────────────────────────────────────────────────

    def _may_send(self) -> bool:
        return bool(self.ledger.get("status") == "running")

    def _choose(self) -> Iterator[tuple[str, Chunk, list[ReadyJob]]]:
        """Take jobs out of the ledger and pack them for their workers."""
        self._again = False
        if not self._may_send():
            return
        jobs_left = sys.maxsize if self.limits.in_flight is None else self.limits.in_flight - self._jobs
        for pool in (*self.workers.pools, HEAD_POOL):
            room = self._room(pool)
            limit = min(room.chunks * MOST, jobs_left)
            if limit <= 0:
                continue
            ready = [job for job in self.ledger.ready(pool, limit) if not self._reused(job)]
            for jobs in plan(ready, room, self.durations.of):
                self.ledger.mark_running(job.id for job in jobs)
                jobs_left -= len(jobs)
                yield pool, self._pack(jobs), jobs

    def _reused(self, job: ReadyJob) -> bool:
        """Let an earlier result stand in for a job; note the source of its function for later ones."""
        if job.kind not in self._sources:
            self._sources.add(job.kind)
            if (digest := source_digest(job.kind)) is not None:
                self.ledger.record_source(job.kind, digest)
        result = self.reuse.result(job) if self.reuse is not None else None
        if result is None:
            return False
        self.ledger.mark_running([job.id])
        commit_success(self.ledger, result)
        self._again = True
        return True

    def _room(self, pool: str) -> Room:
        capacity = 1 if pool == HEAD_POOL else self.workers.capacity(pool)
        return Room(
            capacity=capacity,
            chunks=_CHUNKS_PER_WORKER * capacity - self._on_the_way[pool],
            slots=capacity - self._slots[pool],
            idle=not self._on_the_way[pool],
        )

    def _pack(self, jobs: list[ReadyJob]) -> Chunk:
        self._next_chunk += 1
        inputs = Inputs(self.ledger, self.store if self.external else None)
        for job in jobs:
            inputs.add(job.body)
        return Chunk(
            id=f"{self.epoch}-{self._next_chunk}",
            epoch=self.epoch,
            directory=str(self.ledger.directory),
            budget=_BUDGET,
            additional=self.additional,
            path=[entry or os.getcwd() for entry in sys.path],  # noqa: PTH109
            outputs=inputs.outputs,
            blobs=inputs.blobs,
            tasks=[self._task(job) for job in jobs],
        )

    def _task(self, job: ReadyJob) -> Task:
        wanted = job.wanted
        if job.resources.memory and (times := self.ledger.failures(job.id, Cause.MEMORY)):
            wanted = {**wanted, "memory": job.resources.memory * 2**times}
        return Task(
            id=job.id, uuid=job.uuid, index=job.index, attempt=job.attempts + 1, body=job.body,
            resources=wanted, quorum=bool(job.resources.quorum),
        )  # fmt: skip

    def _send(self, pool: str, chunk: Chunk, jobs: list[ReadyJob]) -> None:
        self._chunks[chunk.id] = pool, {job.id: job for job in jobs}
        self._on_the_way[pool] += 1
        self._slots[pool] += _slots(jobs)
        self._jobs += len(jobs)
        if pool == HEAD_POOL:
            self._run_beside(chunk)
        else:
            self.workers.submit(pool, chunk, self.arrived)

    def _run_beside(self, chunk: Chunk) -> None:
        """Run jobs that see the store: only the head has it."""
        if self.mirror is not None:
            self.mirror.flush()  # what the job refers to must be where it looks
        self.arrived.put((chunk, run_jobs(chunk, store=self.store)))

    # ── now and then ────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._tick_at:
            return
        self._tick_at = now + _TICK
        control.obey(self.ledger)
        if now < self._beat_at:
            return
        self._beat_at = now + (HEARTBEAT if not self._chunks else 2.0)
        self.lock.beat()
        if read_epoch(self.ledger.directory) != self.epoch:
            raise HeadRunningError(
                "another head has taken this campaign over",
                where=str(self.ledger.directory),
                remedy="nothing is lost: follow it with `zonemelt status --watch`",
            )
        self._spend(now)
        if (trouble := self.workers.ailing()) is not None:
            self._mend(trouble)

    def _spend(self, now: float) -> None:
        hours = self.workers.nodes_in_use() * (now - self._spent_at) / 3600
        self._spent_at = now
        with self.ledger.transaction():
            spent = self.ledger.get("node_hours", 0.0) + hours
            self.ledger.put("node_hours", spent)
            limit = self.limits.node_hours
            if limit is not None and spent > limit and self.ledger.get("status") == "running":
                self.ledger.put("status", "paused")
                self.ledger.event("paused", reason=f"the budget of {limit:g} node-hours is spent")

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


def _slots(jobs: Iterable[ReadyJob]) -> int:
    """Workers that a chunk takes: one, or those of its multi-rank job."""
    return max(job.resources.slots for job in jobs)
