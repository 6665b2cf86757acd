"""The head over virtual time: it takes in results, chooses what goes out, and grants retries."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.dispatch import MOST, Durations, plan
from zonemelt.workflows.engine.lines import lengthen
from zonemelt.workflows.engine.results import Chunk
from zonemelt.workflows.engine.schema import HEAD_POOL
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.traffic import BUDGET, Traffic
from zonemelt.workflows.simulate.journey import Journey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zonemelt.workflows.engine.dispatch import Limits
    from zonemelt.workflows.engine.ledger import ReadyJob
    from zonemelt.workflows.engine.results import Cause
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.simulate.blocks import Blocks
    from zonemelt.workflows.simulate.board import Board
    from zonemelt.workflows.simulate.clock import Clock
    from zonemelt.workflows.simulate.machine import Overheads


class Head:
    """Drives a board as :class:`zonemelt.workflows.engine.head.Head` drives a ledger.

    Its rounds take time, in which results gather, so that a head that cannot keep up shows.

    Args:
        board: the jobs.
        clock: the virtual time.
        policy: how often a job goes again.
        limits: what the campaign may take.
        overheads: what the rounds take.
        after_step: called at the end of each round.

    Attributes:
        pools: filled in by who makes the machine; the pool beside the head comes last.
        paused: the node-hours are spent.
        retries: cause → failed attempts that were followed by another.
        attempts: pool → attempts; ``job_seconds``: the time they took.
        last: when the last result was recorded.
    """

    def __init__(
        self,
        board: Board,
        clock: Clock,
        *,
        policy: RetryPolicy,
        limits: Limits,
        overheads: Overheads,
        after_step: Callable[[], None],
    ) -> None:
        self.pools: Mapping[str, Blocks] = {}
        self.paused = False
        self.retries: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.job_seconds: defaultdict[str, float] = defaultdict(float)
        self.last = 0.0
        self.traffic = Traffic()
        self._board = board
        self._clock = clock
        self._policy = policy
        self._limits = limits
        self._overheads = overheads
        self._after_step = after_step
        self._durations = Durations()
        self._failures: Counter[tuple[int, Cause]] = Counter()
        self._inbox: deque[tuple[float, Journey]] = deque()
        self._step_at: float | None = None
        self._free_at = 0.0
        self._sent = 0

    # ── when it has something to do ─────────────────────────────────────────────────────────────────

    def wake(self, time: float) -> None:
        """Let it do a round at a time, or when it is through with the one before."""
        at = max(time, self._free_at)
        if self._step_at is None or at < self._step_at:
            self._step_at = at
            self._clock.at(at, self._step, at)

    def take(self, journey: Journey) -> None:
        """A chunk is on its way back."""
        at = self._clock.now + (0.0 if journey.lost else self._overheads.give_back)
        self._inbox.append((at, journey))
        self.wake(at)

    def _step(self, asked: float) -> None:
        """One round: record what has arrived, send out what is ready."""
        if asked != self._step_at:
            return
        self._step_at, now, jobs = None, self._clock.now, 0
        while self._inbox and self._inbox[0][0] <= now:
            journey = self._inbox.popleft()[1]
            self._commit(journey)
            jobs += len(journey.jobs)
        out = [] if self.paused else list(self._choose())
        jobs += sum(len(journey.jobs) for journey in out)
        self._free_at = now + jobs * self._overheads.head_job
        if out:
            self._clock.at(self._free_at + self._overheads.send, self._deliver, out)
        if self._inbox:
            self.wake(self._inbox[0][0])
        self._after_step()

    # ── results come in ─────────────────────────────────────────────────────────────────────────────

    def _commit(self, journey: Journey) -> None:
        self.traffic.remove(journey.chunk)
        self.last = self._clock.now
        for attempt in journey.attempts:
            self.attempts[journey.pool] += 1
            self.job_seconds[journey.pool] += attempt.end - attempt.start
            if attempt.cause is None or not journey.lost:
                self._durations.learn(attempt.job.kind, attempt.end - attempt.start)
            if attempt.cause is None:
                self._board.end(attempt.job.id, JobState.DONE)
            else:
                self._fail(attempt.job.id, attempt.cause)
        if len(journey.attempts) < len(journey.jobs):
            begun = {attempt.job.id for attempt in journey.attempts}
            for job in journey.jobs:
                if job.id not in begun:
                    self._board.take_back(job.id)

    def _fail(self, job: int, cause: Cause) -> None:
        earlier = self._failures[job, cause]
        if earlier >= self._policy.limit(cause):
            self._board.end(job, JobState.FAILED)
            return
        self._failures[job, cause] += 1
        self.retries[cause.value] += 1
        self._clock.at(self._clock.now + self._policy.delay(earlier), self._rested, job)

    def _rested(self, job: int) -> None:
        self._board.make_ready(job)
        self.wake(self._clock.now)

    # ── jobs go out ─────────────────────────────────────────────────────────────────────────────────

    def _choose(self) -> Iterator[Journey]:
        """What the engine's head does with a ledger, step by step."""
        limit = self._limits.in_flight
        jobs_left = sys.maxsize if limit is None else limit - self.traffic.jobs
        for pool, blocks in self.pools.items():
            if not self._board.has_ready(pool):
                continue
            room = self.traffic.room(pool, blocks.model.capacity)
            most = min(room.chunks * MOST, jobs_left)
            if most <= 0:
                continue
            ready = self._board.candidates(pool, most)
            gone: set[int] = set()
            for chosen in plan(ready, room, self._durations.of):
                jobs = chosen
                if pool != HEAD_POOL:
                    left = jobs_left - len(chosen)
                    jobs = lengthen(chosen, self._board.follower, self._durations.of, most=left)
                gone.update(job.id for job in chosen)
                jobs_left -= len(jobs)
                yield self._pack(pool, jobs)
            ready.put_back(gone)

    def _pack(self, pool: str, jobs: list[ReadyJob]) -> Journey:
        for job in jobs:
            self._board.mark_running(job.id)
        self._sent += 1
        chunk = Chunk(str(self._sent), 0, "", 0.0, BUDGET, None, [], {}, {}, {}, [])
        self.traffic.add(pool, chunk, jobs)
        return Journey(pool, chunk, jobs)

    def _deliver(self, journeys: list[Journey]) -> None:
        for journey in journeys:
            self.pools[journey.pool].submit(journey)
