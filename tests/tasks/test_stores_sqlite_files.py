"""The file of a SQLite store: killed writers, many processes and threads, other people's connections."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from zonemelt.tasks import sqlite as module
from zonemelt.tasks.blobs import MARK, BlobDirectory, offload, put_json
from zonemelt.tasks.documents import dumps
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.sqlite import connect, create_collection, journal_mode, upsert
from zonemelt.tasks.sqlite_store import SQLiteStore


@pytest.fixture
def store(tmp_path):
    with SQLiteStore(tmp_path / "s.db", blobs=tmp_path / "blobs", key="uuid") as store:
        yield store


def rows(store: SQLiteStore) -> list[str]:
    return [text for (text,) in store._collection.execute("SELECT doc FROM outputs ORDER BY id")]


WRITER = """
import sys
from zonemelt.tasks import sqlite
from zonemelt.tasks.sqlite_store import SQLiteStore
path, first, last, step, mark = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
sqlite.journal_mode = lambda path: sys.argv[6]
store = SQLiteStore(path, key="uuid")
store.connect()
sys.stdin.readline()
for n in range(first, last, step):
    store.update({"uuid": str(n), "index": 1, "mark": mark, "pad": "x" * 300})
    print(n, flush=True)
"""


def writer(path: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(path), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class TestDurability:
    @pytest.mark.parametrize("mode", ["wal", "truncate"])
    def test_every_acknowledged_document_survives_kill_9(self, tmp_path, mode):
        process = writer(tmp_path / "s.db", 0, 10**6, 1, "a", mode)
        process.stdin.write("go\n")
        process.stdin.flush()
        acknowledged = [int(process.stdout.readline()) for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdin.close()
        process.stdout.close()
        with SQLiteStore(tmp_path / "s.db", key="uuid") as store:
            present = {int(n) for n in store.distinct("uuid")}
            assert set(acknowledged) <= present
            assert len(present) <= len(acknowledged) + 1
            assert store._collection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    @pytest.mark.parametrize("distinct", [True, False])
    @pytest.mark.parametrize("mode", ["wal", "truncate"])
    def test_two_writers_neither_lose_nor_duplicate(self, tmp_path, distinct, mode):
        path = tmp_path / "s.db"
        ranges = [(0, 300, 2), (1, 300, 2)] if distinct else [(0, 150, 1), (0, 150, 1)]
        processes = [writer(path, *r, name, mode) for r, name in zip(ranges, "ab", strict=True)]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        acknowledged = {int(n) for p in processes for n in p.communicate()[0].split()}
        assert [p.returncode for p in processes] == [0, 0]
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] in {mode, "delete"}
        connection.close()
        with SQLiteStore(path, key="uuid") as store:
            found = sorted(int(d["uuid"]) for d in store.query())
        assert found == list(range(300 if distinct else 150)) == sorted(acknowledged)

    def test_an_update_is_all_or_nothing(self, store):
        with pytest.raises(StoreError, match="lacks the key field 'uuid'"):
            store.update([{"uuid": "a", "index": 1}, {"index": 2}])
        with pytest.raises(StoreError, match="cannot be written as JSON"):
            store.update([{"uuid": "a", "index": 1, "x": 1j}])
        assert store.count() == 0


class TestFiles:
    def test_large_values_are_files_and_read_as_if_they_were_not(self, store):
        output = {"x": np.arange(2000.0), "e": -1.0}
        store.update({"uuid": "a", "index": 1, "output": output})
        assert len(rows(store)[0]) < 500
        assert MARK in rows(store)[0]
        assert store.query_one()["output"] == {"x": list(np.arange(2000.0)), "e": -1.0}
        assert store.count({"output.x.3": 3}) == 1
        assert store.count({"output.x": 1999}) == 1
        assert store.distinct("output.x", {"output.e": -1.0})[-1] == 1999
        assert store.query_one({}, ["output.x"])["output"]["x"][-1] == 1999
        assert store.query_one({}, {"output.e": 0})["output"]["x"][-1] == 1999
        assert next(store.query(sort={"output.x": 1}))["uuid"] == "a"

    def test_files_that_a_query_does_not_need_are_not_opened(self, store):
        store.update(
            {"uuid": "a", "index": 1, "output": {"x": np.arange(2000), "l": [np.arange(2000)], "e": 1}}
        )
        for path in Path(store.blobs).rglob("*.npy"):
            path.unlink()
        assert store.query_one({"output.e": {"$gt": 0}}, ["uuid", "output.e"], {"output.e": 1})["output"] == {
            "e": 1
        }
        assert store.distinct("output.e") == [1]
        with pytest.raises(StoreError, match="cannot be read"):
            store.query_one({"uuid": "a"})

    def test_documents_written_by_the_ledger(self, store):
        blobs = BlobDirectory(Path(store.blobs))
        reference = offload(np.arange(3000), blobs).as_dict()
        nested = put_json({"deep": {"array": reference}, "n": 2}, blobs).as_dict()
        text = dumps({"uuid": "a", "index": 1, "output": nested})
        with store._connections.transaction() as connection:
            upsert(connection, "outputs", [("a", 1, text)])
        assert store.query_one({"output.n": 2})["output"]["deep"]["array"][-1] == 2999
        assert store.query_one({}, ["output.deep"])["output"] == {"deep": {"array": list(range(3000))}}

    def test_documents_above_a_megabyte_are_split(self, store):
        output = {"rows": [f"{n:09d}" for n in range(120_000)], "small": {"a": 1}, "text": "x" * 100_000}
        store.update({"uuid": "a", "index": 1, "name": "big", "output": output})
        assert len(rows(store)[0]) < 1500
        assert json.loads(rows(store)[0])["output"]["small"] == {"a": 1}
        assert store.query_one({"output.rows": "000119999"})["output"] == output

    def test_without_a_directory_everything_is_in_the_database(self, tmp_path):
        with SQLiteStore(tmp_path / "s.db", key="uuid") as store:
            store.update({"uuid": "a", "index": 1, "x": np.arange(5000)})
            assert len(rows(store)[0]) > 20_000
            assert store.query_one()["x"] == list(range(5000))
        assert [p.name for p in tmp_path.iterdir()] == ["s.db"]


class TestThreads:
    def test_each_thread_has_its_connection(self, store):
        def write(name):
            for n in range(50):
                store.update({"uuid": name, "index": n}, key=["uuid", "index"])

        threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.count() == 200
        store.close()
        assert store._connections._open == {}

    def test_reading_while_writing_sees_what_was_there(self, store):
        store.update([{"uuid": str(n), "index": 1} for n in range(500)])
        for document in store.query():
            store.update({"uuid": document["uuid"] + "x", "index": 1})
        assert store.count() == 1000


class TestConnections:
    @pytest.mark.parametrize(
        ("kind", "mode"),
        [("ext4", "wal"), ("xfs", "wal"), ("tmpfs", "wal"), ("overlay", "wal"), ("lustre", "truncate"),
         ("nfs4", "truncate"), ("gpfs", "truncate"), ("beegfs", "truncate"), ("fuse.sshfs", "truncate"),
         ("cifs", "truncate"), ("never heard of", "truncate")],
    )  # fmt: skip
    def test_the_journal_follows_the_file_system(self, tmp_path, monkeypatch, kind, mode):
        monkeypatch.setattr(module, "file_system", lambda path: kind)
        assert journal_mode(tmp_path) == mode
        with SQLiteStore(tmp_path / "s.db", key="uuid") as store:
            assert store._collection.execute("PRAGMA journal_mode").fetchone() == (mode,)
            store.update({"uuid": "a", "index": 1})
            assert store.count() == 1

    def test_the_innermost_mount_counts(self, tmp_path, monkeypatch):
        import psutil

        class Mount:
            def __init__(self, mountpoint, fstype):
                self.mountpoint, self.fstype = str(mountpoint), fstype

        mounts = [
            Mount("/", "ext4"),
            Mount(tmp_path, "xfs"),
            Mount(tmp_path / "a", "lustre"),
            Mount(tmp_path, "Nfs4"),
        ]
        monkeypatch.setattr(psutil, "disk_partitions", lambda **kwargs: mounts)
        assert module.file_system(tmp_path / "a" / "missing" / "s.db") == "lustre"
        assert module.file_system(tmp_path / "ab") == "nfs4"
        assert module.file_system("/") == "ext4"

    def test_a_moved_database_changes_its_journal(self, tmp_path, monkeypatch):
        connect(tmp_path / "s.db").close()
        monkeypatch.setattr(module, "file_system", lambda path: "lustre")
        connection = connect(tmp_path / "s.db")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
        connection.close()

    def test_a_journal_that_others_hold_is_an_error_in_the_end(self, tmp_path, monkeypatch):
        holder = connect(tmp_path / "s.db")
        create_collection(holder, "outputs")
        monkeypatch.setattr(module, "file_system", lambda path: "lustre")
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)
        with pytest.raises(StoreError, match="cannot become truncate"):
            connect(tmp_path / "s.db")
        holder.close()

    def test_helpers_join_the_callers_transaction(self, tmp_path):
        connection = connect(tmp_path / "s.db")
        create_collection(connection, "outputs")
        connection.execute("BEGIN IMMEDIATE")
        upsert(connection, "outputs", [("a", 1, '{"v":1}'), ("a", 2, '{"v":2}'), ("a", 1, '{"v":3}')])
        connection.execute("ROLLBACK")
        assert connection.execute("SELECT count(*) FROM outputs").fetchone() == (0,)
        connection.close()

    def test_a_commit_that_fails_leaves_no_transaction_behind(self, tmp_path, monkeypatch):
        """A reader holds the rollback journal's lock: the next write works once it is gone."""
        monkeypatch.setattr(module, "file_system", lambda path: "lustre")
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
        with SQLiteStore(tmp_path / "s.db", key="uuid") as store:
            store.update({"uuid": "a", "index": 1})
            reader = connect(tmp_path / "s.db", read_only=True)
            reader.execute("BEGIN")
            reader.execute("SELECT doc FROM outputs").fetchone()
            with pytest.raises(StoreError, match="a write failed: database is locked"):
                store.update({"uuid": "b", "index": 1})
            reader.close()
            store.update({"uuid": "b", "index": 1})
            assert store.count() == 2

    def test_a_write_that_sqlite_has_ended_says_why(self, tmp_path):
        connections = module.Connections(tmp_path / "s.db")
        with pytest.raises(StoreError, match="disk is full"), connections.transaction() as connection:  # noqa: PT012
            connection.execute("ROLLBACK")  # as SQLite does by itself
            raise sqlite3.OperationalError("database or disk is full")
        connections.close()

    def test_a_fork_gets_its_own_connection(self, store):
        store.update({"uuid": "a", "index": 1})
        child = os.fork()
        if child == 0:
            try:
                store.update({"uuid": "b", "index": 1})
                os._exit(0)
            except BaseException:  # noqa: BLE001
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert store.count() == 2
