"""A ledger and what a head does with it, without workers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import commit_failure, commit_success
from zonemelt.workflows.engine.graph import JobRow
from zonemelt.workflows.engine.inspect import fact, open_ledger
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.schema import WAITS_FOR
from zonemelt.workflows.engine.settle import standing
from zonemelt.workflows.engine.states import (
    UNFINISHED,
    JobState,
    Outcome,
    next_state,
)

if TYPE_CHECKING:
    from pathlib import Path

S = JobState


def events(directory: Path, kind: str) -> list[dict[str, Any]]:
    """What the ledger of a campaign noted of a kind, the first first."""
    with closing(connect(directory / "ledger.db", read_only=True)) as connection:
        rows = connection.execute("SELECT data FROM events WHERE kind = ? ORDER BY id", (kind,)).fetchall()
    return [json.loads(data) if data else {} for (data,) in rows]


def fact_of(directory: Path, key: str) -> Any:
    """What the ledger of a campaign holds under a key; None where it has nothing, or is not there yet."""
    with suppress(ZonemeltError, sqlite3.Error), open_ledger(directory) as connection:
        return fact(connection, key)
    return None


def row(uuid: str, parents: list[str] = (), *, index: int = 1, needs: bool = True, **config: Any) -> JobRow:  # type: ignore[assignment]
    return JobRow(uuid, index, uuid, "module.function", "{}", list(parents), config, needs, False)


def success(
    job: int, uuid: str, index: int = 1, *, rows: dict[str, list[JobRow]] | None = None, **response: Any
) -> Any:
    result: dict[str, Any] = {
        "ok": True,
        "job": job,
        "attempt": 1,
        "uuid": uuid,
        "index": index,
        "start": 0.0,
        "end": 1.0,
        "document": json.dumps({"uuid": uuid, "index": index, "output": job}),
    }
    if response:
        result["response"] = response
    if rows:
        result["rows"] = rows
    return result


def failure(job: int, attempt: int = 1, cause: Cause = Cause.APPLICATION) -> Any:
    return {
        "ok": False,
        "job": job,
        "attempt": attempt,
        "start": 0.0,
        "end": 1.0,
        "cause": cause.value,
        "error": "RuntimeError",
        "message": "on purpose",
        "traceback": "",
    }


class Driver:
    """A ledger and what a head does with it, without workers."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.ledger = Ledger(directory, **options)

    def insert(self, *rows: JobRow) -> list[int]:
        with self.ledger.transaction():
            return self.ledger.insert(rows)

    def start(self, *uuids: str) -> None:
        ids = [job.id for job in self.ledger.ready("cpu", 1000) if job.uuid in uuids]
        assert len(ids) == len(uuids), "not ready"
        with self.ledger.transaction():
            self.ledger.mark_running(ids)

    def job(self, uuid: str) -> int:
        return self.ledger.connection.execute(
            'SELECT id FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', (uuid,)
        ).fetchone()[0]

    def attempts(self, job: int) -> int:
        return self.ledger.connection.execute("SELECT attempts FROM jobs WHERE id = ?", (job,)).fetchone()[0]

    def succeed(self, uuid: str, *, start: bool = True, **response: Any) -> None:
        if start:
            self.start(uuid)
        job = self.job(uuid)
        index = self.ledger.connection.execute('SELECT "index" FROM jobs WHERE id = ?', (job,)).fetchone()[0]
        with self.ledger.transaction():
            commit_success(self.ledger, success(job, uuid, index, **response))

    def fail(
        self,
        uuid: str,
        *,
        start: bool = True,
        policy: RetryPolicy | None = None,
        cause: Cause = Cause.APPLICATION,
    ) -> JobState:
        if start:
            self.start(uuid)
        with self.ledger.transaction():
            return commit_failure(
                self.ledger,
                failure(self.job(uuid), self.attempts(self.job(uuid)), cause),
                policy or RetryPolicy(),
            )

    def ask(self, verb: str, uuid: str | None = None) -> None:
        control.ask(self.ledger.directory, verb, job=None if uuid is None else self.job(uuid))
        control.obey(self.ledger)

    def states(self) -> dict[str, JobState]:
        rows = self.ledger.connection.execute('SELECT uuid, state FROM jobs ORDER BY uuid, "index"')
        return {uuid: JobState(state) for uuid, state in rows}

    def check(self) -> None:
        """The counters say what the edges say."""
        ledger, execute = self.ledger, self.ledger.connection.execute
        assert ledger.unfinished == ledger.count(*UNFINISHED)
        for job, waits, arrived, failed, stopped, quorum, needs in execute(
            "SELECT id, waits, arrived, failed, stopped, quorum, needs_parents FROM jobs"
            f" WHERE state = {S.WAITING:d}"  # those of held jobs are set when they are released
        ).fetchall():
            parents = execute(
                "SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR)
            ).fetchall()
            how = [standing(ledger, parent) for (parent,) in parents]
            assert (waits, arrived, failed, stopped) == tuple(how.count(o) for o in (None, *Outcome)), job
            following = next_state(
                waits=waits,
                arrived=arrived,
                failed=failed,
                stopped=stopped,
                quorum=quorum,
                needs_parents=needs,
            )
            assert following is S.WAITING, job
        for uuid, holds in execute("SELECT uuid, holds FROM jobs").fetchall():
            assert holds >= 0, uuid
