"""A mongomock wire server: mongomock behind MongoDB's OP_MSG protocol, enough for pymongo's tests.

It is not MongoDB: no transactions, no persistence, one thread per connection over one lock. It lets
the real client classes (MongoStore, GridFSStore) run their real code over a real socket.
"""

from __future__ import annotations

import itertools
import socketserver
import struct
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bson
import mongomock_ng
from bson.codec_options import CodecOptions
from pymongo.errors import OperationFailure, WriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OP_MSG, OP_QUERY, OP_REPLY = 2013, 2004, 1
CODEC = CodecOptions(tz_aware=False)
HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48 * 2**20,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 8,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}


class MongomockServer:
    """Databases shared by all connections, and one method per MongoDB command."""

    def __init__(self) -> None:
        self.client = mongomock_ng.MongoClient()
        self.lock = threading.Lock()
        self.cursors: dict[int, list[dict]] = {}
        self.numbers = itertools.count(1)

    def reply(self, command: dict) -> dict:
        name = next(iter(command))
        method: Callable[..., dict] | None = getattr(self, f"do_{name.lower()}", None)
        if method is None:
            return {"ok": 0.0, "errmsg": f"no such command: '{name}'", "code": 59}
        database = self.client[command.get("$db", "test")]
        with self.lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return {"ok": 1.0, **method(database, command[name], command)}
            except (OperationFailure, NotImplementedError, ValueError, TypeError) as error:
                return {"ok": 0.0, "errmsg": str(error), "code": getattr(error, "code", 2) or 2}

    def do_hello(self, database: Any, value: Any, command: dict) -> dict:
        return HELLO

    do_ismaster = do_hello

    def do_ping(self, database: Any, value: Any, command: dict) -> dict:
        return {}

    do_endsessions = do_ping

    def do_insert(self, database: Any, name: str, command: dict) -> dict:
        database[name].insert_many(command["documents"])
        return {"n": len(command["documents"])}

    def do_update(self, database: Any, name: str, command: dict) -> dict:
        matched, modified, upserted, errors = 0, 0, [], []
        for n, one in enumerate(command["updates"]):
            new = one["u"]
            operators = any(key.startswith("$") for key in new)
            act = "replace_one" if not operators else "update_many" if one.get("multi") else "update_one"
            try:
                result = getattr(database[name], act)(one["q"], new, upsert=one.get("upsert", False))
            except WriteError as error:
                errors.append({"index": n, "code": error.code or 2, "errmsg": str(error)})
                continue
            matched += result.matched_count + (result.upserted_id is not None)
            modified += result.modified_count or 0
            if result.upserted_id is not None:
                upserted.append({"index": n, "_id": result.upserted_id})
        reply = {"n": matched, "nModified": modified}
        return (
            reply | ({"upserted": upserted} if upserted else {}) | ({"writeErrors": errors} if errors else {})
        )

    def do_delete(self, database: Any, name: str, command: dict) -> dict:
        collection, n = database[name], 0
        for one in command["deletes"]:
            act = collection.delete_one if one.get("limit") == 1 else collection.delete_many
            n += act(one["q"]).deleted_count
        return {"n": n}

    def do_find(self, database: Any, name: str, command: dict) -> dict:
        cursor = database[name].find(
            command.get("filter") or {},
            command.get("projection") or None,
            sort=list((command.get("sort") or {}).items()) or None,
            skip=command.get("skip", 0),
            limit=abs(command.get("limit", 0)),
        )
        single = command.get("singleBatch", False)
        return self._first_batch(database, name, list(cursor), command.get("batchSize", 101), single=single)

    def do_aggregate(self, database: Any, name: str, command: dict) -> dict:
        found = list(database[name].aggregate(command["pipeline"]))
        return self._first_batch(database, name, found, command["cursor"].get("batchSize", 101))

    def _first_batch(self, database: Any, name: str, found: list, size: int, *, single: bool = False) -> dict:
        number = 0
        if len(found) > size and not single:
            number = next(self.numbers)
            self.cursors[number] = found[size:]
        batch = {"id": bson.Int64(number), "ns": f"{database.name}.{name}", "firstBatch": found[:size]}
        return {"cursor": batch}

    def do_getmore(self, database: Any, number: int, command: dict) -> dict:
        rest, size = self.cursors.pop(number), command.get("batchSize") or 1000
        if len(rest) > size:
            self.cursors[number] = rest[size:]
        left = bson.Int64(number if number in self.cursors else 0)
        namespace = f"{database.name}.{command['collection']}"
        return {"cursor": {"id": left, "ns": namespace, "nextBatch": rest[:size]}}

    def do_killcursors(self, database: Any, name: str, command: dict) -> dict:
        for number in command["cursors"]:
            self.cursors.pop(number, None)
        return {"cursorsKilled": command["cursors"]}

    def do_count(self, database: Any, name: str, command: dict) -> dict:
        return {"n": database[name].count_documents(command.get("query") or {})}

    def do_distinct(self, database: Any, name: str, command: dict) -> dict:
        return {"values": database[name].distinct(command["key"], command.get("query") or {})}

    def do_createindexes(self, database: Any, name: str, command: dict) -> dict:
        for index in command["indexes"]:
            keys = list(index["key"].items())
            database[name].create_index(keys, unique=index.get("unique", False), name=index["name"])
        return {}

    def do_listindexes(self, database: Any, name: str, command: dict) -> dict:
        indexes = [
            {"v": 2, "name": key, "key": dict(index["key"])}
            for key, index in database[name].index_information().items()
        ]
        return self._first_batch(database, name, indexes, 101)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: MongomockServer = self.server.mongomock  # type: ignore[attr-defined]
        while header := self.rfile.read(16):
            length, request, _, code = struct.unpack("<iiii", header)
            command = _read(code, self.rfile.read(length - 16))
            document = bson.encode(server.reply(command), codec_options=CODEC)
            if code == OP_QUERY:  # the first greeting of a client
                body = struct.pack("<iqii", 8, 0, 0, 1) + document
            else:
                body = struct.pack("<iB", 0, 0) + document
            reply = OP_REPLY if code == OP_QUERY else OP_MSG
            self.wfile.write(struct.pack("<iiii", 16 + len(body), 0, request, reply) + body)


def _read(code: int, body: bytes) -> dict:
    """Read a command: one main document, and sequences of documents that belong to its fields."""
    if code == OP_QUERY:
        return bson.decode(body[body.index(b"\0", 4) + 9 :], codec_options=CODEC)
    command: dict = {}
    sequences: dict[str, list] = {}
    position = 4
    while position < len(body):
        kind, position = body[position], position + 1
        size = struct.unpack_from("<i", body, position)[0]
        if kind == 0:
            command = bson.decode(body[position : position + size], codec_options=CODEC)
        else:
            end = body.index(b"\0", position + 4)
            documents = bson.decode_all(body[end + 1 : position + size], codec_options=CODEC)
            sequences[body[position + 4 : end].decode()] = documents
        position += size
    return command | sequences


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, block_on_close = True, True, False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up without ceremony."""


@contextmanager
def serve_mongomock() -> Iterator[tuple[str, int]]:
    """Serve on a free local port inside the block; yields host and port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.mongomock = MongomockServer()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
