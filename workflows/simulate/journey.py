"""A chunk on its way: what a worker does with it, one job after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from zonemelt.workflows.engine.results import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from zonemelt.workflows.engine.ledger import ReadyJob
    from zonemelt.workflows.engine.results import Chunk
    from zonemelt.workflows.simulate.blocks import Block
    from zonemelt.workflows.simulate.machine import Failures


class Attempt(NamedTuple):
    """What became of one job that was begun."""

    job: ReadyJob
    start: float
    end: float
    cause: Cause | None  # None: it succeeded


@dataclass(eq=False, slots=True)
class Journey:
    """A chunk that has gone out.

    Attributes:
        pool: where to.
        chunk: its name in the traffic.
        jobs: what it holds.
        attempts: what a worker does with it, once it has it.
        begun: when a worker took it; negative before.
        block: whose worker has it.
        lost: its block has ended before it could.
    """

    pool: str
    chunk: Chunk
    jobs: list[ReadyJob]
    attempts: list[Attempt] = field(default_factory=list)
    begun: float = -1.0
    block: Block | None = None
    lost: bool = False

    @property
    def end(self) -> float:
        """When its worker is through with it."""
        return self.attempts[-1].end

    def cut(self, time: float) -> None:
        """Its block ends: what had ended before is known, what ran is lost, the rest was not begun."""
        self.lost = True
        begun = [attempt for attempt in self.attempts if attempt.start <= time]
        self.attempts = [
            attempt if attempt.end <= time else attempt._replace(end=time, cause=Cause.INFRASTRUCTURE)
            for attempt in begun
        ]


class Chances:
    """What a worker meets with: durations that were drawn beforehand, failures that are drawn here.

    Args:
        seconds: of each job, [J].
        failures: how often attempts fail.
        fails: jobs that always do.
        overhead: s of the worker for each job.
        chance: where numbers are drawn from.
    """

    def __init__(
        self,
        seconds: Sequence[float],
        failures: Failures,
        fails: frozenset[int],
        *,
        overhead: float,
        chance: Random,
    ) -> None:
        self._seconds = seconds
        self._causes = {cause: p for cause, p in failures.attempts.items() if p > 0}
        self._fails = fails
        self._overhead = overhead
        self._chance = chance

    def run(self, journey: Journey, begin: float) -> None:
        """Let a worker take a chunk: it begins no further job once the chunk's budget of time is spent."""
        journey.begun = time = begin
        failed: set[str] = set()
        for job in journey.jobs:
            if journey.attempts and time - begin > journey.chunk.budget:
                break
            if job.after and job.after in failed:
                continue
            seconds, cause = self._attempt(job)
            start = time + self._overhead
            time = start + seconds
            journey.attempts.append(Attempt(job, start, time, cause))
            if cause is not None:
                failed.add(str(job.id))

    def _attempt(self, job: ReadyJob) -> tuple[float, Cause | None]:
        seconds: float = self._seconds[job.id]
        cause = Cause.APPLICATION if job.id in self._fails else None
        for one, probability in self._causes.items():
            if self._chance.random() < probability:
                seconds *= self._chance.random()
                cause = one
                break
        limit = job.resources.walltime
        return (limit, Cause.WALLTIME) if 0 < limit < seconds else (seconds, cause)
