"""Where every job stands: the counters and states that the ledger keeps in its rows, in memory.

Each settled signal costs the edges that lead from it, as in :mod:`zonemelt.workflows.engine.settle`.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from zonemelt.workflows.engine.ledger import ReadyJob
from zonemelt.workflows.engine.resources import WholeBlock
from zonemelt.workflows.engine.schema import HEAD_POOL
from zonemelt.workflows.engine.states import FINISHED, JobState, Outcome, next_state, outcome
from zonemelt.workflows.simulate.graph import NO_QUORUM

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from zonemelt.workflows.simulate.graph import Graph

_JOB = (1 << 40) - 1  # the part of a key that is the job; above it is how little urgent it is


class Board:
    """The states of the jobs of a graph.

    Args:
        graph: the jobs.
        default_pool: the pool of jobs that name none.
        whole: pools where a job takes a whole block, whatever it spans of it.

    Attributes:
        state: of each job, [J].
        attempts: how often each job was sent out, [J].
        unfinished: how many jobs are there and have not ended.
        ended: how many have.
    """

    def __init__(self, graph: Graph, default_pool: str, whole: Collection[str] = ()) -> None:
        self.graph = graph
        self.pools = [
            HEAD_POOL if beside_head else resources.pool or default_pool
            for resources, beside_head in graph.requests
        ]
        self._resources = [
            WholeBlock.of(request.resources) if pool in whole else request.resources
            for request, pool in zip(graph.requests, self.pools, strict=True)
        ]
        self.state = bytearray(len(graph))  # all WAITING
        self.attempts = array("i", bytes(4 * len(graph)))
        self.waits = array("i", graph.parents)
        # how many parents: arrived, failed, stopped
        self._counts = [array("i", bytes(4 * len(graph))) for _ in Outcome]
        self._there = bytearray(b"\1" * len(graph))
        for brought in graph.brings.values():
            for job in brought:
                self._there[job] = 0
        self._holds = {job: len(signals) for job, signals in graph.holds.items()}
        self.holders: dict[int, list[int]] = {}
        for job, signals in graph.holds.items():
            for signal in signals:
                self.holders.setdefault(signal, []).append(job)
        self._latest = array("q", [-1]) * (len(graph.first_child) - 1)
        self._settled = bytearray(len(graph.first_child) - 1)
        self._ready: dict[str, list[int]] = {pool: [] for pool in self.pools}
        self.unfinished = self.ended = 0
        self._come(job for job in range(len(graph)) if self._there[job])

    # ── jobs come, go out, and end ──────────────────────────────────────────────────────────────────

    def _come(self, jobs: Iterable[int]) -> None:
        ended = []
        for job in jobs:
            self._there[job] = 1
            self.unfinished += 1
            self._latest[self.graph.signal[job]] = job
            if self._move_on(job):
                ended.append(self.graph.signal[job])
        self._settle(ended)

    def has_ready(self, pool: str) -> bool:
        """Whether any job of a pool could go out."""
        return bool(self._ready.get(pool))

    def candidates(self, pool: str, limit: int) -> Candidates:
        """The ready jobs of a pool, the most urgent first; taken out when looked at."""
        return Candidates(self._ready[pool], limit, self)

    def ready_job(self, job: int, after: str = "") -> ReadyJob:
        """A job as the engine's planning sees it."""
        graph = self.graph
        resources = self._resources[graph.request[job]]
        kind = graph.kinds[graph.kind[job]]
        return ReadyJob(job, "", 1, "", kind, self.attempts[job], {}, resources, "", after)

    def make_ready(self, job: int) -> None:
        """A job can go out."""
        self.state[job] = JobState.READY
        priority = self.graph.requests[self.graph.request[job]].resources.priority
        heapq.heappush(self._ready[self.pools[self.graph.request[job]]], (-priority << 40) | job)

    def mark_running(self, job: int) -> None:
        """A job has gone out."""
        self.state[job] = JobState.RUNNING
        self.attempts[job] += 1

    def take_back(self, job: int) -> None:
        """A job went out and was not begun: that was no attempt, and it waits as before."""
        self.attempts[job] -= 1
        self.state[job] = JobState.WAITING
        if self._move_on(job):
            self._settle([self.graph.signal[job]])

    def end(self, job: int, state: JobState) -> None:
        """A job has ended."""
        self.state[job] = state
        self._count_end()
        if state is JobState.DONE and job in self.graph.brings:
            self._come(self.graph.brings[job])
        self._settle([self.graph.signal[job]])

    def _count_end(self) -> None:
        self.unfinished -= 1
        self.ended += 1

    @property
    def ready(self) -> int:
        """How many jobs could go out."""
        return sum(map(len, self._ready.values()))

    # ── what that means to others ───────────────────────────────────────────────────────────────────

    def _move_on(self, job: int) -> bool:
        """Let a waiting job go where its parents let it; True where it is over."""
        quorum = self.graph.quorum[job]
        arrived, failed, stopped = self._counts
        state = next_state(
            waits=self.waits[job], arrived=arrived[job], failed=failed[job], stopped=stopped[job],
            quorum=None if quorum == NO_QUORUM else quorum, needs_parents=bool(self.graph.needs_parents[job]),
        )  # fmt: skip
        if state is JobState.READY:
            self.make_ready(job)
        elif state in FINISHED:
            self.state[job] = state
            self._count_end()
            return True
        return False

    def _settle(self, queue: list[int]) -> None:
        while queue:
            signal = queue.pop()
            how = None if self._settled[signal] else self._standing(self._latest[signal])
            if how is None:
                continue
            self._settled[signal] = 1
            for child in self.graph.children_of(signal):
                self.waits[child] -= 1
                self._counts[how][child] += 1
                if self._there[child] and self.state[child] == JobState.WAITING and self._move_on(child):
                    queue.append(self.graph.signal[child])
            for job in self.holders.get(signal, ()):
                self._holds[job] -= 1
                queue.append(self.graph.signal[job])

    def _standing(self, job: int) -> Outcome | None:
        if job < 0 or self.state[job] < JobState.DONE or self._holds.get(job):
            return None
        return outcome(JobState(self.state[job]), stops_children=job in self.graph.stops)

    def follower(self, job: ReadyJob) -> ReadyJob | None:
        """The one job that waits for this one and for nothing else, where there is exactly one."""
        child = self._follower(job.id)
        return None if child is None else self.ready_job(child, after=str(job.id))

    def _follower(self, job: int) -> int | None:
        graph = self.graph
        signal = graph.signal[job]
        start = graph.first_child[signal]
        if graph.first_child[signal + 1] != start + 1 or signal in self.holders or self._holds.get(job):
            return None
        child = graph.children[start]
        arrived_only = self.waits[child] == 1 and not self._counts[1][child] and not self._counts[2][child]
        same_pool = self.pools[graph.request[child]] == self.pools[graph.request[job]]
        waiting = self._there[child] and self.state[child] == JobState.WAITING
        if waiting and arrived_only and same_pool and graph.quorum[child] == NO_QUORUM:
            return child
        return None

    def tally(self) -> dict[str, int]:
        """How many jobs are in which state; those that never came to be are ``unborn``."""
        counts = {state.name.lower(): 0 for state in JobState} | {"unborn": 0}
        for there, state in zip(self._there, self.state, strict=True):
            counts[JobState(state).name.lower() if there else "unborn"] += 1
        return {name: count for name, count in counts.items() if count}


class Candidates(Sequence[ReadyJob]):
    """Ready jobs by urgency, taken out of their queue only as far as somebody looks.

    The engine reads a hundred for every chunk there is room for; a pool of 10,000 workers whose jobs are
    long takes one of them.
    """

    def __init__(self, queue: list[int], limit: int, board: Board) -> None:
        self._queue = queue
        self._length = min(len(queue), limit)
        self._board = board
        self._seen: list[tuple[int, ReadyJob]] = []

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> ReadyJob: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReadyJob]: ...
    def __getitem__(self, index: int | slice) -> ReadyJob | list[ReadyJob]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        if not -self._length <= index < self._length:
            raise IndexError(index)
        index %= self._length
        while len(self._seen) <= index:
            key = heapq.heappop(self._queue)
            self._seen.append((key, self._board.ready_job(key & _JOB)))
        return self._seen[index][1]

    def __iter__(self) -> Iterator[ReadyJob]:
        for index in range(self._length):
            yield self[index]

    def put_back(self, chosen: set[int]) -> None:
        """Return what was looked at and not chosen."""
        for key, job in self._seen:
            if job.id not in chosen:
                heapq.heappush(self._queue, key)
