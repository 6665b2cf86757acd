"""What a ledger tells of a whole campaign, gathered once for every form it is exported in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.inspect import fact
from zonemelt.workflows.provenance.lineage import circumstances, walk

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from zonemelt.workflows.provenance.lineage import Lineage


@dataclass
class Step:
    """A function that jobs of the campaign ran.

    Attributes:
        kind: module and name.
        sources: digests of the sources it had.
        jobs: ids of those jobs that ran.
    """

    kind: str
    sources: list[str] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A campaign as its ledger tells it.

    Attributes:
        lineage: all jobs; links lead to what a job comes from.
        steps: the functions, in the order in which they were first run.
        heads: what heads noted of themselves: user, host, site, code.
        said: digest → description of circumstances.
    """

    name: str
    version: str
    status: str
    created: float
    lineage: Lineage
    steps: list[Step]
    heads: list[dict[str, Any]]
    said: dict[str, dict[str, Any]]

    @property
    def start(self) -> float:
        """When the campaign was made."""
        return self.created

    @property
    def end(self) -> float:
        """When the last job ended."""
        return max((node.end or 0.0 for node in self.lineage.nodes.values()), default=0.0) or self.created

    @property
    def users(self) -> list[str]:
        """The accounts that drove the campaign."""
        return list(dict.fromkeys(str(head["user"]) for head in self.heads)) or ["unknown"]


def tell(connection: sqlite3.Connection, directory: Path) -> Told:
    """Read a campaign.

    Args:
        connection: its ledger.
        directory: where it is.

    Raises:
        CampaignError: the ledger is damaged.
    """
    ids = [row[0] for row in connection.execute("SELECT id FROM jobs ORDER BY id")]
    lineage = walk(connection, ids, "why")
    steps: dict[str, Step] = {}
    for node in lineage.nodes.values():
        if node.end is not None or node.made:
            steps.setdefault(node.kind, Step(node.kind)).jobs.append(node.id)
    for kind, digest in connection.execute("SELECT kind, digest FROM sources ORDER BY kind, digest"):
        if kind in steps:
            steps[kind].sources.append(digest)
    heads = connection.execute("SELECT time, data FROM events WHERE kind = 'started' ORDER BY id").fetchall()
    return Told(
        name=str(fact(connection, "name", "") or directory.resolve().name),
        version=fact(connection, "version", ""),
        status=fact(connection, "status", "new"),
        created=fact(connection, "created", 0.0),
        lineage=lineage,
        steps=list(steps.values()),
        heads=[{"time": at, **json.loads(data)} for at, data in heads],
        said=circumstances(connection),
    )


def iso(at: float) -> str:
    """A time as RO-Crate and PROV write it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
