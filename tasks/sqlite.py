"""SQLite connections and collections: what the ledger and the store share in one file.

A *collection* is a table of JSON documents: ``id`` (order of arrival), one column per field of its
key, and ``doc`` (the document as standard-library JSON text). Job outputs have the key
``("uuid", "index")``, so that any program can read them::

    CREATE TABLE "outputs" (id INTEGER PRIMARY KEY, "uuid", "index", doc TEXT NOT NULL,
                            UNIQUE ("uuid", "index"))

The functions here neither begin nor commit: they join the transaction of their caller.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from zonemelt.tasks.errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OUTPUT_KEY: Final = ("uuid", "index")
"""The key of a collection of job outputs: a job's uuid and the index of its run."""

BUSY_SECONDS: Final = 30.0
"""How long a writer waits for another one before it gives up."""

LOCAL_FILE_SYSTEMS: Final = frozenset(
    [
        *("apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "nilfs2"),
        *("ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "xfs", "zfs"),
    ]
)
"""File systems of one host. WAL shares memory between processes, so it is safe on these only."""

JournalMode = Literal["wal", "truncate"]


def file_system(path: str | Path) -> str:
    """Name the type of the file system that holds ``path``, which need not exist yet.

    Returns:
        The type as the kernel names it (``ext4``, ``lustre``, ``nfs4``…), in lower case, or
        ``unknown`` where the mounts cannot be listed.
    """
    import psutil

    target = Path(path).resolve()
    try:
        mounts = psutil.disk_partitions(all=True)
    except (OSError, RuntimeError):
        return "unknown"
    # Of two mounts at one point the later one covers the earlier: max() keeps the first of equals.
    holding = [m for m in reversed(mounts) if target.is_relative_to(m.mountpoint)]
    if not holding:
        return "unknown"
    return str(max(holding, key=lambda m: len(Path(m.mountpoint).parts)).fstype).lower()


def journal_mode(path: str | Path) -> JournalMode:
    """Choose the journal of a database: WAL on a local disk, TRUNCATE on anything shared.

    WAL lets readers work while one process writes, and commits in tens of microseconds, but needs
    memory shared between all users of the file. Network and parallel file systems (NFS, Lustre,
    GPFS, BeeGFS, CIFS, FUSE…), and those we do not know, get the rollback journal.
    """
    return "wal" if file_system(path) in LOCAL_FILE_SYSTEMS else "truncate"


def connect(
    path: str | Path, *, read_only: bool = False, check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open a database in autocommit mode: the caller says ``BEGIN IMMEDIATE`` and ``COMMIT``.

    Args:
        path: the database file; created unless ``read_only``.
        read_only: refuse every write (``status`` while a head is running).
        check_same_thread: as in :func:`sqlite3.connect`.

    Raises:
        StoreError: the file cannot be opened, or is not a database.
    """
    path = Path(path).absolute()
    uri = f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}"
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=check_same_thread,
        )
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        if read_only:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        else:
            _set_journal_mode(connection, journal_mode(path))
            connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    return connection


class Connections:
    """One connection to a database per thread and process, opened when first asked for.

    Args:
        path: the database file.
        read_only: refuse every write.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._open: dict[tuple[int, int], sqlite3.Connection] = {}

    def get(self) -> sqlite3.Connection:
        """Return the connection of this thread of this process (a fork gets its own)."""
        owner = (os.getpid(), threading.get_ident())
        if owner not in self._open:
            self._open[owner] = connect(self._path, read_only=self._read_only, check_same_thread=False)
        return self._open[owner]

    def close(self) -> None:
        """Close the connections of every thread, but never those of the process we forked from."""
        for owner in [owner for owner in self._open if owner[0] == os.getpid()]:
            self._open.pop(owner).close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, all or nothing; other writers wait.

        Raises:
            StoreError: another writer holds the database too long, the disk is full, or a unique index
                refuses a document.
        """
        connection = self.get()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already, a busy commit has not
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"a write failed: {error}",
                where=str(self._path),
                remedy="check free space, quota, unique indexes, and what else is writing to this file",
            ) from error


def _unusable(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(
        f"the database cannot be opened: {error}",
        where=str(path),
        remedy="check the directory, its permissions and free space, and that it is an SQLite file",
    )


def _set_journal_mode(connection: sqlite3.Connection, wanted: JournalMode) -> None:
    """Change the journal mode if needed, waiting for others (SQLite itself does not wait here)."""
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"others hold it, so its journal cannot become {wanted}")
        with suppress(sqlite3.OperationalError):  # locked
            if connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0] == wanted:
                return
        time.sleep(0.01)


def quote(name: str) -> str:
    """Quote a table or column name for SQL.

    Raises:
        InputError: the name is empty or holds a character other than letters, digits, ``_ . : -``.
    """
    if not re.fullmatch(r"[\w.:-]+", name):
        raise InputError(
            f"'{name}' cannot name a collection or a key",
            where="SQLite store",
            remedy="use letters, digits, '_', '.', ':' and '-'",
        )
    return f'"{name}"'


def create_collection(connection: sqlite3.Connection, name: str, *, key: Sequence[str] = OUTPUT_KEY) -> None:
    """Create the table of a collection unless it exists.

    A document that lacks a key field, or has something else than text or a number there, keeps
    NULL in that column, and NULLs are never equal: it is stored, but not unique.
    """
    columns = ", ".join(quote(field) for field in key)
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {quote(name)} "
        f"(id INTEGER PRIMARY KEY, {columns}, doc TEXT NOT NULL, UNIQUE ({columns}))"
    )


def collection_key(connection: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """Return the key fields of a collection, in order; empty if there is no such collection."""
    columns = connection.execute(f"PRAGMA table_info({quote(name)})").fetchall()
    return tuple(str(column[1]) for column in columns if column[1] not in {"id", "doc"})


@cache  # asked for with every output of every job
def upsert_statement(name: str, *, key: tuple[str, ...] = OUTPUT_KEY) -> str:
    """Return the SQL that inserts or replaces one document: parameters ``(*key, doc)``.

    A replaced document keeps its ``id``. The cost is logarithmic in the size of the collection.
    """
    columns = ", ".join(quote(field) for field in key)
    marks = ", ".join("?" for _ in key)
    return (
        f"INSERT INTO {quote(name)} ({columns}, doc) VALUES ({marks}, ?) "
        f"ON CONFLICT ({columns}) DO UPDATE SET doc = excluded.doc"
    )


def upsert(
    connection: sqlite3.Connection,
    name: str,
    rows: Iterable[Sequence[str | int | float]],
    *,
    key: tuple[str, ...] = OUTPUT_KEY,
) -> None:
    """Insert or replace documents inside the caller's transaction.

    Args:
        connection: an open connection, in a transaction.
        name: the collection, which exists.
        rows: one ``(*key values, doc)`` each, for outputs ``(uuid, index, doc)``; ``doc`` is the
            text of :func:`zonemelt.tasks.documents.dumps`.
        key: the key fields of the collection.
    """
    connection.executemany(upsert_statement(name, key=key), rows)
