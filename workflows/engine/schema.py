"""The tables of a ledger, and what every reader of one must know."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import orjson

from zonemelt import __version__
from zonemelt.tasks.errors import CampaignError, LedgerVersionError
from zonemelt.tasks.sqlite import connect, create_collection

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from zonemelt.workflows.engine.states import JobState

SCHEMA_VERSION = 1
FILE_NAME = "ledger.db"
SPEC_FILE = "campaign.yaml"  # beside it, where the campaign came from the command line
OUTPUTS = "outputs"
BLOB_KEY = ("blob_uuid",)
HEAD_POOL = "@head"  # jobs that see the store run beside the head

# What many jobs ran under, once: the events of jobs name it by its digest.
CIRCUMSTANCES = """CREATE TABLE IF NOT EXISTS circumstances(
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL)"""

# What a job is stays out of the row that says how it stands: the row of a job with 10,000 parents is written
# 10,000 times.
SCHEMA = """
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
    settled INTEGER NOT NULL DEFAULT 0,
    needs_parents INTEGER NOT NULL,
    pool TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    origin INTEGER,
    resources TEXT,
    UNIQUE(uuid, "index")
);
CREATE INDEX by_state ON jobs(state, pool, priority DESC, id);
CREATE TABLE sources(kind TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(kind, digest)) WITHOUT ROWID;
CREATE TABLE bodies(job INTEGER PRIMARY KEY, body TEXT NOT NULL);
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


def in_states(states: Iterable[JobState]) -> str:
    """SQL for the states, to follow ``state``."""
    return f"IN ({','.join(str(int(state)) for state in states)})"


def additional_collection(store: str) -> str:
    """The collection that stands for an additional store."""
    return f"{OUTPUTS}_{store}"


def pool_name(pool: str) -> str:
    """How people call a pool: the head itself runs small jobs, too."""
    return "head" if pool == HEAD_POOL else pool or "default"


def event_text(data: dict[str, Any]) -> str | None:
    """What an event says, as JSON; what no encoding has, half of a surrogate pair, becomes ``?``."""
    try:
        return orjson.dumps(data).decode() if data else None
    except TypeError:
        return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()


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


def make_empty(path: Path) -> None:
    """Make an empty ledger; it appears whole, so that nobody reads half of one."""
    new = path.with_suffix(".new")
    for left in new.parent.glob(f"{new.name}*"):  # by a head that was killed here
        left.unlink()
    connection = connect(new)
    connection.executescript(f"BEGIN; {SCHEMA} {CIRCUMSTANCES};")
    create_collection(connection, OUTPUTS)
    for key, value in {"version": __version__, "created": time.time()}.items():
        connection.execute("INSERT INTO campaign VALUES (?, ?)", (key, json.dumps(value)))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    connection.close()  # which also empties its log into it
    new.replace(path)
