"""What every store must do: one contract, inherited by the tests of each kind of store."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jobflow import Flow, Response, job, run_locally
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.stores import check_store

if TYPE_CHECKING:
    from jobflow import JobStore

DOCUMENTS: list[dict[str, Any]] = [
    {"uuid": "a", "index": 1, "name": "relax", "e": -1.5, "tags": ["x", "y"],
     "out": {"n": 1, "f": [{"s": 1}, {"s": 5}]}},
    {"uuid": "a", "index": 2, "name": "relax", "e": -2.5, "tags": [], "out": {"n": 2, "f": []}},
    {"uuid": "b", "index": 1, "name": "static", "e": 3, "tags": ["y"], "out": {"n": 3, "f": [{"s": 9}]}},
    {"uuid": "c", "index": 1, "name": "Static", "e": None, "out": {"n": 3, "deep": {"x": True}}},
    {"uuid": "ü€😀", "index": 1, "name": "md", "e": 0, "tags": ["z"], "out": "text"},
]  # fmt: skip

QUERIES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4]),
    ({"uuid": "a"}, [0, 1]),
    ({"uuid": "a", "index": 2}, [1]),
    ({"uuid": "ü€😀"}, [4]),
    ({"uuid": "nobody"}, []),
    ({"uuid": {"$in": ["a", "c", "z"]}}, [0, 1, 3]),
    ({"uuid": {"$in": []}}, []),
    ({"uuid": {"$nin": ["a", "c"]}}, [2, 4]),  # codespell:ignore nin
    ({"index": {"$in": [2, 3]}}, [1]),
    ({"index": 1, "name": "relax"}, [0]),
    ({"e": {"$gt": -2}}, [0, 2, 4]),
    ({"e": {"$gte": -2.5, "$lt": 0}}, [0, 1]),
    ({"e": 3}, [2]),
    ({"e": 3.0}, [2]),
    ({"e": None}, [3]),
    ({"e": {"$ne": 0}}, [0, 1, 2, 3]),
    ({"missing": None}, [0, 1, 2, 3, 4]),
    ({"tags": {"$exists": False}}, [3]),
    ({"tags": "y"}, [0, 2]),
    ({"tags": ["x", "y"]}, [0]),
    ({"tags": []}, [1]),
    ({"tags": {"$size": 1}}, [2, 4]),
    ({"tags": {"$all": ["x", "y"]}}, [0]),
    ({"tags.0": "y"}, [2]),
    ({"name": {"$regex": "^stat"}}, [2]),
    ({"name": {"$regex": "^stat", "$options": "i"}}, [2, 3]),
    ({"out.n": 3}, [2, 3]),
    ({"out.n": {"$in": [1, 2]}}, [0, 1]),
    ({"out.deep.x": True}, [3]),
    ({"out.deep": {"x": True}}, [3]),
    ({"out": "text"}, [4]),
    ({"out.f.s": 5}, [0]),
    ({"out.f": {"$elemMatch": {"s": {"$gt": 4, "$lt": 9}}}}, [0]),
    ({"$or": [{"uuid": "c"}, {"e": {"$lt": -2}}]}, [1, 3]),
    ({"$and": [{"uuid": "a"}, {"index": 1}]}, [0]),
    ({"$nor": [{"uuid": "a"}, {"out.n": 3}]}, [4]),
    ({"name": {"$not": {"$regex": "a"}}}, [4]),
]


@job
def add(a: int, b: int) -> int:
    return a + b


@job
def crystal() -> dict[str, Any]:
    structure = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return {"structure": structure, "forces": np.arange(6.0).reshape(2, 3)}


@job
def volume(structure: Structure) -> float:
    return float(structure.volume)


@job(data="trajectory")
def trajectory(n: int) -> dict[str, Any]:
    return {"trajectory": [{"step": i, "x": "ä"} for i in range(n)], "n": n}


@job
def length(frames: list) -> int:
    return len(frames)


@job
def twice(n: int) -> Response:
    return Response(replace=Flow([one := add(n, n)], output=one.output))


class StoreContract:
    """Inherit, and give a connected JobStore as the fixture ``store``."""

    @pytest.fixture
    def store(self) -> JobStore:
        raise NotImplementedError

    @pytest.fixture
    def filled(self, store):
        store.update(DOCUMENTS)
        return store

    @staticmethod
    def plain(documents) -> list[dict[str, Any]]:
        return [{k: v for k, v in document.items() if k != "_id"} for document in documents]

    def test_answers(self, store):
        check_store(store)

    def test_an_empty_store(self, store):
        assert store.count() == 0
        assert store.count({"uuid": "a"}) == 0
        assert list(store.query()) == []
        assert store.query_one({"uuid": "a"}) is None
        assert store.distinct("uuid") == []
        assert list(store.groupby("name")) == []
        assert store.last_updated == datetime.min  # noqa: DTZ901
        store.remove_docs({})

    @pytest.mark.parametrize(
        ("criteria", "expected"), QUERIES, ids=lambda x: str(x) if isinstance(x, dict) else ""
    )
    def test_query(self, filled, criteria, expected):
        assert self.plain(filled.query(criteria)) == [DOCUMENTS[n] for n in expected]
        assert filled.count(criteria) == len(expected)

    @pytest.mark.parametrize("field", ["e", "out.n", "tags", "name", "index"])
    def test_an_index_changes_no_answer(self, filled, field):
        assert filled.ensure_index(field)
        for criteria, expected in QUERIES:
            assert self.plain(filled.query(criteria)) == [DOCUMENTS[n] for n in expected]
        assert filled.ensure_index(field)

    def test_sort_skip_and_limit(self, filled):
        def uuids(**kwargs):
            return [(d["uuid"], d["index"]) for d in filled.query(**kwargs)]

        everything = [(d["uuid"], d["index"]) for d in DOCUMENTS]
        ascending = [everything[n] for n in (3, 1, 0, 4, 2)]
        assert uuids(sort={"e": 1}) == ascending
        assert uuids(sort={"e": -1}) == ascending[::-1]
        assert uuids(sort={"index": -1, "uuid": 1})[:2] == [("a", 2), ("a", 1)]
        assert uuids(sort={"e": 1}, skip=1, limit=2) == ascending[1:3]
        assert uuids(skip=3) == everything[3:]
        assert uuids(limit=2) == everything[:2]
        assert uuids(skip=99) == []
        assert filled.query_one(sort={"e": -1})["uuid"] == "b"

    def test_projection(self, filled):
        def one(properties):
            return self.plain(filled.docs_store.query({"uuid": "a", "index": 1}, properties))[0]

        assert one(["name"]) == {"name": "relax"}
        assert one({"name": 1, "out.n": 1}) == {"name": "relax", "out": {"n": 1}}
        assert one(["out.f.s"]) == {"out": {"f": [{"s": 1}, {"s": 5}]}}
        assert one(["nothing"]) == {}
        assert one({"tags": 0, "out.f": 0, "e": 0, "_id": 0}) == {
            "uuid": "a",
            "index": 1,
            "name": "relax",
            "out": {"n": 1},
        }
        assert set(filled.query_one({"uuid": "b"}, ["name"])) - {"_id"} == {"uuid", "index", "name"}

    def test_distinct(self, filled):
        assert sorted(filled.docs_store.distinct("uuid")) == ["a", "b", "c", "ü€😀"]
        assert sorted(filled.docs_store.distinct("tags")) == ["x", "y", "z"]
        assert sorted(filled.docs_store.distinct("out.n", {"uuid": "a"})) == [1, 2]
        assert filled.docs_store.distinct("nothing") == []

    def test_groupby(self, filled):
        groups = {g["name"]: [d["e"] for d in docs] for g, docs in filled.groupby("name", properties=["e"])}
        assert groups == {"relax": [-1.5, -2.5], "static": [3], "Static": [None], "md": [0]}
        found = list(filled.docs_store.groupby(["uuid", "index"], {"uuid": "a"}, properties=["e"]))
        assert sorted((g["uuid"], g["index"], len(d)) for g, d in found) == [("a", 1, 1), ("a", 2, 1)]

    def test_remove(self, filled):
        filled.remove_docs({"uuid": "a", "index": 1})
        assert self.plain(filled.query()) == DOCUMENTS[1:]
        filled.remove_docs({"e": {"$lt": 5}})
        assert [d["uuid"] for d in filled.query()] == ["c"]

    def test_update_replaces_by_key(self, filled):
        filled.update(DOCUMENTS)
        assert filled.count() == len(DOCUMENTS)
        filled.update({"uuid": "a", "index": 1, "new": 1})
        assert self.plain(filled.query({"uuid": "a", "index": 1})) == [{"uuid": "a", "index": 1, "new": 1}]
        filled.update([{"uuid": "a", "index": 3}, {"uuid": "a", "index": 3, "again": True}])
        assert self.plain(filled.query({"index": 3})) == [{"uuid": "a", "index": 3, "again": True}]

    def test_update_by_other_keys(self, store):
        store.docs_store.update([{"k": 1, "v": 1, "uuid": "x"}, {"k": 2, "v": 2, "uuid": "y"}], key="k")
        store.docs_store.update([{"k": 1, "v": 5, "uuid": "z"}, {"k": 3, "v": 3, "uuid": "w"}], key="k")
        found = sorted((d["k"], d["v"], d["uuid"]) for d in store.query())
        assert found == [(1, 5, "z"), (2, 2, "y"), (3, 3, "w")]
        store.docs_store.update({"k": 2, "v": 2, "uuid": "q"}, key=["k", "v"])
        assert [d["uuid"] for d in store.query({"k": 2})] == ["q"]

    def test_values_come_back(self, store):
        values = {
            "numbers": [0, -1, 2**53, 1e-300, 1.5, True, False, None],
            "text": ["", "ü€😀", 'quote "', "line\nbreak", "$dollar", "a.b"],
            "nested": {"a": [[], {}, [[1, [2]]]]},
            "when": datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001
            "raw": b"\0\xff",
        }
        store.update({"uuid": "v", "index": 1, "output": values})
        assert store.query_one({"uuid": "v"})["output"] == values
        assert store.count({"output.when": {"$lt": datetime(2027, 1, 1)}}) == 1  # noqa: DTZ001

    def test_not_a_number(self, store):
        store.update({"uuid": "v", "index": 1, "output": {"x": math.nan, "y": [math.inf, -math.inf], "z": 1}})
        found = store.query_one({"uuid": "v", "output.z": 1})["output"]
        assert math.isnan(found["x"])
        assert found["y"] == [math.inf, -math.inf]
        assert store.count({"output.x": {"$gt": 0}}) == 0

    def test_a_large_nested_document(self, store):
        output = {"rows": [{"i": i, "v": [float(i)] * 10, "name": f"row {i}"} for i in range(1000)]}
        store.update({"uuid": "large", "index": 1, "output": output})
        assert store.query_one({"uuid": "large"})["output"] == output
        assert store.count({"output.rows.name": "row 999"}) == 1
        assert store.count({"output.rows.i": {"$gt": 999}}) == 0

    def test_last_updated(self, store):
        times = [datetime(2026, 1, n) for n in (3, 1, 2)]  # noqa: DTZ001
        store.update([{"uuid": str(n), "index": 1, "last_updated": t} for n, t in enumerate(times)])
        assert store.docs_store.last_updated == max(times)

    def test_a_flow(self, store):
        first = add(1, 2)
        second = add(first.output, 10)
        made = crystal()
        size = volume(made.output["structure"])
        dynamic = twice(second.output)
        for jobs in ([first, second, dynamic], [made, size]):
            run_locally(Flow(jobs), store=store, log=False, ensure_success=True)
        assert store.get_output(second.uuid) == 13
        assert store.get_output(size.uuid) == pytest.approx(64)
        assert store.get_output(dynamic.uuid) == 26
        assert store.get_output(dynamic.uuid, which="all")[-1] == 26
        output = store.query_one({"uuid": made.uuid})["output"]
        assert output["forces"] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        assert output["structure"]["@class"] == "Structure"
        assert Structure.from_dict(output["structure"]).num_sites == 2
        assert store.count({"output.structure.sites.label": "Cl"}) == 1

    def test_additional_stores(self, store):
        made = trajectory(50)
        used = length(made.output["trajectory"])
        run_locally(Flow([made, used]), store=store, log=False, ensure_success=True)
        assert store.get_output(used.uuid) == 50
        assert "blob_uuid" in store.query_one({"uuid": made.uuid})["output"]["trajectory"]
        frames = store.query_one({"uuid": made.uuid}, load=True)["output"]["trajectory"]
        assert frames == [{"step": i, "x": "ä"} for i in range(50)]
        assert store.additional_stores["data"].count({"job_uuid": made.uuid}) == 1
        store.remove_docs({"uuid": made.uuid})
        assert store.additional_stores["data"].count({"job_uuid": made.uuid}) == 0
