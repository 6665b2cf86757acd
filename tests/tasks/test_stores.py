"""The contract for each kind of store, and queries that must agree between kinds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maggma.stores import MemoryStore
from mongo_server import serve_mongomock
from store_contract import StoreContract

from zonemelt.tasks.sqlite_store import SQLiteStore
from zonemelt.tasks.stores import open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymongo.*")


@pytest.fixture(scope="module")
def server():
    with serve_mongomock() as address:
        yield address


class TestEmbedded(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        with open_store(directory=tmp_path) as store:
            yield store


class TestSQLiteWithoutFiles(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        spec = {
            "type": "sqlite",
            "path": "x/other.db",
            "collection": "results",
            "additional": {"data": {"type": "sqlite"}},
        }
        with open_store(spec, directory=tmp_path) as store:
            yield store


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self):
        with open_store("memory") as store:
            yield store


@pytest.mark.mongo
class TestMongoByParts(StoreContract):
    """MongoStore and GridFSStore over the wire, against mongomock behind a socket."""

    @pytest.fixture
    def store(self, server, request):
        host, port = server
        name = f"{abs(hash(request.node.nodeid))}"
        with open_store({"type": "mongo", "host": host, "port": port, "database": name}) as store:
            yield store


@pytest.mark.mongo
class TestMongoByURI(StoreContract):
    @pytest.fixture
    def store(self, server, request):
        name = f"u{abs(hash(request.node.nodeid))}"
        with open_store(f"mongodb://{server[0]}:{server[1]}/{name}.results") as store:
            yield store


@pytest.mark.mongo
class TestMongoWithDataInFiles(StoreContract):
    @pytest.fixture
    def store(self, server, request, tmp_path):
        spec = {
            "type": "mongo",
            "uri": f"mongodb://{server[0]}:{server[1]}/f{abs(hash(request.node.nodeid))}",
            "additional": {"data": {"type": "file", "path": "data"}},
        }
        with open_store(spec, directory=tmp_path) as store:
            yield store


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.5, float("inf"), 2**60, float(2**60)]),
    st.sampled_from(["", "a", "b", "1", "ä", "\x00", "$a"]),
)
names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    scalars, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(names, v, max_size=3)), max_leaves=6
)
fields = st.sampled_from(["a", "b", "a.b", "b.c", "a.b.c", "a.0", "k"])
conditions = st.one_of(
    values,
    st.builds(lambda v: {"$eq": v}, scalars),
    st.builds(lambda v: {"$in": v}, st.lists(scalars, max_size=3)),
    st.builds(lambda v: {"$nin": v}, st.lists(scalars, max_size=3)),  # codespell:ignore nin
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$gt", "$lte", "$ne"]), scalars),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.builds(lambda a, b: {"$in": a, "$gte": b}, st.lists(scalars, min_size=1, max_size=3), scalars),
)
simple = st.dictionaries(fields, conditions, max_size=2)
criteria = st.one_of(
    simple,
    st.builds(lambda a, b: {"$or": [a, b]}, simple, simple),
    st.builds(lambda a, b: {"$and": [a, b]}, simple, simple),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "pair.db"
    with SQLiteStore(path, "docs", key="k") as ours, MemoryStore(key="k") as reference:
        ours.ensure_index("a")
        ours.ensure_index("b.c")
        yield ours, reference


@settings(max_examples=150)
@given(
    st.lists(st.dictionaries(names, values, max_size=3), max_size=5),
    st.lists(criteria, min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(["a", "b", "a.b"]), st.sampled_from([1, -1]), max_size=2),
)
def test_sqlite_answers_as_memory_does(pair, documents, filters, sort):
    ours, reference = pair
    for store in pair:
        store.remove_docs({})
        store.update([{**document, "k": n} for n, document in enumerate(documents)])
    for one in filters:
        found = []
        for store in pair:
            try:
                answer = list(store.query(one, sort=sort or None))
            except Exception as error:  # noqa: BLE001 (mongomock's own limits, the same in both)
                answer = [{"error": bool(error)}]
            found.append([{k: v for k, v in document.items() if k != "_id"} for document in answer])
        assert found[0] == found[1], one
        if "error" not in (found[0] or [{}])[0]:
            assert ours.count(one) == reference.count(one)
