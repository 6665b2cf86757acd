"""Make the Maggma stores that a checked specification asks for; nothing is contacted yet."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.store_specs import (
    FileBlobs,
    GridFSBlobs,
    MemoryBlobs,
    MemorySpec,
    MongoSpec,
    S3Blobs,
    SQLiteBlobs,
    SQLiteSpec,
    StoreSpec,
    redact,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jobflow import JobStore
    from maggma.core import Store

    from zonemelt.tasks.store_specs import Blobs

DATABASE: Final = "ledger.db"
BLOBS: Final = "blobs"
CONNECT_SECONDS: Final = 5
"""How long to look for a server."""


class OnDemandStores(dict[str, Any]):
    """Additional stores by name, each made and connected when first asked for.

    Args:
        make: makes the store of a name.
        present: names of stores that exist already.
    """

    def __init__(self, make: Callable[[str], Store], present: Iterable[str] = ()) -> None:
        super().__init__({name: make(name) for name in present})
        self._make = make

    def __missing__(self, name: str) -> Store:
        store = self._make(name)
        store.key = "blob_uuid"  # what JobStore sets on those it is given at first
        if hasattr(store, "searchable_fields"):
            store.searchable_fields.extend(["job_uuid", "job_index"])
        store.connect()
        self[name] = store
        return store

    def get(self, name: str, default: Any = None) -> Any:
        """Return the store of a name, made if needed (jobflow reads with ``get``)."""
        del default
        return self[name]


def build(spec: StoreSpec, base: Path) -> JobStore:
    """Make the store of a checked specification; nothing is contacted.

    Args:
        spec: what was asked for.
        base: the directory where relative paths start.
    """
    from jobflow import JobStore
    from maggma.stores import MemoryStore

    docs: Store
    if isinstance(spec, SQLiteSpec):
        from zonemelt.tasks.sqlite_store import SQLiteStore

        path = base / (spec.path or DATABASE)
        blobs = base / spec.blobs if spec.blobs else path.parent / BLOBS
        docs = SQLiteStore(str(path), spec.collection, str(blobs), read_only=spec.read_only)
        make, present = _sqlite_blobs(path, spec.collection, blobs, read_only=spec.read_only)
    elif isinstance(spec, MemorySpec):
        docs, make, present = MemoryStore(), MemoryStore, ()
    else:
        docs, make, present = _mongo(spec)
    stores = OnDemandStores(make, present)
    for name, blob_spec in spec.additional.items():
        stores[name] = _additional(name, blob_spec, docs=docs, make=make, base=base)
    return JobStore(docs, additional_stores=stores)


def _sqlite_blobs(
    path: Path, collection: str, blobs: Path | None, *, read_only: bool = False
) -> tuple[Callable[[str], Store], tuple[str, ...]]:
    """Return a maker of additional stores in an SQLite file, and the names that exist there."""
    from zonemelt.tasks.sqlite import collection_key, connect
    from zonemelt.tasks.sqlite_store import SQLiteStore

    prefix = f"{collection}_"
    present: tuple[str, ...] = ()
    if path.exists():
        with closing(connect(path, read_only=True)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            present = tuple(
                name.removeprefix(prefix)
                for (name,) in tables.fetchall()
                if name.startswith(prefix) and collection_key(connection, name) == ("blob_uuid",)
            )

    def make(name: str) -> Store:
        directory = None if blobs is None else str(blobs)
        return SQLiteStore(str(path), f"{prefix}{name}", directory, read_only=read_only, key="blob_uuid")

    return make, present


def _mongo(spec: MongoSpec) -> tuple[Store, Callable[[str], Store], tuple[str, ...]]:
    """Return the document store, the maker of GridFS stores, and the one that jobs ask for."""
    from maggma.stores import GridFSStore, MongoStore

    collection, options = spec.collection, _mongo_options(spec)
    if spec.uri is not None:
        _, _, named = unquote(urlsplit(spec.uri).path).strip("/").partition(".")
        collection = named or collection

    def make(name: str) -> Store:
        store: Store = GridFSStore(
            collection_name=f"{collection}_{name}", compression=True, key="blob_uuid", **options
        )
        return store

    return MongoStore(collection_name=collection, **options), make, ("data",)


def _mongo_options(spec: MongoSpec) -> dict[str, Any]:
    """Return the arguments that MongoStore and GridFSStore share."""
    client = {"serverSelectionTimeoutMS": CONNECT_SECONDS * 1000, "appname": "zonemelt"}
    if spec.uri is None:
        if spec.database is None:
            raise InputError("no database is named", where="store.database", remedy="add 'database: NAME'")
        return {
            **spec.model_dump(include={"host", "port", "database", "username", "password"}),
            "auth_source": spec.auth_source,
            "mongoclient_kwargs": client,
        }
    _check_uri(spec.uri)
    database = spec.database or unquote(urlsplit(spec.uri).path).strip("/").partition(".")[0]
    if not database:
        raise InputError(
            "the URI names no database",
            where=redact(spec.uri),
            remedy="write mongodb://host/database or mongodb://host/database.collection",
        )
    uri = re.sub(r"(//[^/?]+/[^/?.]*)\.[^/?]*", r"\1", spec.uri, count=1)
    client = {name: value for name, value in client.items() if name.lower() not in _uri_options(uri)}
    return {"uri": uri, "database": database, "mongoclient_kwargs": client}


def _uri_options(uri: str) -> dict[str, str]:
    """What a URI says of the client, names in small letters: arguments of the client would overrule it."""
    return {name.lower(): value for name, value in parse_qsl(urlsplit(uri).query)}


def patience_of(store: Store) -> float:
    """Seconds that a store may take to answer for the first time; what a URI says holds."""
    said = _uri_options(str(getattr(store, "uri", "") or "")).get("serverselectiontimeoutms", "")
    return int(said) / 1000 if said.isdecimal() else CONNECT_SECONDS


def _check_uri(uri: str) -> None:
    """Refuse a malformed URI before a driver quotes it, password and all.

    Raises:
        InputError: the URI cannot be parsed.
    """
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    try:  # resolving mongodb+srv asks a name server: not before connect()
        parse_uri(uri.replace("mongodb+srv://", "mongodb://", 1))
    except (PyMongoError, ValueError) as error:
        what = "malformed" if "@" in uri else str(error)  # the reason may quote the password
        raise InputError(
            f"the URI cannot be used: {what:.200}",
            where=redact(uri),
            remedy="write mongodb://user:password@host/database, with %40 for @ in a password",
        ) from None


def _additional(name: str, spec: Blobs, *, docs: Store, make: Callable[[str], Store], base: Path) -> Store:
    """Make one configured additional store."""
    from maggma.stores import MemoryStore, S3Store

    store: Store
    if isinstance(spec, MemoryBlobs):
        return MemoryStore(name)
    if isinstance(spec, (SQLiteBlobs, FileBlobs)):
        path = base / (spec.path or DATABASE)
        if isinstance(spec, FileBlobs) and path.suffix != ".db":
            path /= DATABASE
        files = path.parent / BLOBS if isinstance(spec, FileBlobs) else None
        return _sqlite_blobs(path, "outputs", files)[0](name)
    if isinstance(spec, GridFSBlobs):
        return _gridfs(name, spec, docs=docs, make=make)
    try:
        store = S3Store(_s3_index(name, docs=docs, base=base), **_s3_options(spec))
    except RuntimeError as error:
        raise InputError(
            f"S3 cannot be used: {error}",
            where=f"store.additional.{name}",
            remedy="pip install boto3",
        ) from None
    return store


def _gridfs(name: str, spec: GridFSBlobs, *, docs: Store, make: Callable[[str], Store]) -> Store:
    from maggma.stores import GridFSStore

    if spec.uri is not None:
        options = _mongo_options(MongoSpec(uri=spec.uri))
    elif (template := make(name)) and isinstance(template, GridFSStore):
        fields = ("uri", "host", "port", "database", "username", "password", "auth_source")
        options = {field: getattr(template, field) for field in fields}
        options["mongoclient_kwargs"] = template.mongoclient_kwargs
    else:
        raise InputError(
            f"GridFS needs a MongoDB server, and the documents are in {redact(docs.name)}",
            where=f"store.additional.{name}",
            remedy="add 'uri: mongodb://host/database'",
        )
    collection = spec.collection or f"outputs_{name}"
    store: Store = GridFSStore(
        collection_name=collection, compression=spec.compression, key="blob_uuid", **options
    )
    return store


def _s3_index(name: str, *, docs: Store, base: Path) -> Store:
    """Keep the index of an S3 store where the documents are."""
    from maggma.stores import MongoStore

    from zonemelt.tasks.sqlite_store import SQLiteStore

    if type(docs) is MongoStore:
        fields = ("uri", "host", "port", "database", "username", "password", "auth_source")
        index: Store = MongoStore(
            collection_name=f"{docs.collection_name}_{name}_index",
            mongoclient_kwargs=docs.mongoclient_kwargs,
            key="blob_uuid",
            **{field: getattr(docs, field) for field in fields},
        )
        return index
    return SQLiteStore(str(base / DATABASE), f"index:{name}", key="blob_uuid")


def _s3_options(spec: S3Blobs) -> dict[str, Any]:
    return {
        "bucket": spec.bucket,
        "sub_dir": spec.prefix,
        "endpoint_url": spec.endpoint_url,
        "s3_profile": spec.profile,
        "compress": spec.compress,
        "s3_workers": spec.workers,
        "key": "blob_uuid",
    }
