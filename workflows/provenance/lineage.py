"""Which jobs a job comes from, and which come from it: one walk in the ledger, whatever its size.

A job comes from the jobs whose outputs it refers to or waits for, and from the job whose response brought it.
"""

from __future__ import annotations

import gc
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

_FEW = 1000  # jobs up to which rows are looked up one by one
_FAR = 30  # and steps away from what was asked for
_STEPS: dict[Direction, str] = {
    "why": f"""SELECT parent.id FROM edges JOIN jobs AS parent ON parent.uuid = edges.parent
        WHERE edges.kind = {WAITS_FOR} AND edges.child IN (SELECT value FROM json_each(?))
        UNION SELECT origin FROM jobs WHERE origin IS NOT NULL AND id IN (SELECT value FROM json_each(?))
        LIMIT ?""",
    "uses": f"""SELECT edges.child FROM jobs AS parent JOIN edges ON edges.parent = parent.uuid
        WHERE edges.kind = {WAITS_FOR} AND parent.id IN (SELECT value FROM json_each(?))
        UNION SELECT id FROM jobs WHERE origin IS NOT NULL AND origin IN (SELECT value FROM json_each(?))
        LIMIT ?""",
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
    # To name most of the rows of a table takes longer than to read it.
    some = _Some(_few(connection, roots, direction))
    collecting = gc.isenabled()
    gc.disable()  # it would walk over everything that is read, again and again
    try:
        jobs = some.of(connection, 'SELECT id, uuid, "index", name, kind, state, origin FROM jobs', "id")
        links = _links(connection, some, jobs, _latest(jobs), direction)
        reached = _reached(roots, links)
        states = {int(state): state.name.lower() for state in JobState}
        nodes = {
            job: Node(job, uuid, index, name, kind, states[state])
            for job, uuid, index, name, kind, state, _ in jobs
            if job in reached
        }
        lineage = Lineage(roots, nodes, {job: links[job] for job in reached if job in links})
        _add_costs(connection, some, lineage)
        return lineage
    finally:
        if collecting:
            gc.enable()


def _few(connection: sqlite3.Connection, roots: list[int], direction: Direction) -> list[int] | None:
    """The jobs of a small lineage; None of one that is not small."""
    reached = set(roots)
    frontier = roots
    for _ in range(_FAR):
        if not frontier:
            return sorted(reached)
        step = json.dumps(frontier)
        found = {row[0] for row in connection.execute(_STEPS[direction], (step, step, _FEW))}
        frontier = sorted(found - reached)
        reached |= found
        if len(reached) >= _FEW:
            return None
    return None


class _Some:
    """Rows about some jobs, or about all of them."""

    def __init__(self, jobs: list[int] | None) -> None:
        self.names = None if jobs is None else json.dumps(jobs)

    def of(self, connection: sqlite3.Connection, select: str, column: str, where: str = "1") -> list[Any]:
        """The rows of a query whose column names one of the jobs."""
        if self.names is None:
            return connection.execute(f"{select} WHERE {where}").fetchall()
        inside = f"{column} IN (SELECT value FROM json_each(?))"
        return connection.execute(f"{select} WHERE {inside} AND {where}", (self.names,)).fetchall()


def _latest(jobs: list[tuple[Any, ...]]) -> dict[str, int]:
    """The job of each name that has the highest index."""
    found = {job[1]: job[0] for job in jobs}
    if len(found) < len(jobs):  # some name has several
        found = {job[1]: job[0] for job in sorted(jobs, key=lambda job: job[2])}
    return found


def _links(
    connection: sqlite3.Connection,
    some: _Some,
    jobs: list[tuple[Any, ...]],
    latest: dict[str, int],
    direction: Direction,
) -> dict[int, list[int]]:
    """The next jobs of each, in order: the one that brought it, and those whose output it waits for.

    References read the output with the highest index; how that came about is told by what brought it.
    """
    known = {job[0] for job in jobs}
    pairs = [(job[-1], job[0]) for job in jobs if job[-1] in known]
    edges = some.of(connection, "SELECT parent, child FROM edges", "child", f"kind = {WAITS_FOR}")
    found: dict[int, list[int]] = {}
    from_child, parent_of = direction == "why", latest.get
    for start, end in pairs:
        found.setdefault(end if from_child else start, []).append(start if from_child else end)
    for uuid, child in edges:  # of 10⁵ jobs; every name that is looked up here counts
        parent = parent_of(uuid)
        if parent is None:
            continue
        start, end = (child, parent) if from_child else (parent, child)
        if start in found:
            found[start].append(end)
        else:
            found[start] = [end]
    brought = {end if from_child else start for start, end in pairs}
    for job, others in found.items():
        if len(others) > 1:
            if job in brought:  # what brought a job may be waited for too
                others[:] = set(others)
            others.sort()
    return found


def _reached(roots: list[int], links: dict[int, list[int]]) -> set[int]:
    reached, frontier = set(roots), set(roots)
    while frontier:
        frontier = set().union(*[links[job] for job in frontier if job in links]) - reached
        reached |= frontier
    return reached


def node_shares(connection: sqlite3.Connection, some: _Some | None = None) -> dict[int, float]:
    """Nodes that jobs take; below zero the workers of a node whose place they take. -1 where it is not said.

    Args:
        connection: the ledger.
        some: of which jobs; None for all.
    """
    wanted = some or _Some(None)
    asking = wanted.of(connection, "SELECT id, resources FROM jobs", "id", "resources IS NOT NULL")
    return {job: _nodes_of(resources) for job, resources in asking}


def _nodes_of(resources: str) -> float:
    asked = read_resources(json.loads(resources))
    return float(asked.nodes) if asked.nodes > 1 else -float(asked.slots)


def _add_costs(connection: sqlite3.Connection, some: _Some, lineage: Lineage) -> None:
    workers = workers_per_node(connection)
    shares = node_shares(connection, some)
    rows = some.of(
        connection,
        "SELECT job, kind = 'done', data FROM events",
        "job",
        "kind IN ('done', 'failed', 'retry')",
    )
    node_of, loads = lineage.nodes.get, orjson.loads
    parts: dict[tuple[float, str], float] = {}
    for job, done, text in rows:  # of 10⁵ jobs, as above
        node = node_of(job)
        if node is None:
            continue
        said = loads(text) if text else {}
        if not done:
            node.retries += 1
        node.made = said.get("made", "")
        if "start" not in said or said["start"] is None or "reused" in said:
            continue
        node.start, node.end = start, end = said["start"], said["end"]
        if "host" in said:
            node.host = said["host"]
        node.under = under = said.get("under", "")
        share = shares.get(job, -1.0) if shares else -1.0
        part = parts.get((share, under))
        if part is None:
            part = parts[share, under] = share_of_node(share, workers.get(under, 1))
        node.run_s += end - start
        node.node_hours += (end - start) * part / 3600
        if "joules" in said:
            node.joules = (node.joules or 0.0) + said["joules"] * part


def share_of_node(share: float, workers: int) -> float:
    """Of the time of a node what a job takes; more than 1 where it has several.

    Args:
        share: see :func:`node_shares`.
        workers: that share the node.
    """
    return share if share >= 0 else min(1.0, -share / max(1, workers))


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
