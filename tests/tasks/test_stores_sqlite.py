"""The SQLite store: what Maggma promises, indexed, and light on what it reads."""

# ruff: noqa: DTZ001 (stores keep dates without time zone)

from __future__ import annotations

import pickle
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from bson import ObjectId
from maggma.core import Sort
from maggma.core.validator import Validator
from monty.json import MontyDecoder

from zonemelt.tasks import sqlite as module
from zonemelt.tasks.documents import dumps, loads
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.pushdown import where
from zonemelt.tasks.sqlite import connect
from zonemelt.tasks.sqlite_store import SQLiteStore


@pytest.fixture
def store(tmp_path):
    with SQLiteStore(tmp_path / "s.db", blobs=tmp_path / "blobs", key="uuid") as store:
        yield store


def plan(store: SQLiteStore, criteria: dict) -> str:
    condition, parameters = where(criteria, store._key)
    statement = f"EXPLAIN QUERY PLAN SELECT id FROM outputs WHERE {condition}"
    return "\n".join(row[3] for row in store._collection.execute(statement, parameters))


class TestPlans:
    def test_keys_and_indexed_fields_need_no_scan(self, store):
        for criteria in (
            {"uuid": "a"},
            {"uuid": "a", "index": 2},
            {"uuid": {"$in": ["a", "b", "c"]}},
            {"$and": [{"uuid": "a"}, {"e": {"$gt": 1}}]},
        ):
            assert "sqlite_autoindex_outputs_1 (uuid=?" in plan(store, criteria)
            assert "SCAN outputs" not in plan(store, criteria)
        for criteria in ({"name": "x"}, {"out.n": {"$in": [1, 2]}}, {"out.n": {"$eq": 3}}):
            assert "SCAN outputs" in plan(store, criteria)
        assert store.ensure_index("name")
        assert store.ensure_index("out.n")
        assert "USING INDEX outputs:name:0" in plan(store, {"name": "x"})
        assert "USING INDEX outputs:out.n:0" in plan(store, {"out.n": {"$in": [1, 2]}})
        assert "SCAN outputs" not in plan(store, {"out.n": {"$eq": 3}})

    def test_an_upsert_looks_its_key_up(self, store):
        statement = module.upsert_statement("outputs")
        program = store._collection.execute(f"EXPLAIN {statement}", ("a", 1, "{}")).fetchall()
        assert "NoConflict" in {row[1] for row in program}
        assert "Rewind" not in {row[1] for row in program}, "a loop over the table"

    def test_updates_by_another_key_get_an_index(self, store):
        store.update([{"uuid": "a", "index": 1, "k": 1}], key="k")
        assert "USING INDEX outputs:k:0" in plan(store, {"k": 1})

    def test_documents_that_sqlite_cannot_judge_still_match(self, store):
        store.ensure_index("a")
        store.ensure_index("a.b")
        store.update(
            [
                {"uuid": "nan", "index": 1, "a": "x", "v": float("nan")},
                {"uuid": "array", "index": 1, "a": ["x", "y"]},
                {"uuid": "objects", "index": 1, "a": [{"b": 7}, {"b": 8}]},
                {"uuid": "plain", "index": 1, "a": "x"},
                {"uuid": "file", "index": 1, "a": np.arange(5000)},
            ]
        )
        assert [d["uuid"] for d in store.query({"a": "x"})] == ["nan", "array", "plain"]
        assert [d["uuid"] for d in store.query({"a.b": 8})] == ["objects"]
        assert [d["uuid"] for d in store.query({"a": 4999})] == ["file"]

    def test_unique_indexes(self, store):
        store.update(
            [{"uuid": "1", "index": 1, "n": 5}, {"uuid": "2", "index": 1}, {"uuid": "3", "index": 1}]
        )
        assert store.ensure_index("n", unique=True)
        with pytest.raises(StoreError, match="UNIQUE"):
            store.update({"uuid": "4", "index": 1, "n": 5})
        store.update([{"uuid": "5", "index": 1, "m": 1}, {"uuid": "6", "index": 1, "m": 1}])
        assert not store.ensure_index("m", unique=True)
        assert not store.ensure_index("tags.0")
        assert not store.ensure_index('odd"; DROP TABLE outputs')


