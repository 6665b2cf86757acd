"""Ask where something comes from (``why``) and what comes from it (``uses``)."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.provenance.identify import identify
from zonemelt.workflows.provenance.lineage import damaged, walk
from zonemelt.workflows.provenance.record import job_record

if TYPE_CHECKING:
    from zonemelt.workflows.provenance.identify import Meant
    from zonemelt.workflows.provenance.lineage import Direction, Lineage

_DESCRIBED = 20  # of several jobs that are meant, those that are described in full


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What ``why`` or ``uses`` found.

    Attributes:
        directory: of the campaign.
        direction: which of the two was asked.
        meant: what the ID stands for.
        lineage: the jobs, and how they come from one another.
        records: what is known of the jobs that were asked for.
    """

    directory: Path
    direction: Direction
    meant: Meant
    lineage: Lineage
    records: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {
            "directory": str(self.directory),
            "asked": self.direction,
            "id": self.meant.text,
            "kind": self.meant.kind,
            "roots": self.lineage.roots,
            "held_by": self.meant.holders,
            "records": self.records,
            "totals": self.lineage.totals(),
            "jobs": [asdict(node) for node in self.lineage.nodes.values()],
            "links": [[start, end] for start, ends in self.lineage.links.items() for end in ends],
        }


def why(directory: str | Path, text: str) -> Answer:
    """What something comes from: every job that had a part in it, with what it took.

    Args:
        directory: the campaign directory; a head may be driving it.
        text: an ID as :func:`.identify.identify` reads it.

    Raises:
        CampaignError: there is no campaign, or its ledger is damaged.
        InputError: nothing is called so.
    """
    return _ask(Path(directory), text, "why")


def uses(directory: str | Path, text: str) -> Answer:
    """What comes from something: every job whose result is void if it is wrong.

    Args:
        directory: the campaign directory; a head may be driving it.
        text: an ID as :func:`.identify.identify` reads it.

    Raises:
        CampaignError: there is no campaign, or its ledger is damaged.
        InputError: nothing is called so.
    """
    return _ask(Path(directory), text, "uses")


def _ask(directory: Path, text: str, direction: Direction) -> Answer:
    with open_ledger(directory) as connection:
        try:
            meant = identify(connection, directory, text)
            # What was given from outside is used by all that were given it.
            roots = meant.holders if direction == "uses" and meant.kind == "given" else meant.makers
            lineage = walk(connection, roots, direction)
            records = [job_record(connection, job) for job in roots[:_DESCRIBED]]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise damaged(connection, error) from error
    return Answer(directory=directory, direction=direction, meant=meant, lineage=lineage, records=records)
