"""Which jobs a job comes from, and which come from it: one walk in the ledger, whatever its size.

A job comes from the jobs whose outputs it refers to or waits for, and from the job whose response brought it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.engine.resources import read_resources
from zonemelt.workflows.engine.schema import WAITS_FOR
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

Direction = Literal["why", "uses"]

# The walk goes over ids: a chain of 100,000 jobs is one statement, too.
_WALKS: dict[Direction, str] = {
    "why": f"""WITH RECURSIVE found(id) AS (
        SELECT value FROM json_each(?)
        UNION SELECT parent.id FROM found JOIN edges ON edges.child = found.id AND edges.kind = {WAITS_FOR}
            JOIN jobs AS parent ON parent.uuid = edges.parent
        UNION SELECT child.origin FROM found JOIN jobs AS child ON child.id = found.id
            WHERE child.origin IS NOT NULL)
        SELECT id FROM found""",
    "uses": f"""WITH RECURSIVE found(id) AS (
        SELECT value FROM json_each(?)
        UNION SELECT edges.child FROM found JOIN jobs AS parent ON parent.id = found.id
            JOIN edges ON edges.parent = parent.uuid AND edges.kind = {WAITS_FOR}
        UNION SELECT brought.id FROM found JOIN jobs AS brought ON brought.origin = found.id)
        SELECT id FROM found""",
}


@dataclass(slots=True)
class Node:
    """A job as it stands in a lineage.

    Attributes:
        run_s: seconds that its attempts ran, all of them.
        node_hours: what they took of nodes: a job that shares a node with other workers takes its share.
        retries: attempts that failed.
        joules: its share of what its nodes used; None where the machine does not say it.
        start: when its last attempt began, in seconds since the epoch.
        end: when that ended.
        host: where.
        made: digest of its output document.
        under: digest of what it ran under.
    """

    id: int
    uuid: str
    index: int
    name: str
    kind: str
    state: str
    run_s: float = 0.0
    node_hours: float = 0.0
    retries: int = 0
    joules: float | None = None
    start: float | None = None
    end: float | None = None
    host: str = ""
    made: str = ""
    under: str = ""


@dataclass
class Lineage:
    """Jobs and how they come from one another.

    Attributes:
        roots: the jobs that were asked for.
        nodes: all jobs of the lineage by their ids.
        links: id → ids of the next ones in the direction asked: parents for why, children for uses.
    """

    roots: list[int]
    nodes: dict[int, Node]
    links: dict[int, list[int]] = field(default_factory=dict)

    def totals(self) -> dict[str, Any]:
        """What the whole lineage took."""
        joules = [node.joules for node in self.nodes.values() if node.joules is not None]
        return {
            "jobs": len(self.nodes),
            "run_s": sum(node.run_s for node in self.nodes.values()),
            "node_hours": sum(node.node_hours for node in self.nodes.values()),
            "retries": sum(node.retries for node in self.nodes.values()),
            "kwh": sum(joules) / 3.6e6 if joules else None,
        }


def walk(connection: sqlite3.Connection, roots: Iterable[int], direction: Direction) -> Lineage:
    """The lineage of jobs.

    Args:
        connection: the ledger.
        roots: ids.
        direction: ``why`` for what they come from, ``uses`` for what comes from them.

    Raises:
        CampaignError: the ledger is damaged.
    """
    roots = list(roots)
    try:
        return _walk(connection, roots, direction)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise damaged(connection, error) from error


def damaged(connection: sqlite3.Connection, error: Exception) -> CampaignError:
    """The error of a ledger that cannot be read."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return CampaignError(
        f"the ledger is damaged: {error}",
        where=str(path),
        remedy="restore it from a copy or a crate; `sqlite3 ledger.db .recover` saves what can be read",
    )


def _walk(connection: sqlite3.Connection, roots: list[int], direction: Direction) -> Lineage:
    reached = [row[0] for row in connection.execute(_WALKS[direction], (json.dumps(roots),))]
    chosen = json.dumps(reached)
    inside = "IN (SELECT value FROM json_each(?))"
    rows = connection.execute(
        f'SELECT id, uuid, "index", name, kind, state, origin, resources FROM jobs WHERE id {inside}',
        (chosen,),
    ).fetchall()
    nodes: dict[int, Node] = {}
    shares: dict[int, float] = {}
    latest: dict[str, int] = {}
    origins: list[tuple[int, int]] = []
    states = {int(state): state.name.lower() for state in JobState}
    for job, uuid, index, name, kind, state, origin, resources in sorted(rows):
        nodes[job] = Node(job, uuid, index, name, kind, states[state])
        shares[job] = _nodes_of(resources)
        if uuid not in latest or nodes[latest[uuid]].index < index:
            latest[uuid] = job
        if origin is not None and origin in nodes:
            origins.append((origin, job))
    lineage = Lineage(roots, nodes)
    pairs = connection.execute(
        f"SELECT parent, child FROM edges WHERE kind = {WAITS_FOR} AND child {inside}", (chosen,)
    )
    # References read the output with the highest index; how that came about is told by the origins.
    links = [(latest[uuid], child) for uuid, child in pairs if uuid in latest and child in nodes]
    for parent, child in sorted({*links, *origins}):
        start, end = (child, parent) if direction == "why" else (parent, child)
        lineage.links.setdefault(start, []).append(end)
    _add_costs(connection, lineage, shares, chosen)
    return lineage


def _nodes_of(resources: str | None) -> float:
    """Nodes that a job takes; below zero the workers of a node whose place it takes."""
    if not resources:
        return -1.0
    asked = read_resources(json.loads(resources))
    return float(asked.nodes) if asked.nodes > 1 else -float(asked.slots)


def _add_costs(
    connection: sqlite3.Connection, lineage: Lineage, shares: dict[int, float], chosen: str
) -> None:
    workers = workers_per_node(connection)
    rows = connection.execute(
        "SELECT job, kind, data FROM events WHERE job IN (SELECT value FROM json_each(?))"
        " AND kind IN ('done', 'failed', 'retry')",
        (chosen,),
    )
    for job, kind, text in rows:
        node, said = lineage.nodes[job], orjson.loads(text) if text else {}
        node.retries += kind != "done"
        if "reused" in said or "start" not in said:
            node.made = said.get("made", node.made)
            continue
        seconds = said["end"] - said["start"]
        share = shares[job]
        share = share if share > 0 else min(1.0, -share / workers.get(said.get("under", ""), 1))
        node.run_s += seconds
        node.node_hours += seconds * share / 3600
        node.start, node.end, node.host = said["start"], said["end"], said.get("host", "")
        node.under = said.get("under", "")
        node.made = said.get("made", node.made)
        if "joules" in said:
            node.joules = (node.joules or 0.0) + said["joules"] * share


def circumstances(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Digest → description of what jobs ran under; empty in a ledger from before they were noted."""
    try:
        rows = connection.execute("SELECT digest, kind, description FROM circumstances").fetchall()
    except sqlite3.OperationalError:
        return {}
    return {digest: {"kind": kind, **orjson.loads(text)} for digest, kind, text in rows}


def workers_per_node(connection: sqlite3.Connection) -> dict[str, int]:
    """How many workers shared a node, by the digest of the circumstances of jobs."""
    said = circumstances(connection)
    found = {}
    for digest, each in said.items():
        if each["kind"] == "job":
            count = said.get(each["allocation"], {}).get("PARSL_WORKER_COUNT", "1")
            found[digest] = max(1, int(count)) if count.isdigit() else 1
    return found
