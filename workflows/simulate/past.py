"""What an earlier campaign teaches: how long its jobs took, and the graph that it grew into."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.resources import read_resources
from zonemelt.workflows.engine.schema import HEAD_POOL, HOLDS, WAITS_FOR
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.simulate.amounts import Amount
from zonemelt.workflows.simulate.graph import GraphBuilder
from zonemelt.workflows.simulate.times import Times

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from zonemelt.workflows.simulate.graph import Graph

_MOST = 1000  # measured durations kept of each kind


@dataclass(frozen=True, kw_only=True)
class Past:
    """A campaign that ran.

    Attributes:
        graph: its jobs, those that came while it ran included, in the order in which they came.
        seconds: what each of them took the last time it was tried, [J]; 0 where it never was.
        begun: s from when its head began until its first job did: its workers came up meanwhile.
        makespan: s from when its head began to the end of its last job.
        heads: how many drove it; of more than one the times tell little.
    """

    graph: Graph
    seconds: array[float]
    begun: float
    makespan: float
    heads: int


def times_of(directory: Path) -> Times:
    """The durations of a campaign's jobs by kind: those measured, up to a thousand of each.

    Raises:
        CampaignError: it is no campaign, or no job of it is done.
    """
    with open_ledger(directory) as connection:
        found: dict[str, list[float]] = {}
        for kind, seconds in connection.execute(
            "SELECT jobs.kind, json_extract(data, '$.end') - json_extract(data, '$.start') FROM events"
            " JOIN jobs ON jobs.id = events.job WHERE events.kind = 'done'"
            " AND json_extract(data, '$.start') IS NOT NULL AND json_extract(data, '$.reused') IS NULL"
            " ORDER BY events.id"
        ):
            found.setdefault(kind, []).append(max(0.0, seconds))
    if not found:
        raise CampaignError(
            "none of its jobs is done, so it has no durations",
            where=str(directory),
            remedy="name a campaign that ran, or a YAML file of durations",
        )
    kinds = {kind: Amount(tuple(seconds[:: -(-len(seconds) // _MOST)])) for kind, seconds in found.items()}
    return Times(kinds=kinds, source=f"the ledger of {directory.name}")


def brought_by_kind(directory: Path) -> dict[str, tuple[int, int]]:
    """Kinds whose jobs brought others → how many of them there were, and how many they brought in all."""
    with open_ledger(directory) as connection:
        rows = connection.execute(
            "SELECT one.kind, COUNT(DISTINCT one.id), COUNT(*) FROM jobs AS other"
            " JOIN jobs AS one ON one.id = other.origin GROUP BY one.kind"
        ).fetchall()
    return {kind: (bringers, brought) for kind, bringers, brought in rows}


def read_past(directory: Path) -> Past:
    """Read a whole campaign.

    Raises:
        CampaignError: it is no campaign.
    """
    with open_ledger(directory) as connection:
        jobs = connection.execute(
            "SELECT id, uuid, name, kind, state, pool, stops, needs_parents, origin, resources FROM jobs"
            " ORDER BY id"
        ).fetchall()
        edges = connection.execute("SELECT parent, child, kind FROM edges").fetchall()
        times = _attempts(connection)
        heads = [
            at for (at,) in connection.execute("SELECT time FROM events WHERE kind = 'head' ORDER BY id")
        ]
    builder = GraphBuilder()
    signals: dict[str, int] = {}
    for row in jobs:
        if row[1] not in signals:
            signals[row[1]] = builder.new_signal()
    after: dict[int, list[int]] = {}
    for parent, child, kind in edges:
        if kind == WAITS_FOR and parent in signals:
            after.setdefault(child, []).append(signals[parent])
    numbers: dict[int, int] = {}
    seconds = array("d")
    for job, uuid, name, kind, state, pool, stops, needs_parents, origin, wanted in jobs:
        numbers[job] = builder.add(
            kind, after=after.get(job, ()), resources=read_resources(json.loads(wanted) if wanted else {}),
            signal=signals[uuid], name=name, needs_parents=bool(needs_parents),
            beside_head=pool == HEAD_POOL, origin=None if origin is None else numbers[origin],
        )  # fmt: skip
        builder.mark(numbers[job], stops=bool(stops), fails=state == JobState.FAILED)
        start, end = times.get(job, (0.0, 0.0))
        seconds.append(max(0.0, end - start))
    for parent, child, kind in edges:
        if kind == HOLDS and parent in signals:
            builder.hold(numbers[child], signals[parent])
    began = heads[0] if heads else 0.0
    starts, ends = [start for start, _ in times.values()], [end for _, end in times.values()]
    return Past(
        graph=builder.graph(),
        seconds=seconds,
        begun=min(starts, default=began) - began,
        makespan=max(ends, default=began) - began,
        heads=len(heads),
    )


def _attempts(connection: sqlite3.Connection) -> dict[int, tuple[float, float]]:
    """Job → when its last attempt began and ended."""
    rows = connection.execute(
        "SELECT job, json_extract(data, '$.start'), json_extract(data, '$.end') FROM events"
        " WHERE kind IN ('done', 'failed') AND json_extract(data, '$.start') IS NOT NULL"
        " AND json_extract(data, '$.reused') IS NULL ORDER BY id"
    )
    return {job: (start, end) for job, start, end in rows}
