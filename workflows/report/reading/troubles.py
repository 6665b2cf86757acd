"""What went wrong in a campaign: failures alike counted together, attempts again, troubles of machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.report.parts import first_line
from zonemelt.workflows.report.reading.attempts import step_of

if TYPE_CHECKING:
    import sqlite3

KINDS: Final = 50
"""Kinds of failure that are named."""
_HEAD_EVENTS = ("breakdown", "paused", "stuck", "asked", "steered", "resubmitted")
_EVENTS_KEPT = 100


@dataclass
class Alike:
    """Attempts that ended for one reason.

    Attributes:
        count: of attempts.
        over: of jobs that failed for good with it.
        job: id of the first of them, and its name.
    """

    step: str
    cause: str
    reason: str
    count: int = 0
    over: int = 0
    job: int = 0
    name: str = ""


@dataclass
class Troubles:
    """What went wrong.

    Attributes:
        alike: the most frequent first.
        kinds: how many kinds there are.
        causes: cause → attempts that ended with it.
        again: cause → attempts that were followed by another.
        lost_s: seconds that attempts ran which did not succeed.
        events: what the head noted of itself, of machines and of persons: time, what, words.
    """

    alike: list[Alike] = field(default_factory=list)
    kinds: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    lost_s: float = 0.0
    events: list[tuple[float, str, str]] = field(default_factory=list)


def read_troubles(connection: sqlite3.Connection) -> Troubles:
    """Read the ledger's events of failures.

    Args:
        connection: of the ledger.
    """
    found = Troubles()
    groups: dict[tuple[str, str, str], Alike] = {}
    rows = connection.execute(
        "SELECT events.kind, job, data, jobs.name, jobs.kind, jobs.state FROM events"
        " JOIN jobs ON jobs.id = job WHERE events.kind IN ('failed', 'retry') ORDER BY events.id"
    )
    for how, job, text, name, kind, state in rows:
        said = orjson.loads(text) if text else {}
        cause = str(said.get("cause") or "unknown")
        error, message = str(said.get("error") or ""), first_line(str(said.get("message") or ""))
        reason = ": ".join(part for part in (error, message) if part) or cause
        key = step_of(kind), cause, reason
        one = groups.setdefault(key, Alike(step=key[0], cause=cause, reason=reason, job=job, name=name))
        one.count += 1
        one.over += how == "failed" and state == JobState.FAILED
        found.causes[cause] += 1
        found.again[cause] += how == "retry"
        found.lost_s += said["end"] - said["start"] if "start" in said else 0.0
    found.kinds = len(groups)
    found.alike = sorted(groups.values(), key=lambda one: (-one.over, -one.count))[:KINDS]
    found.events = _events(connection)
    return found


def _events(connection: sqlite3.Connection) -> list[tuple[float, str, str]]:
    names = ",".join(f"'{kind}'" for kind in _HEAD_EVENTS)
    rows = connection.execute(
        f"SELECT time, kind, data, job FROM events WHERE kind IN ({names}) ORDER BY id DESC LIMIT ?",
        (_EVENTS_KEPT,),
    ).fetchall()
    return [
        (at, kind, _words(orjson.loads(data) if data else {}, job)) for at, kind, data, job in reversed(rows)
    ]


def _words(said: dict[str, Any], job: int | None) -> str:
    parts = [f"job {job}"] if job is not None else []
    for key, value in said.items():
        if isinstance(value, dict):
            parts += [f"{name} = {each}" for name, each in value.items()]
        else:
            parts.append(f"{key} {value}" if key in {"user", "who"} else str(value))
    return first_line(", ".join(parts))
