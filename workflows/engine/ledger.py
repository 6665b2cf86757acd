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

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.sqlite import connect, create_collection, quote, upsert
from zonemelt.workflows.engine.resources import (
    Offer,
    Resources,
    WholeBlock,
    pool_for,
    quorum_count,
    read_resources,
)
from zonemelt.workflows.engine.schema import (
    BLOB_KEY,
    CIRCUMSTANCES,
    FILE_NAME,
    HEAD_POOL,
    OUTPUTS,
    WAITS_FOR,
    additional_collection,
    check_version,
    event_text,
    in_states,
    make_empty,
)
from zonemelt.workflows.engine.settle import recount, standing
from zonemelt.workflows.engine.states import (
    DISPATCHABLE,
    FINISHED,
    PENDING,
    UNFINISHED,
    JobState,
    Outcome,
    next_state,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from zonemelt.workflows.engine.graph import JobRow
    from zonemelt.workflows.engine.results import Result

_INSERT_JOB = """INSERT INTO jobs(id, uuid, "index", name, kind, state, waits, arrived, failed, stopped,
    quorum, needs_parents, pool, priority, origin, resources)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class ReadyJob(NamedTuple):
    """A job that could be dispatched now."""

    id: int
    uuid: str
    index: int  # type: ignore[assignment]  # tuple.index is not needed, jobflow's word is
    name: str
    kind: str
    attempts: int
    wanted: dict[str, Any]  # its manager_config
    resources: Resources  # the same, read
    body: str
    after: str = ""  # the uuid in its chunk that must have arrived before it begins


class Ledger:
    """The ledger of one campaign directory, opened for writing.

    Args:
        directory: the campaign directory.
        pools: the pools of the site, the first is the default; what their blocks offer, where it is known.
        mirrored: whether outputs also go to a store elsewhere (see :mod:`.mirror`).

    Raises:
        LedgerVersionError: it was written by another version of the schema.
        CampaignError: its file is a database, and no ledger.
        StoreError: its file is no database, or cannot be opened.
    """

    def __init__(
        self, directory: Path, *, pools: Mapping[str, Offer | None] | None = None, mirrored: bool = False
    ) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self._offers = pools or {"cpu": None}
        self.pools = tuple(self._offers)
        self._whole = {pool for pool, offer in self._offers.items() if offer and offer.whole_block}
        self.mirrored = mirrored
        if not self.path.exists():
            make_empty(self.path)
        self.connection = connect(self.path)
        check_version(self.connection, self.path)
        self.connection.execute(CIRCUMSTANCES)  # a ledger may be older than that table
        self.unfinished = 0
        self._last_id = self._value("SELECT COALESCE(MAX(id), 0) FROM jobs")
        self.unfinished = self.count(*UNFINISHED)

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

    def put(self, key: str, value: Any) -> None:
        """Record a fact about the campaign."""
        self.connection.execute("INSERT OR REPLACE INTO campaign VALUES (?, ?)", (key, json.dumps(value)))

    def get(self, key: str, default: Any = None) -> Any:
        """A fact about the campaign."""
        value = self._value("SELECT value FROM campaign WHERE key = ?", key)
        return default if value is None else json.loads(value)

    def event(self, kind: str, job: int | None = None, **data: Any) -> None:
        """Append to the log of what happened."""
        self.events(kind, [(job, data)])

    def events(self, kind: str, rows: Iterable[tuple[int | None, dict[str, Any]]]) -> None:
        """Append the same kind of event for many jobs; each row is a job and what there is to say."""
        now = time.time()
        self.connection.executemany(
            "INSERT INTO events(time, job, kind, data) VALUES (?, ?, ?, ?)",
            ((now, job, kind, event_text(data)) for job, data in rows),
        )

    # ── jobs come in ────────────────────────────────────────────────────────────────────────────────

    def insert(self, rows: Collection[JobRow], *, origin: int | None = None) -> list[int]:
        """Add jobs; those that wait for nothing are ready at once.

        Some may be over at once, because of how their parents ended: settle the rows afterwards.

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
        first = self._last_id + 1
        for row in rows:
            self._last_id += 1
            resources = read_resources(row.manager_config, where=f"job '{row.name}'")
            counts = [0, 0, 0]
            waits = 0
            for parent in row.parents:
                try:
                    how = None if parent in together else standing(self, parent)
                except KeyError:
                    continue  # of another campaign: its output is in the store, or it is missing
                edges.append((parent, self._last_id, WAITS_FOR))
                if how is None:
                    waits += 1
                else:
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
            self.unfinished += state not in FINISHED
            jobs.append(
                (
                    self._last_id, row.uuid, row.index, row.name, row.kind, int(state), waits, *counts,
                    quorum, row.needs_parents, self._pool(row, resources), resources.priority, origin,
                    json.dumps(row.manager_config) if row.manager_config else None,
                )
            )  # fmt: skip
        try:
            self.connection.executemany(_INSERT_JOB, jobs)
        except sqlite3.IntegrityError as error:
            raise InputError(
                "a job with the same uuid and index is in the campaign already",
                where=f"among {len(rows)} jobs, the first is '{next(iter(rows)).name}'",
                remedy="make a new job each time: a Job object belongs to one flow",
            ) from error
        bodies = zip(range(first, self._last_id + 1), (row.body for row in rows), strict=True)
        self.connection.executemany("INSERT INTO bodies VALUES (?, ?)", bodies)
        self.connection.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?)", edges)
        return list(range(first, self._last_id + 1))

    def _pool(self, row: JobRow, resources: Resources) -> str:
        if row.expose_store:
            return HEAD_POOL
        return pool_for(resources, self._offers, where=f"job '{row.name}' manager_config")

    # ── jobs go out ─────────────────────────────────────────────────────────────────────────────────

    def ready(self, pool: str, limit: int) -> list[ReadyJob]:
        """The jobs of a pool that could be dispatched now, the most urgent first."""
        return self.jobs(
            "state = ? AND pool = ? AND not_before <= ? ORDER BY priority DESC, id LIMIT ?",
            (int(JobState.READY), pool, time.time(), limit),
        )

    def jobs(self, where: str, arguments: tuple[Any, ...]) -> list[ReadyJob]:
        """The jobs that an SQL condition names, as they would be dispatched."""
        rows = self.connection.execute(
            'SELECT id, uuid, "index", name, kind, attempts, resources, pool, body FROM jobs'
            f" JOIN bodies ON bodies.job = jobs.id WHERE {where}",
            arguments,
        )
        jobs = []
        for job, uuid, index, name, kind, attempts, wanted, pool, body in rows:
            config = json.loads(wanted) if wanted else {}
            resources = read_resources(config)
            if pool in self._whole:
                resources = WholeBlock.of(resources)
            jobs.append(ReadyJob(job, uuid, index, name, kind, attempts, config, resources, body))
        return jobs

    def next_retry(self) -> float | None:
        """When the next job that rests before a retry may go, in seconds since the epoch."""
        at: float | None = self._value(
            "SELECT MIN(not_before) FROM jobs WHERE state = ?", int(JobState.READY)
        )
        return at

    def mark_running(self, ids: Iterable[int]) -> None:
        """Note that jobs were dispatched."""
        self.connection.execute(
            "UPDATE jobs SET state = ?, attempts = attempts + 1"
            f" WHERE id IN (SELECT value FROM json_each(?)) AND +state {in_states(DISPATCHABLE)}",
            (int(JobState.RUNNING), json.dumps(list(ids))),
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
            "UPDATE jobs SET state = ?, stops = MAX(stops, ?) WHERE id = ? AND state = ?",
            (int(state), stops, job, int(JobState.RUNNING)),
        ).rowcount
        self.unfinished -= done
        return bool(done)

    def reset_running(self) -> int:
        """Make ready whatever was on its way when a head or its workers ended; returns how many."""
        running = int(JobState.RUNNING)
        # Those that went along in a line may still have to wait, or be over with their parents.
        waiting = self.connection.execute(
            "UPDATE jobs SET state = ? WHERE state = ? AND waits + failed + stopped > 0 RETURNING id",
            (int(JobState.WAITING), running),
        ).fetchall()
        ready = self.connection.execute(
            "UPDATE jobs SET state = ? WHERE state = ?", (int(JobState.READY), running)
        ).rowcount
        recount(self, [job for (job,) in waiting])
        return ready + len(waiting)

    def stop_all(self, state: JobState = JobState.STOPPED) -> int:
        """End every job that has not started; returns how many."""
        stopped = self.connection.execute(
            f"UPDATE jobs SET state = ? WHERE state {in_states(PENDING)}", (int(state),)
        ).rowcount
        self.unfinished -= stopped
        return stopped

    # ── how many ────────────────────────────────────────────────────────────────────────────────────

    def count(self, *states: JobState) -> int:
        """How many jobs are in one of the states; of none given, how many there are."""
        where = f"WHERE state {in_states(states)}" if states else ""
        return int(self._value(f"SELECT COUNT(*) FROM jobs {where}"))

    def ids(self, *states: JobState) -> list[int]:
        """The ids of the jobs in one of the states."""
        return [
            row[0] for row in self.connection.execute(f"SELECT id FROM jobs WHERE state {in_states(states)}")
        ]

    def pools_wanted(self) -> set[str]:
        """The pools that unfinished jobs are for."""
        sql = f"SELECT DISTINCT pool FROM jobs WHERE state {in_states(UNFINISHED)}"
        return {row[0] for row in self.connection.execute(sql)} - {HEAD_POOL}

    # ── what was computed ───────────────────────────────────────────────────────────────────────────

    def output_of(self, uuid: str) -> str | None:
        """The document (JSON) of the latest output of a uuid."""
        text: str | None = self._value(
            f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', uuid
        )
        return text

    def record_outputs(self, rows: Iterable[tuple[int, str, int, str]]) -> None:
        """Keep output documents, once and for all: job, uuid, index and document of each."""
        rows = list(rows)
        upsert(self.connection, OUTPUTS, (row[1:] for row in rows))
        if self.mirrored:
            ids = ((row[0],) for row in rows)
            self.connection.executemany("INSERT OR IGNORE INTO outbox VALUES (?)", ids)

    def record_sources(self, results: Iterable[Result]) -> None:
        """Note which sources functions had."""
        rows = [result["source"] for result in results if "source" in result]
        self.connection.executemany("INSERT OR IGNORE INTO sources VALUES (?, ?)", rows)

    def record_circumstances(self, results: Iterable[Result]) -> None:
        """Keep what jobs ran under, once for all that ran under the same."""
        rows = [row for result in results for row in result.get("circumstances", ())]
        self.describe(rows)

    def describe(self, rows: Collection[Sequence[str]]) -> None:
        """Keep descriptions of circumstances: digest, kind and JSON of each."""
        if rows:
            self.connection.executemany("INSERT OR IGNORE INTO circumstances VALUES (?, ?, ?)", rows)

    def record_blobs(self, store: str, documents: Iterable[str]) -> None:
        """Keep documents of an additional store."""
        collection = additional_collection(store)
        create_collection(self.connection, collection, key=BLOB_KEY)
        rows = [(json.loads(text)["blob_uuid"], text) for text in documents]
        upsert(self.connection, collection, rows, key=BLOB_KEY)

    def blob(self, store: str, blob_uuid: str) -> str | None:
        """A document of an additional store."""
        try:
            text: str | None = self._value(
                f"SELECT doc FROM {quote(additional_collection(store))} WHERE blob_uuid = ?",
                blob_uuid,
            )
        except sqlite3.OperationalError:  # no such table: nothing was ever put there
            return None
        return text

    def failures(self, job: int, cause: str) -> int:
        """How often an attempt of a job failed for a cause and was granted another."""
        times: int = self._value(
            "SELECT COUNT(*) FROM events WHERE job = ? AND kind = 'retry'"
            " AND json_extract(data, '$.cause') = ?"
            " AND id > COALESCE((SELECT MAX(id) FROM events WHERE job = ? AND kind = 'resubmitted'), 0)",
            job, cause, job,
        )  # fmt: skip
        return times