class Positive(Validator):
    def __init__(self, strict=False):
        self.strict = strict

    def is_valid(self, doc):
        return doc["e"] > 0

    def validation_errors(self, doc):
        return [f"e = {doc['e']}"]


class TestMaggma:
    """What Maggma's own tests ask of a store, as far as it makes sense here."""

    @pytest.fixture
    def tasks(self, tmp_path):
        with SQLiteStore(tmp_path / "t.db", "tasks") as store:
            yield store

    def test_keys_of_every_shape(self, tasks):
        tasks.update({"task_id": "mp-1", "a": 1})
        tasks.update({"task_id": "mp-1", "a": 2})
        tasks.update([{"e": 6, "d": 4}, {"e": 7, "d": 8, "f": 9}], key="e")
        tasks.update([{"e": 6, "d": 5}], key=["e"])
        tasks.update([{"d": 8, "f": 9, "new": 1}, {"d": 8, "f": 10}], key=["d", "f"])
        assert [d.get("a") for d in tasks.query({"task_id": "mp-1"})] == [2]
        assert [d["d"] for d in tasks.query({"e": 6})] == [5]
        assert tasks.count({"d": 8}) == 2
        tasks.update(
            [{"task_id": [1, 2], "x": 1}, {"task_id": [1, 2], "x": 2}, {"task_id": None}, {"task_id": 1.5}]
        )
        assert [d["x"] for d in tasks.query({"task_id": [1, 2]})] == [2]
        assert tasks.count({"task_id": 1.5}) == 1

    def test_the_key_of_the_collection_stays_unique(self, store):
        store.update([{"uuid": "a", "index": 1, "k": 1}, {"uuid": "a", "index": 2, "k": 2}])
        store.update({"uuid": "a", "index": 2, "k": 1}, key="k")
        assert list(store.query()) == [{"uuid": "a", "index": 2, "k": 1}]

    def test_newer_in(self, tmp_path):
        old = SQLiteStore(tmp_path / "n.db", "old")
        new = SQLiteStore(tmp_path / "n.db", "new")
        with old, new:
            old.update([{"task_id": n, "last_updated": datetime(2026, 1, 1, n)} for n in range(5)])
            new.update([{"task_id": n, "last_updated": datetime(2026, 1, 2, n)} for n in range(10)])
            assert len(old.newer_in(new)) == 10
            assert len(old.newer_in(new, exhaustive=True)) == 10
            assert new.newer_in(old) == []

    def test_dates_are_utc_to_the_millisecond_as_in_mongodb(self, tasks):
        when = datetime(2026, 5, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
        tasks.update({"task_id": 1, "when": when})
        assert tasks.query_one()["when"] == datetime(2026, 5, 1, 12, 0, 0, 123000)

    def test_validators(self, tmp_path, caplog):
        with SQLiteStore(tmp_path / "v.db", validator=Positive()) as store:
            store.update([{"task_id": 1, "e": 1}, {"task_id": 2, "e": -1}])
            assert [d["task_id"] for d in store.query()] == [1]
            assert "e = -1" in caplog.text
        with (
            SQLiteStore(tmp_path / "w.db", validator=Positive(strict=True)) as store,
            pytest.raises(ValueError, match="e = -1"),
        ):
            store.update({"task_id": 2, "e": -1})

    def test_sort_by_enum_and_mongodb_projections(self, tasks):
        tasks.update([{"task_id": n, "v": [n, n + 1, {"q": n}]} for n in range(3)])
        assert [d["task_id"] for d in tasks.query(sort={"task_id": Sort.Descending})] == [2, 1, 0]
        assert tasks.query_one({"task_id": 1}, {"v": {"$slice": 1}})["v"] == [1]
        assert tasks.query_one({"task_id": 1}, {"v.q": 1, "_id": 0}) == {"v": [{"q": 1}]}

    def test_equality_and_serialisation(self, store, tmp_path):
        for copy in (MontyDecoder().process_decoded(store.as_dict()), pickle.loads(pickle.dumps(store))):
            assert copy == store
            assert hash(copy) == hash(store)
            assert (copy.key, copy.blobs) == (store.key, store.blobs)
        assert store != SQLiteStore(store.path, "other", key="uuid")
        assert store != 1
        assert store.name == f"sqlite://{store.path}/outputs"


class TestErrors:
    @pytest.mark.parametrize(
        ("criteria", "what"),
        [
            ({"$where": "this.a == 1"}, "would run code"),
            ({"$or": [{"$where": "1"}]}, "would run code"),
            ({"$and": [{"a": 1}, 7]}, "7 is no filter"),
            ({"a": {"$unknown": 1}}, "unknown operator"),
            ({"$nothing": 1}, "unknown top level operator"),
            ({"a": {"$in": 3}}, "needs an array"),
            ("a", "dictionary"),
        ],
    )
    def test_malformed_queries(self, store, criteria, what):
        store.update({"uuid": "a", "index": 1, "a": 1})
        with pytest.raises(StoreError, match=what):
            list(store.query(criteria))

    def test_malformed_projections_and_sorts(self, store):
        with pytest.raises(StoreError, match="both includes and excludes"):
            list(store.query({}, {"a": 1, "b": 0}))
        with pytest.raises(StoreError, match="sort direction 2"):
            list(store.query({}, sort={"a": 2}))

    def test_a_collection_that_cannot_be_made(self, tmp_path):
        with closing(sqlite3.connect(tmp_path / "s.db")) as others:
            others.execute("CREATE TABLE others (a)")
            others.execute("CREATE INDEX outputs ON others (a)")
        with pytest.raises(StoreError, match="already an index named outputs"):
            SQLiteStore(tmp_path / "s.db").connect()

    def test_not_connected(self, tmp_path):
        with pytest.raises(StoreError, match="not connected"):
            SQLiteStore(tmp_path / "s.db").count()

    def test_files_that_cannot_be_databases(self, tmp_path):
        (tmp_path / "text.db").write_text("not a database, and long enough to tell" * 9)
        with pytest.raises(StoreError, match="cannot be opened"):
            SQLiteStore(tmp_path / "text.db").connect()
        with pytest.raises(StoreError, match="cannot be opened"):
            connect(tmp_path, read_only=True)
        with pytest.raises(InputError, match="needs a file"):
            SQLiteStore(":memory:")
        with pytest.raises(InputError, match="cannot name"):
            SQLiteStore(tmp_path / "s.db", 'x"; DROP TABLE y')

    def test_read_only(self, store):
        store.update({"uuid": "a", "index": 1})
        with SQLiteStore(store.path, read_only=True, key="uuid") as reader:
            assert reader.count() == 1
            with pytest.raises(StoreError, match="readonly"):
                reader.update({"uuid": "b", "index": 1})
            assert not reader.ensure_index("x")
        with SQLiteStore(store.path, "nothing", read_only=True) as reader:
            assert (reader.count(), list(reader.query())) == (0, [])

    def test_ids_of_mongodb_come_back(self):
        document = {"_id": ObjectId("0123456789abcdef01234567"), "a": [{"raw": b"\0\xff"}]}
        assert loads(dumps(document)) == document
        with pytest.raises(StoreError, match=r"cannot be written as JSON: .*complex"):
            dumps({"a": 1j})

    def test_literal_text_that_looks_like_extended_json(self):
        for document in ({"$ref": "#/definitions/x"}, {"a": {"$date": 5}}, {"a": [{"$oid": "x", "b": 1}]}):
            assert loads(dumps(document)) == document
