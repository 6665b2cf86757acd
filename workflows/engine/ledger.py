"""The ledger: the durable record of every job of a campaign, in one SQLite file.

One process writes it, the head; any number may read it meanwhile. Whatever belongs together (an output,
the state of its job, the jobs its response adds, the children it releases, the event) is one transaction.
No step looks at more than the jobs concerned: readiness is a counter, never a walk over the graph.

Two numbers of a row carry jobflow's dynamic graphs. ``waits`` counts the parents that have not *settled*.
A uuid settles when the job with its highest index is finished and ``holds`` is zero, the number of jobs
that its response brought and that its children wait for (the leaves of a detour, of a replacement).
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from zonemelt import __version__
from zonemelt.tasks.errors import CampaignError, InputError, LedgerVersionError
from zonemelt.tasks.sqlite import connect, create_collection, quote, upsert
from zonemelt.workflows.engine.resources import Resources, quorum_count, read_resources
from zonemelt.workflows.engine.states import (
    FINISHED,
    UNSUCCESSFUL,
    JobState,
    Outcome,
    next_state,
    outcome,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from zonemelt.workflows.engine.graph import JobRow

SCHEMA_VERSION = 1
FILE_NAME = "ledger.db"
OUTPUTS = "outputs"
BLOB_KEY = ("blob_uuid",)
HEAD_POOL = "@head"  # jobs that see the store run beside the head

_SCHEMA = """
CREATE TABLE campaign(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs(
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    state INTEGER NOT NULL,
    waits INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    stopped INTEGER NOT NULL,
    quorum INTEGER,
    holds INTEGER NOT NULL DEFAULT 0,
    stops INTEGER NOT NULL DEFAULT 0,
    needs_parents INTEGER NOT NULL,
    pool TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    origin INTEGER,
    resources TEXT,
    cache_key TEXT,
    body TEXT NOT NULL,
    UNIQUE(uuid, "index")
);
CREATE INDEX by_state ON jobs(state, pool, priority DESC, id);
CREATE INDEX by_cache_key ON jobs(cache_key) WHERE cache_key IS NOT NULL;
CREATE TABLE edges(
    parent TEXT NOT NULL, child INTEGER NOT NULL, kind INTEGER NOT NULL,
    PRIMARY KEY(parent, child, kind)
) WITHOUT ROWID;
CREATE INDEX by_child ON edges(child);
CREATE TABLE responses(job INTEGER PRIMARY KEY, response TEXT NOT NULL);
CREATE TABLE events(
    id INTEGER PRIMARY KEY, time REAL NOT NULL, job INTEGER, kind TEXT NOT NULL, data TEXT
);
CREATE INDEX by_job ON events(job) WHERE job IS NOT NULL;
CREATE TABLE outbox(job INTEGER PRIMARY KEY);
"""

WAITS_FOR = 0  # edges.kind: the child starts after the parent
HOLDS = 1  # edges.kind: the child, finished, does not settle before the parent

_INSERT_JOB = """INSERT INTO jobs(id, uuid, "index", name, kind, state, waits, arrived, failed, stopped,
    quorum, needs_parents, pool, priority, origin, resources, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class ReadyJob(NamedTuple):
    """A job that could be dispatched now."""

    id: int
    uuid: str
    index: int
    name: str
    kind: str
    attempts: int
    wanted: dict[str, Any]  # its manager_config
    resources: Resources  # the same, read
    body: str


class Ledger:
    """The ledger of one campaign directory, opened for writing.

    Args:
        directory: the campaign directory.
        pools: the pools of the site; the first is the default.
        mirrored: whether outputs also go to a store elsewhere (see :mod:`.mirror`).

    Raises:
        LedgerVersionError: it was written by another version of the schema.
    """

    def __init__(self, directory: Path, *, pools: Sequence[str] = ("cpu",), mirrored: bool = False) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self.pools = pools
        self.mirrored = mirrored
        self.connection = connect(self.path)
        self._last_id = 0
        self.unfinished = 0
        if not self.connection.execute("PRAGMA user_version").fetchone()[0]:
            with self.transaction():
                for statement in _SCHEMA.split(";\n"):
                    self.connection.execute(statement)
                create_collection(self.connection, OUTPUTS)
                self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                self.set("version", __version__)
                self.set("created", time.time())
        check_version(self.connection, self.path)
        self._last_id = self._value("SELECT COALESCE(MAX(id), 0) FROM jobs")
        self.unfinished = self._value(f"SELECT COUNT(*) FROM jobs WHERE state < {JobState.DONE:d}")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it; inside another transaction, a part that can be undone."""
        execute = self.connection.execute
        nested = self.connection.in_transaction
        before = self._last_id, self.unfinished
        execute("SAVEPOINT part" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            execute("RELEASE part" if nested else "COMMIT")
        except BaseException:
            self._last_id, self.unfinished = before
            if nested:
                execute("ROLLBACK TO part")
                execute("RELEASE part")
            elif self.connection.in_transaction:  # SQLite itself rolls back when the disk is full
                execute("ROLLBACK")
            raise

    def _value(self, sql: str, *arguments: Any) -> Any:
        row = self.connection.execute(sql, arguments).fetchone()
        return None if row is None else row[0]

    # ── facts about the campaign ────────────────────────────────────────────────────────────────────

    def set(self, key: str, value: Any) -> None:
        """Record a fact about the campaign."""
        self.connection.execute("INSERT OR REPLACE INTO campaign VALUES (?, ?)", (key, json.dumps(value)))

    def get(self, key: str, default: Any = None) -> Any:
        """A fact about the campaign."""
        value = self._value("SELECT value FROM campaign WHERE key = ?", key)
        return default if value is None else json.loads(value)

    def event(self, kind: str, job: int | None = None, **data: Any) -> None:
        """Append to the log of what happened."""
        self.connection.execute(
            "INSERT INTO events(time, job, kind, data) VALUES (?, ?, ?, ?)",
            (time.time(), job, kind, json.dumps(data, separators=(",", ":")) if data else None),
        )

    # ── jobs come in ────────────────────────────────────────────────────────────────────────────────

    def insert(self, rows: Collection[JobRow], *, origin: int | None = None) -> list[int]:
        """Add jobs; those that wait for nothing are ready at once.

        Args:
            rows: the jobs; parents may come after their children.
            origin: the job whose response brought them.

        Returns:
            Their ids, in the order of ``rows``.

        Raises:
            InputError: resources that cannot be read, or a pool the site does not have.
        """
        together = {row.uuid for row in rows}
        jobs: list[tuple[Any, ...]] = []
        edges: list[tuple[str, int, int]] = []
        over: list[str] = []
        ids: list[int] = []
        for row in rows:
            self._last_id += 1
            resources = read_resources(row.manager_config, where=f"job '{row.name}'")
            counts = [0, 0, 0]
            waits = 0
            for parent in row.parents:
                how = None if parent in together else self._standing(parent)
                if how is not False:
                    edges.append((parent, self._last_id, WAITS_FOR))
                if how is None:
                    waits += 1
                elif how is not False:
                    counts[how] += 1
            quorum = quorum_count(resources.quorum, len(row.parents)) if resources.quorum else None
            state = next_state(
                waits=waits,
                arrived=counts[Outcome.ARRIVED],
                failed=counts[Outcome.FAILED],
                stopped=counts[Outcome.STOPPED],
                quorum=quorum,
                needs_parents=row.needs_parents,
            )
            if state in FINISHED:
                over.append(row.uuid)
            else:
                self.unfinished += 1
            jobs.append(
                (
                    self._last_id, row.uuid, row.index, row.name, row.kind, int(state), waits, *counts,
                    quorum, row.needs_parents, self._pool(row, resources), resources.priority, origin,
                    json.dumps(row.manager_config) if row.manager_config else None, row.body,
                )
            )  # fmt: skip
            ids.append(self._last_id)
        self.connection.executemany(_INSERT_JOB, jobs)
        self.connection.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?)", edges)
        if over:
            self.settle(over)
        return ids

    def _pool(self, row: JobRow, resources: Resources) -> str:
        if row.expose_store:
            return HEAD_POOL
        if resources.pool and resources.pool not in self.pools:
            raise InputError(
                f"the site has no pool '{resources.pool}'",
                where=f"job '{row.name}' manager_config.pool",
                remedy=f"its pools are: {', '.join(self.pools)}",
            )
        return resources.pool or self.pools[0]

    def _standing(self, uuid: str) -> Outcome | bool | None:
        """How a uuid has settled; None while it has not; False where the ledger does not know it."""
        row = self.connection.execute(
            'SELECT state, holds, stops FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1',
            (uuid,),
        ).fetchone()
        if row is None:
            return False
        state, holds, stops = row
        if state < JobState.DONE or holds:
            return None
        return outcome(JobState(state), stops_children=bool(stops))

    # ── jobs go out ─────────────────────────────────────────────────────────────────────────────────

    def ready(self, pool: str, limit: int) -> list[ReadyJob]:
        """The jobs of a pool that could be dispatched now, the most urgent first."""
        rows = self.connection.execute(
            'SELECT id, uuid, "index", name, kind, attempts, resources, body FROM jobs'
            " WHERE state = ? AND pool = ? AND not_before <= ? ORDER BY priority DESC, id LIMIT ?",
            (int(JobState.READY), pool, time.time(), limit),
        )
        jobs = []
        for *fields, wanted, body in rows:
            config = json.loads(wanted) if wanted else {}
            jobs.append(ReadyJob(*fields, config, read_resources(config), body))
        return jobs

    def next_retry(self) -> float | None:
        """When the next job that rests before a retry may go, in seconds since the epoch."""
        return self._value("SELECT MIN(not_before) FROM jobs WHERE state = ?", int(JobState.READY))

    def mark_running(self, ids: Iterable[int]) -> None:
        """Note that jobs were dispatched."""
        self.connection.executemany(
            "UPDATE jobs SET state = ?, attempts = attempts + 1 WHERE id = ? AND state = ?",
            [(int(JobState.RUNNING), job, int(JobState.READY)) for job in ids],
        )

    def mark_ready(self, job: int, *, not_before: float = 0.0, counted: bool = True) -> None:
        """Give a running job back: it goes again, not before the given time.

        Args:
            job: its id.
            not_before: seconds since the epoch.
            counted: whether the attempt counts; False where it never started.
        """
        self.connection.execute(
            "UPDATE jobs SET state = ?, not_before = ?, attempts = attempts - ? WHERE id = ? AND state = ?",
            (int(JobState.READY), not_before, int(not counted), job, int(JobState.RUNNING)),
        )

    def end(self, job: int, state: JobState, *, stops: bool = False) -> bool:
        """Move a running job to a finished state.

        Returns:
            False where it was not running any more: somebody else's result came first.
        """
        done = self.connection.execute(
            "UPDATE jobs SET state = ?, stops = ? WHERE id = ? AND state = ?",
            (int(state), stops, job, int(JobState.RUNNING)),
        ).rowcount
        self.unfinished -= done
        return bool(done)

    def reset_running(self) -> int:
        """Make ready whatever was on its way when a head or its workers ended; returns how many."""
        return self.connection.execute(
            "UPDATE jobs SET state = ? WHERE state = ?",
            (int(JobState.READY), int(JobState.RUNNING)),
        ).rowcount

    # ── jobs release one another ────────────────────────────────────────────────────────────────────

    def hold(self, job: int, uuids: Iterable[str]) -> None:
        """Let the children of ``job`` wait for ``uuids`` as well."""
        pairs = [(uuid, job, HOLDS) for uuid in uuids]
        self.connection.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?)", pairs)
        self.connection.execute("UPDATE jobs SET holds = holds + ? WHERE id = ?", (len(pairs), job))

    def carry_over(self, old: int, new: int) -> None:
        """A replacement takes over what its predecessor's children wait for and were told."""
        self.connection.execute("UPDATE edges SET child = ? WHERE child = ? AND kind = ?", (new, old, HOLDS))
        self.connection.execute(
            "UPDATE jobs SET (holds, stops) = (SELECT holds, stops FROM jobs WHERE id = ?) WHERE id = ?",
            (old, new),
        )
        self.connection.execute("UPDATE jobs SET holds = 0 WHERE id = ?", (old,))

    def settle(self, uuids: Iterable[str]) -> None:
        """Release what waits for ``uuids``, as far as these have settled, and what that releases."""
        queue = list(uuids)
        while queue:
            changes: dict[int, list[int]] = {}
            held: dict[int, int] = {}
            for uuid in queue:
                how = self._standing(uuid)
                if how is None or how is False:
                    continue
                for child, kind in self.connection.execute(
                    "SELECT child, kind FROM edges WHERE parent = ?", (uuid,)
                ):
                    if kind == HOLDS:
                        held[child] = held.get(child, 0) + 1
                    else:
                        changes.setdefault(child, [0, 0, 0])[how] += 1
            queue = self._release(changes)
            for job, count in held.items():
                queue += self.connection.execute(
                    "UPDATE jobs SET holds = holds - ? WHERE id = ? RETURNING uuid", (count, job)
                ).fetchone()

    def _release(self, changes: dict[int, list[int]]) -> list[str]:
        """Count the settled parents of jobs and move those on that wait no more."""
        over: list[str] = []
        for child, (arrived, failed, stopped) in changes.items():
            row = self.connection.execute(
                "UPDATE jobs SET waits = waits - ?, arrived = arrived + ?, failed = failed + ?,"
                " stopped = stopped + ? WHERE id = ? AND state IN (?, ?)"
                " RETURNING uuid, state, waits, arrived, failed, stopped, quorum, needs_parents",
                (
                    arrived + failed + stopped, arrived, failed, stopped, child,
                    int(JobState.WAITING), int(JobState.HELD),
                ),
            ).fetchone()  # fmt: skip
            if row is None or row[1] == JobState.HELD:
                continue
            state = next_state(
                waits=row[2], arrived=row[3], failed=row[4], stopped=row[5],
                quorum=row[6], needs_parents=bool(row[7]),
            )  # fmt: skip
            if state is JobState.WAITING:
                continue
            self.connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (int(state), child))
            if state in FINISHED:
                self.unfinished -= 1
                over.append(row[0])
        return over

    def stop_all(self, state: JobState = JobState.STOPPED) -> int:
        """End every job that has not started; returns how many."""
        stopped = self.connection.execute(
            "UPDATE jobs SET state = ? WHERE state IN (?, ?, ?)",
            (int(state), int(JobState.WAITING), int(JobState.READY), int(JobState.HELD)),
        ).rowcount
        self.unfinished -= stopped
        return stopped

    # ── what a person asks for ──────────────────────────────────────────────────────────────────────

    def count(self, *states: JobState) -> int:
        """How many jobs are in one of the states."""
        return self._value(f"SELECT COUNT(*) FROM jobs WHERE state IN ({_numbers(states)})")

    def total(self) -> int:
        """How many jobs there are."""
        return self._value("SELECT COUNT(*) FROM jobs")

    def unsuccessful(self) -> int:
        """How many jobs are finished without an output."""
        return self.count(*UNSUCCESSFUL)

    def ids(self, states: Iterable[JobState]) -> list[int]:
        """The ids of the jobs in one of the states."""
        rows = self.connection.execute(f"SELECT id FROM jobs WHERE state IN ({_numbers(states)})")
        return [row[0] for row in rows]

    def family(self, job: int) -> set[int]:
        """A job and everything that depends on it."""
        rows = self.connection.execute(
            "WITH RECURSIVE family(id) AS (VALUES (?) UNION SELECT edges.child FROM family"
            " JOIN jobs ON jobs.id = family.id JOIN edges ON edges.parent = jobs.uuid AND edges.kind = ?)"
            " SELECT id FROM family",
            (job, WAITS_FOR),
        )
        return {row[0] for row in rows}

    def move(self, jobs: Iterable[int], old: Iterable[JobState], new: JobState) -> list[str]:
        """Move jobs that are in one of the ``old`` states to ``new``; returns their uuids."""
        moved = []
        for job in jobs:
            moved += self.connection.execute(
                f"UPDATE jobs SET state = ? WHERE id = ? AND state IN ({_numbers(old)}) RETURNING uuid",
                (int(new), job),
            ).fetchall()
        if new in FINISHED:
            self.unfinished -= len(moved)
        return [row[0] for row in moved]

    def revive(self, jobs: Iterable[int], old: Iterable[JobState]) -> int:
        """Let jobs in one of the ``old`` states wait again for what they wait for; returns how many."""
        jobs, old = list(jobs), frozenset(old)
        self.unfinished += sum(
            self.connection.execute(
                f"UPDATE jobs SET state = ? WHERE id = ? AND state IN ({_numbers(old & FINISHED)})",
                (int(JobState.WAITING), job),
            ).rowcount
            for job in jobs
        )
        self.move(jobs, old - FINISHED, JobState.WAITING)
        revived = [
            job for job in jobs
            if self._value("SELECT state FROM jobs WHERE id = ?", job) == JobState.WAITING
        ]  # fmt: skip
        for job in revived:
            self._recount(job)
        return len(revived)

    def _recount(self, job: int) -> None:
        """Set the counters of a waiting job from how its parents stand now."""
        parents = self.connection.execute(
            "SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR)
        ).fetchall()
        standings = [self._standing(parent) for (parent,) in parents]
        quorum, needs_parents = self.connection.execute(
            "SELECT quorum, needs_parents FROM jobs WHERE id = ?", (job,)
        ).fetchone()
        counts = {
            "waits": standings.count(None),
            "arrived": sum(s is Outcome.ARRIVED for s in standings),
            "failed": sum(s is Outcome.FAILED for s in standings),
            "stopped": sum(s is Outcome.STOPPED for s in standings),
        }
        state = next_state(**counts, quorum=quorum, needs_parents=bool(needs_parents))
        self.connection.execute(
            "UPDATE jobs SET state = ?, waits = ?, arrived = ?, failed = ?, stopped = ?, not_before = 0"
            " WHERE id = ?",
            (int(state), *counts.values(), job),
        )
        if state in FINISHED:
            self.unfinished -= 1

    # ── what was computed ───────────────────────────────────────────────────────────────────────────

    def output_of(self, uuid: str) -> str | None:
        """The document (JSON) of the latest output of a uuid."""
        return self._value(f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', uuid)

    def record_output(self, job: int, uuid: str, index: int, document: str) -> None:
        """Keep an output document, once and for all."""
        upsert(self.connection, OUTPUTS, [(uuid, index, document)])
        if self.mirrored:
            self.connection.execute("INSERT OR IGNORE INTO outbox VALUES (?)", (job,))

    def record_blobs(self, store: str, documents: Iterable[str]) -> None:
        """Keep documents of an additional store."""
        collection = additional_collection(store)
        create_collection(self.connection, collection, key=BLOB_KEY)
        rows = [(json.loads(text)["blob_uuid"], text) for text in documents]
        upsert(self.connection, collection, rows, key=BLOB_KEY)

    def blob(self, store: str, blob_uuid: str) -> str | None:
        """A document of an additional store."""
        try:
            return self._value(
                f"SELECT doc FROM {quote(additional_collection(store))} WHERE blob_uuid = ?",
                blob_uuid,
            )
        except sqlite3.OperationalError:  # no such table: nothing was ever put there
            return None

    def failures(self, job: int, cause: str) -> int:
        """How often an attempt of a job failed for a cause and was granted another."""
        return self._value(
            "SELECT COUNT(*) FROM events WHERE job = ? AND kind = 'retry'"
            " AND json_extract(data, '$.cause') = ?"
            " AND id > COALESCE((SELECT MAX(id) FROM events WHERE job = ? AND kind = 'resubmitted'), 0)",
            job, cause, job,
        )  # fmt: skip


def _numbers(states: Iterable[JobState]) -> str:
    return ",".join(str(int(state)) for state in states)


def additional_collection(store: str) -> str:
    """The collection that stands for an additional store."""
    return f"additional.{store}"


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a ledger that another version of the schema wrote.

    Raises:
        LedgerVersionError: naming both versions.
        CampaignError: it is no ledger at all.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        raise CampaignError("this is not a ledger", where=str(path), remedy="name a campaign directory")
    if found != SCHEMA_VERSION:
        raise LedgerVersionError(
            f"the ledger has schema {found}, this zonemelt ({__version__}) reads {SCHEMA_VERSION}",
            where=str(path),
            remedy="go on with the zonemelt that wrote it (`zonemelt status` of that version names it)",
        )
