"""Everything a report shows of a campaign, read from its directory once; it may run or have ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.inspect import Summary, fact, open_ledger, summarise
from zonemelt.workflows.engine.schema import SPEC_FILE
from zonemelt.workflows.report.reading.attempts import Attempts, read_attempts
from zonemelt.workflows.report.reading.outputs import Outputs, read_outputs
from zonemelt.workflows.report.reading.surroundings import Surroundings, read_surroundings
from zonemelt.workflows.report.reading.troubles import Troubles, read_troubles

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(kw_only=True)
class Gathered:
    """What is known.

    Attributes:
        summary: how it stands.
        attempts: of jobs.
        troubles: what failed, was tried again, or went wrong with the machine.
        outputs: what jobs returned.
        surroundings: software, machines, persons.
        spec: the campaign as it was resolved, as text; empty where a program started it.
        document: the same, read.
        began: when it was submitted, in seconds since the epoch; None of one that was not.
        ended: when the last job ended; None before.
        at: when this was read.
    """

    summary: Summary
    attempts: Attempts = field(default_factory=Attempts)
    troubles: Troubles = field(default_factory=Troubles)
    outputs: Outputs = field(default_factory=Outputs)
    surroundings: Surroundings = field(default_factory=Surroundings)
    spec: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    began: float | None = None
    ended: float | None = None
    at: float = field(default_factory=time.time)


def gather(directory: Path) -> Gathered:
    """Read a campaign.

    Args:
        directory: of the campaign.

    Raises:
        CampaignError: it is none, has not begun, may not be read, or its ledger is damaged.
    """
    import sqlite3

    from zonemelt.workflows.provenance.lineage import damaged

    with open_ledger(directory) as connection:
        try:
            began, ended = _times(connection)
            return Gathered(
                summary=summarise(directory, running=20, failures=20),
                attempts=read_attempts(connection),
                troubles=read_troubles(connection),
                outputs=read_outputs(connection, directory),
                surroundings=read_surroundings(connection),
                began=began or fact(connection, "created"),
                ended=ended,
                **_spec(directory),
            )
        except (sqlite3.DatabaseError, ValueError) as error:
            raise damaged(connection, error) from error


def _times(connection: Any) -> tuple[float | None, float | None]:
    (began,) = connection.execute("SELECT MIN(time) FROM events WHERE kind = 'submitted'").fetchone()
    (ended,) = connection.execute("SELECT MAX(time) FROM events WHERE kind IN ('done', 'failed')").fetchone()
    return began, ended


def _spec(directory: Path) -> dict[str, Any]:
    """The campaign's file, if it has one that can be read."""
    import yaml

    from zonemelt.plain_yaml import parse_yaml
    from zonemelt.tasks.store_specs import redact

    path = directory / SPEC_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        document = parse_yaml(text)
    except yaml.YAMLError:
        document = None
    # A report is handed around: the address of a store is shown without user and password.
    return {"spec": redact(text), "document": document if isinstance(document, dict) else {}}
