"""Read-only questions to a ledger, while a head runs or not: how far a campaign is, what runs, what failed.

Nothing here imports jobflow, so that the answers come at once.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.engine.lock import head_is_alive, read_holder
from zonemelt.workflows.engine.present import begun_jobs, recent_rate, why_idle
from zonemelt.workflows.engine.schema import FILE_NAME, SPEC_FILE, check_version
from zonemelt.workflows.engine.states import FINISHED, UNFINISHED, JobState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


_SKEW = 5.0  # seconds by which the clocks of machines may differ


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """A job that a worker has begun.

    Attributes:
        since: when, in seconds since the epoch, by the clock of the file system.
        host: where; empty if unknown.
    """

    id: int
    name: str
    since: float
    host: str = ""
    pid: int = 0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that failed for good."""

    id: int
    name: str
    cause: str = ""
    error: str = ""
    message: str = ""
    time: float = 0.0

    @property
    def reason(self) -> str:
        """The error and the first line of its message."""
        first = self.message.strip().splitlines()[0] if self.message.strip() else ""
        return ": ".join(part for part in (self.error, first) if part) or self.cause


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How a campaign stands.

    Attributes:
        status: ``running``, ``paused``, ``cancelled``, ``finished`` or ``failed``, as last recorded;
            ``interrupted`` where it is recorded as running and no head drives it.
        counts: jobs by state, every state named.
        rate: jobs ended per second lately; None without a head or before the first result.
        seconds_left: at that rate, for the jobs known now; None without one.
        node_hours: allocated since the campaign began.
        undelivered: outputs that the store elsewhere does not have yet.
        head: ``pid``, ``host`` and ``since`` of the head that drives it, or None.
        running: jobs that workers have begun, the oldest first; not all of very many.
        failures: the latest failures.
        waits_for: why nothing, or nothing more, runs; empty while all is well.
        steered: what a person changed while it ran, the oldest first: ``values``, ``who`` and ``time``.
    """

    directory: str
    name: str
    status: str
    version: str
    created: float
    counts: dict[str, int]
    rate: float | None
    seconds_left: float | None
    node_hours: float
    undelivered: int
    head: dict[str, Any] | None
    running: list[RunningJob] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    waits_for: str = ""
    steered: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All jobs known now."""
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        """Jobs that came to an end, a good one or not."""
        return sum(self.counts[state.name.lower()] for state in FINISHED)

    @property
    def unfinished(self) -> int:
        """Jobs that have not."""
        return self.total - self.finished

    def count(self, *states: JobState) -> int:
        """How many jobs are in one of the states."""
        return sum(self.counts[state.name.lower()] for state in states)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {
            **asdict(self),
            "total": self.total,
            "finished": self.finished,
            "failures": [{**asdict(failure), "reason": failure.reason} for failure in self.failures],
        }


@contextmanager
def open_ledger(directory: str | Path) -> Iterator[sqlite3.Connection]:
    """The ledger of a campaign directory, opened for reading only.

    Raises:
        CampaignError: there is none.
        LedgerVersionError: another version of zonemelt wrote it.
    """
    path = Path(directory, FILE_NAME)
    try:
        path.stat()
    except PermissionError as error:
        raise CampaignError(
            f"it cannot be read: {error.strerror}",
            where=str(path),
            remedy="ask its owner for the rights to it",
        ) from error
    except OSError:
        pass  # said below
    if not path.exists() and Path(directory, SPEC_FILE).exists():
        raise CampaignError(
            "this campaign has not begun: it has no ledger yet",
            where=str(directory),
            remedy=f"`zonemelt resume {directory}` starts it, unless its head is just about to",
        )
    if not path.exists():
        raise CampaignError(
            "this is not a campaign directory: it has no ledger",
            where=str(directory),
            remedy="name a directory that `zonemelt run` or `zonemelt submit` made",
        )
    connection = connect(path, read_only=True)
    try:
        check_version(connection, path)
        yield connection
    finally:
        connection.close()


def fact(connection: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """A fact about the campaign."""
    row = connection.execute("SELECT value FROM campaign WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row[0])


def summarise(directory: str | Path, *, running: int = 10, failures: int = 5) -> Summary:
    """How a campaign stands; its cost hardly grows with the number of jobs.

    Args:
        directory: the campaign directory.
        running: how many running jobs to name at most.
        failures: how many failures to name at most.

    Raises:
        CampaignError: it is not a campaign directory.
    """
    directory = Path(directory)
    with open_ledger(directory) as connection:
        head = read_holder(directory) if head_is_alive(directory) else None
        counts = count_states(connection)
        status = fact(connection, "status", "new")
        if status == "running" and head is None:
            status = "interrupted"
        rate = recent_rate(connection, head["since"]) if head else None
        left = sum(counts[state.name.lower()] for state in UNFINISHED)
        begun = begun_jobs(directory, after=head["since"] - _SKEW) if head and counts["running"] else {}
        return Summary(
            directory=str(directory),
            name=fact(connection, "name", ""),
            status=status,
            version=fact(connection, "version", ""),
            created=fact(connection, "created", 0.0),
            counts=counts,
            rate=rate,
            seconds_left=left / rate if rate and left else None,
            node_hours=fact(connection, "node_hours", 0.0),
            undelivered=connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0],
            head=head,
            running=_running(connection, begun, running),
            failures=latest_failures(connection, failures),
            waits_for=why_idle(connection, counts, status, alive=head is not None, begun=len(begun)),
            steered=steering(connection) if fact(connection, "steered") else [],
        )


def steering(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What a person changed while the campaign ran, the oldest first: ``values``, ``who`` and ``time``."""
    rows = connection.execute("SELECT time, data FROM events WHERE kind = 'steered' ORDER BY id")
    return [{**json.loads(data), "time": at} for at, data in rows]


def count_states(connection: sqlite3.Connection) -> dict[str, int]:
    """Jobs by state, in the order of their life; every state is named."""
    found = dict(connection.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"))
    return {state.name.lower(): found.get(int(state), 0) for state in JobState}


def _running(
    connection: sqlite3.Connection, begun: dict[int, dict[str, Any]], limit: int
) -> list[RunningJob]:
    oldest = sorted(begun.items(), key=lambda item: item[1]["since"])
    found: list[RunningJob] = []
    for job, record in oldest:
        if len(found) == limit:
            break
        row = connection.execute("SELECT name, state FROM jobs WHERE id = ?", (job,)).fetchone()
        if row and row[1] == JobState.RUNNING:
            place = {"host": record.get("host", ""), "pid": record.get("pid", 0)}
            found.append(RunningJob(id=job, name=row[0], since=record["since"], **place))
    return found


def last_failure(connection: sqlite3.Connection, job: int, name: str) -> Failure:
    """How a job failed last."""
    row = connection.execute(
        "SELECT time, data FROM events WHERE job = ? AND kind = 'failed' ORDER BY id DESC LIMIT 1", (job,)
    ).fetchone()
    data = json.loads(row[1]) if row and row[1] else {}
    said = {key: str(data.get(key, "")) for key in ("cause", "error", "message")}
    return Failure(id=job, name=name, time=row[0] if row else 0.0, **said)


def latest_failures(connection: sqlite3.Connection, limit: int) -> list[Failure]:
    """The failed jobs that came last into the campaign."""
    rows = connection.execute(
        "SELECT id, name FROM jobs WHERE state = ? ORDER BY id DESC LIMIT ?", (int(JobState.FAILED), limit)
    ).fetchall()
    return [last_failure(connection, job, name) for job, name in rows]
