"""Every attempt of every job of a campaign, in columns: when, where, how long it waited, what it took."""

# J attempts

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from zonemelt.workflows.engine.schema import WAITS_FOR, pool_name
from zonemelt.workflows.provenance.lineage import node_shares, share_of_node, workers_per_node

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

ENDS = ("done", "failed", "retry")


@dataclass
class Names:
    """Numbers for names."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str) -> int:
        """The number of a name, a new one for a new name."""
        return self.numbers.setdefault(name, len(self.numbers))

    @property
    def names(self) -> list[str]:
        """In the order of their numbers."""
        return list(self.numbers)


@dataclass
class Attempts:
    """Attempts that ran; those whose results were taken from elsewhere are only counted.

    Attributes:
        start: seconds since the epoch.
        end: likewise.
        waited: seconds from when the job could run to when it did; below zero where nobody knows.
        hours: node-hours: a job that shares a node with others takes its share.
        joules: its share of what its nodes used; NaN where the machine does not say it.
        step: number of the function in ``steps``.
        pool: number in ``pools``.
        worker: number in ``workers``: host and process.
        how: number in :data:`ENDS`.
        job: id.
        reused: results that were taken from an earlier campaign.
    """

    start: Any = field(default_factory=lambda: array("d"))
    end: Any = field(default_factory=lambda: array("d"))
    waited: Any = field(default_factory=lambda: array("d"))
    hours: Any = field(default_factory=lambda: array("d"))
    joules: Any = field(default_factory=lambda: array("d"))
    step: Any = field(default_factory=lambda: array("l"))
    pool: Any = field(default_factory=lambda: array("l"))
    worker: Any = field(default_factory=lambda: array("l"))
    how: Any = field(default_factory=lambda: array("l"))
    job: Any = field(default_factory=lambda: array("l"))
    steps: Names = field(default_factory=Names)
    pools: Names = field(default_factory=Names)
    workers: Names = field(default_factory=Names)
    reused: int = 0

    def __len__(self) -> int:
        return len(self.job)

    def column(self, name: str) -> NDArray[np.float64]:
        """A column (J,)."""
        import numpy as np

        kind = float if name in {"start", "end", "waited", "hours", "joules"} else int
        return np.array(getattr(self, name), dtype=kind)


def read_attempts(connection: sqlite3.Connection) -> Attempts:
    """Read the ledger once, event by event.

    Args:
        connection: of the ledger.
    """
    found = Attempts()
    jobs: dict[int, tuple[int, int]] = {}
    for job, kind, pool in connection.execute("SELECT id, kind, pool FROM jobs"):
        jobs[job] = found.steps(step_of(kind)), found.pools(pool_name(pool))
    ready = _Ready(connection)
    workers = workers_per_node(connection)
    shares = node_shares(connection)
    for at, job, kind, said in _events(connection):
        ready.ended(job, at)
        if job not in jobs or "start" not in said:
            found.reused += "reused" in said
            continue
        if "reused" in said:
            found.reused += 1
            continue
        share = share_of_node(shares.get(job, -1.0), workers.get(said.get("under", ""), 1))
        step, pool = jobs[job]
        found.start.append(said["start"])
        found.end.append(said["end"])
        first = said.get("attempt", 1) == 1
        found.waited.append(ready.waited(job, said["start"]) if first else -1.0)
        found.hours.append((said["end"] - said["start"]) * share / 3600)
        found.joules.append(said["joules"] * share if "joules" in said else float("nan"))
        found.step.append(step)
        found.pool.append(pool)
        found.worker.append(found.workers(f"{said.get('host', '')} {said.get('pid', '')}".strip()))
        found.how.append(ENDS.index(kind))
        found.job.append(job)
    return found


def _events(connection: sqlite3.Connection) -> Iterator[tuple[float, int, str, dict[str, Any]]]:
    rows = connection.execute(
        "SELECT time, job, kind, data FROM events WHERE kind IN ('done', 'failed', 'retry') ORDER BY id"
    )
    for at, job, kind, data in rows:
        yield at, job, kind, orjson.loads(data) if data else {}


class _Ready:
    """When jobs could run: their parents had ended, and what brought them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._ended: dict[int, float] = {}
        self._origin = dict(connection.execute("SELECT id, origin FROM jobs WHERE origin IS NOT NULL"))
        latest = dict(connection.execute("SELECT uuid, MAX(id) FROM jobs GROUP BY uuid"))
        self._parents: dict[int, list[int]] = {}
        for parent, child in connection.execute(f"SELECT parent, child FROM edges WHERE kind = {WAITS_FOR}"):
            if parent in latest:
                self._parents.setdefault(child, []).append(latest[parent])
        (first,) = connection.execute("SELECT MIN(time) FROM events").fetchone()
        self._first = first or 0.0

    def ended(self, job: int, at: float) -> None:
        self._ended[job] = at

    def waited(self, job: int, start: float) -> float:
        """Seconds; at least zero, for clocks differ."""
        before = [*self._parents.get(job, ()), *([self._origin[job]] if job in self._origin else ())]
        times = [self._ended[each] for each in before if each in self._ended]
        return float(max(0.0, start - max(times, default=self._first)))


def step_of(kind: str) -> str:
    """What a job does, from the name of its function: ``label`` of ``…label_job``, ``Static`` of a Maker."""
    *path, name = kind.split(".")
    if name == "make" and path:
        name = path[-1].removesuffix("Maker")
    return name.removesuffix("_job") or kind
