"""What a simulation found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POINTS = 400  # of a timeline, at most twice as many


class Moment(NamedTuple):
    """How things stood at one time."""

    time: float  # s since the start
    running: int  # workers with a job
    queued: int  # jobs that could run and do not
    nodes: int  # allocated
    ended: int  # jobs


class Timeline:
    """How things stood over time, in some hundred points however long it took."""

    def __init__(self) -> None:
        self.points: list[Moment] = []
        self.due = 0.0  # when the next point is wanted
        self._apart = 0.0

    def add(self, point: Moment) -> None:
        """Add a point; where there are too many, every other one goes."""
        self.points.append(point)
        if len(self.points) >= 2 * _POINTS:
            self._apart = 2 * self._apart or (point.time - self.points[0].time) / _POINTS
            kept: list[Moment] = []
            for one in self.points:
                if not kept or one.time - kept[-1].time >= self._apart:
                    kept.append(one)
            self.points = kept
        self.due = point.time + self._apart


@dataclass(frozen=True, kw_only=True)
class PoolOutcome:
    """What a pool did.

    Attributes:
        node_hours: allocated.
        utilisation: share of the workers' time in which they had jobs.
        blocks: how many there were.
        nodes_lost: how many nodes were lost.
        attempts: of jobs, those that failed included.
        job_hours: that jobs took, failed attempts included.
    """

    node_hours: float
    utilisation: float
    blocks: int
    nodes_lost: int
    attempts: int
    job_hours: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a campaign took.

    Attributes:
        status: ``finished``; ``paused``, its node-hours were spent; ``stuck``, what is left waits for one
            another; ``endless``, its blocks never lasted long enough.
        makespan: from the start to the last recorded result, s.
        states: how many jobs ended in which state.
        retries: cause → attempts that failed and were followed by another.
        pools: what each of them did.
        timeline: how things stood over time.
        events: of the simulation: its own cost.
    """

    status: str
    makespan: float
    states: Mapping[str, int]
    retries: Mapping[str, int]
    pools: Mapping[str, PoolOutcome]
    timeline: Sequence[Moment] = field(repr=False)
    events: int = 0

    @property
    def node_hours(self) -> float:
        """Allocated in all pools together."""
        return sum(pool.node_hours for pool in self.pools.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the timeline as columns."""
        plain = asdict(self)
        plain["timeline"] = {
            name: [point[i] for point in self.timeline] for i, name in enumerate(Moment._fields)
        }
        return plain
