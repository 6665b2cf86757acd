"""A Maggma store in one SQLite file: durable, concurrent, and as fast at 10⁶ documents as at 10².

Queries are MongoDB's. A document that names files (:class:`zonemelt.tasks.blobs.FileReference`) is
read as if it held their content. Many processes may read and write at once; a killed writer loses
nothing that :meth:`SQLiteStore.update` returned from.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maggma.core import Store

from zonemelt.tasks.blobs import MARK, BlobDirectory, offload, put_json
from zonemelt.tasks.documents import dumps, loads
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.mongo import (
    check_criteria,
    criteria_fields,
    distinct_values,
    hydrate_fields,
    included,
    matches,
    project,
    projection,
    sort_documents,
    sort_order,
)
from zonemelt.tasks.pushdown import index_statement, key_value, where
from zonemelt.tasks.sqlite import (
    OUTPUT_KEY,
    Connections,
    collection_key,
    create_collection,
    quote,
    upsert_statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zonemelt.tasks.mongo import Criteria, Document

LARGE_DOCUMENT: Final = 1_000_000
"""JSON text (characters) above which the large fields of a document go to files."""
LARGE_FIELD: Final = 65_536
"""JSON text (characters) above which a field of such a document is large."""
BATCH: Final = 200
"""Documents read at once."""


class SQLiteStore(Store):
    """A collection of documents in an SQLite file.

    The key of the collection is unique, as by a unique index in MongoDB: ``uuid`` and ``index`` for
    a store whose key is ``uuid`` (what jobflow sets), otherwise the store's key alone.

    Args:
        path: the database file; created on :meth:`connect`.
        collection_name: the table.
        blobs: the directory of large values; None keeps everything in the database.
        read_only: open without writing, for a database of somebody else.
        **kwargs: of :class:`maggma.core.Store`: ``key``, ``last_updated_field``,
            ``last_updated_type``, ``validator``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        collection_name: str = "outputs",
        blobs: str | os.PathLike[str] | None = None,
        read_only: bool = False,
        **kwargs: Any,
    ) -> None:
        self.path = os.fspath(path)
        self.collection_name = collection_name
        self.blobs = None if blobs is None else os.fspath(blobs)
        self.read_only = read_only
        self.kwargs = kwargs
        if self.path == ":memory:":
            raise InputError(
                "an SQLite store needs a file", where=":memory:", remedy="use the store 'memory'"
            )
        self._table = quote(collection_name)
        self._directory = None if self.blobs is None else BlobDirectory(Path(self.blobs))
        self._connections = Connections(self.path, read_only=read_only)
        self._connected = False
        self._key: tuple[str, ...] = ()
        super().__init__(**kwargs)

    @property
    def name(self) -> str:
        """The file and the collection, as a URI."""
        return f"sqlite://{self.path}/{self.collection_name}"

    @property
    def _collection(self) -> sqlite3.Connection:
        """The connection of this thread and process.

        Raises:
            StoreError: the store is not connected.
        """
        if not self._connected:
            raise StoreError(
                "the store is not connected", where=self.name, remedy="call store.connect() first"
            )
        return self._connections.get()

    def connect(self, force_reset: bool = False) -> None:
        """Open the file and create the collection if needed.

        Raises:
            StoreError: the file cannot be opened, or the collection not be made in it.
        """
        if self._connected and not force_reset:
            return
        self.close()
        if not self.read_only:
            Path(self.path).absolute().parent.mkdir(parents=True, exist_ok=True)
        self._connected = True
        try:
            if not self.read_only:
                key = OUTPUT_KEY if self.key == OUTPUT_KEY[0] else (self.key,)
                create_collection(self._collection, self.collection_name, key=key)
            self._key = collection_key(self._collection, self.collection_name)
        except StoreError:
            self._connected = False
            raise
        except sqlite3.Error as error:
            self._connected = False
            raise StoreError(
                f"the collection cannot be opened: {error}",
                where=self.name,
                remedy="may you write there? else open it with read_only, or name another collection",
            ) from error

    def close(self) -> None:
        """Close the connections of every thread of this process."""
        self._connections.close()
        self._connected = False

    def count(self, criteria: Criteria | None = None) -> int:
        """Count the documents that match a filter; all of them at once for None."""
        if not criteria:
            statement = f"SELECT count(*) FROM {self._table}"
            connection = self._collection
            return int(connection.execute(statement).fetchone()[0]) if self._key else 0
        return sum(1 for _ in self._find(check_criteria(criteria)))

    def query(
        self,
        criteria: Criteria | None = None,
        properties: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Mapping[str, Any] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[Document]:
        """Yield the documents that match a filter, in order of arrival or sorted.

        Args:
            criteria: a MongoDB filter.
            properties: the fields to return: a list, or ``{field: 1}``, or ``{field: 0}``.
            sort: ``{field: 1}`` or ``{field: -1}``.
            skip: how many matches to leave out first.
            limit: how many to return at most; 0 for all.
        """
        spec, order = projection(properties), sort_order(sort)
        found = self._find(check_criteria(criteria))
        if order:
            fields = [field for field, _ in order]
            found = iter(sort_documents([row.load(fields) for row in found], order, key=_document))
        for row in islice(found, skip, skip + abs(limit) if limit else None):
            yield project(row.load(included(spec)).document, spec)

    def distinct(self, field: str, criteria: Criteria | None = None, all_exist: bool = False) -> list[Any]:
        """List the distinct values of a field; arrays count by their elements, as in MongoDB."""
        del all_exist  # of Maggma's signature, and ignored by its MongoStore as well
        found = self._find(check_criteria(criteria))
        return distinct_values(field, (row.load([field]).document for row in found))

    def groupby(  # noqa: PLR0917 (Maggma's signature)
        self,
        keys: list[str] | str,
        criteria: Criteria | None = None,
        properties: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Mapping[str, Any] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[tuple[Document, list[Document]]]:
        """Yield groups of the documents that have all of ``keys``, ordered by their values.

        Returns:
            Pairs of the keys with their values, and the documents (``sort``, ``skip`` and ``limit``
            apply to documents, before grouping).
        """
        import pydash

        keys = [keys] if isinstance(keys, str) else list(keys)
        names = projection(properties)
        if included(names) is not None:
            names |= dict.fromkeys(keys, 1)
        groups: dict[str, tuple[Document, list[Document]]] = {}
        for document in self.query(criteria, names, sort, skip, limit):
            if all(pydash.has(document, key) for key in keys):
                label: Document = {}
                for key in keys:
                    pydash.set_(label, key, pydash.get(document, key))
                groups.setdefault(dumps(label), (label, []))[1].append(document)
        yield from sort_documents(list(groups.values()), [(k, 1) for k in keys], key=itemgetter(0))

    def update(self, docs: list[Document] | Document, key: list[str] | str | None = None) -> None:
        """Insert or replace documents, all or none, durably when this returns.

        Args:
            docs: documents, which may hold arrays, structures and other MSONable objects.
            key: the fields that identify a document; the store's key for None.

        Raises:
            StoreError: a document lacks a key field, or cannot be written as JSON.
            ValueError: a strict validator refuses a document.
        """
        fields = [key or self.key] if not isinstance(key, list) else key
        ready: list[tuple[Document, str]] = []
        for doc in docs if isinstance(docs, list) else [docs]:
            clean = self._sanitised(doc)
            if self._valid(clean):
                missing = [field for field in fields if field not in clean]
                if missing:
                    raise StoreError(
                        f"a document lacks the key field '{missing[0]}'",
                        where=self.name,
                        remedy="add the field, or name another key in update(docs, key=…)",
                    )
                ready.append((clean, self._text(clean)))
        own = set(fields) == set(self._key)
        if not own:
            for field in fields:
                self.ensure_index(field)
        with self._connections.transaction() as connection:
            insert = upsert_statement(self.collection_name, key=self._key)
            for document, text in ready:
                row = (*(key_value(document.get(field)) for field in self._key), text)
                if own and None not in row:
                    connection.execute(insert, row)
                else:
                    self._replace(connection, {f: document[f] for f in fields}, row)

    def _replace(self, connection: sqlite3.Connection, criteria: Document, row: tuple[Any, ...]) -> None:
        """Replace the first document that matches, as MongoDB does, or insert."""
        first = next(self._find(criteria), None)
        columns = [*(quote(field) for field in self._key), "doc"]
        if first is None:
            connection.execute(upsert_statement(self.collection_name, key=self._key), row)
            return
        assignments = ", ".join(f"{column} = ?" for column in columns)
        statement = f"UPDATE OR REPLACE {self._table} SET {assignments} WHERE id = ?"
        connection.execute(statement, (*row, first.id))

    def remove_docs(self, criteria: Criteria) -> None:
        """Remove the documents that match a filter; their files stay: others may name them."""
        with self._connections.transaction() as connection:
            ids = [(row.id,) for row in self._find(check_criteria(criteria))]
            statement = f"DELETE FROM {self._table} WHERE id = ?"
            connection.executemany(statement, ids)

    def ensure_index(self, key: str, unique: bool = False) -> bool:
        """Index a field, so that equality and ``$in`` need no scan.

        Returns:
            Whether there is such an index; False for paths with array positions, or for a unique
            index over values that are not.
        """
        if key == self._key[0] and not (unique and len(self._key) > 1):
            return True
        statement = index_statement(self.collection_name, key, unique=unique)
        if statement is None:
            return False
        try:
            self._collection.execute(statement)
        except sqlite3.Error:
            return False
        return True

    def _find(self, criteria: Criteria) -> Iterator[_Row]:
        """Yield every match in order of arrival, loading only the files that the filter needs."""
        connection = self._collection
        if not self._key:  # read-only, and nothing has been written yet
            return
        condition, parameters = where(criteria, self._key)
        # Ids first: documents written while a caller reads are not seen, and batches stay small.
        ids = connection.execute(
            f"SELECT id FROM {self._table} WHERE {condition} ORDER BY id",
            parameters,
        ).fetchall()
        fields = criteria_fields(criteria)
        for start in range(0, len(ids), BATCH):
            chosen = [n for (n,) in ids[start : start + BATCH]]
            marks = ",".join("?" * len(chosen))
            rows = connection.execute(
                f"SELECT id, doc FROM {self._table} WHERE id IN ({marks}) ORDER BY id",
                chosen,
            ).fetchall()
            for n, text in rows:
                blobs = self._directory if MARK in text else None
                row = _Row(n, loads(text), blobs).load(fields)
                if not criteria or matches(criteria, row.document):
                    yield row

    def _sanitised(self, doc: Document) -> Document:
        from monty.json import jsanitize

        light = doc if self._directory is None else offload(doc, self._directory)
        try:
            clean: Document = jsanitize(light, strict=True, allow_bson=True, recursive_msonable=True)
        except AttributeError as error:
            raise StoreError(
                f"a document cannot be written as JSON: {error}",
                where=self.name,
                remedy="store numbers, text, lists, dictionaries and MSONable objects",
            ) from error
        return clean

    def _valid(self, document: Document) -> bool:
        """Apply the store's validator, as Maggma does: strict ones raise, others skip and log."""
        if self.validator is None or self.validator.is_valid(document):
            return True
        errors = self.validator.validation_errors(document)
        if getattr(self.validator, "strict", False):
            raise ValueError(errors)
        self.logger.error(errors)
        return False

    def _text(self, document: Document) -> str:
        text = dumps(document)
        if self._directory is None or len(text) < LARGE_DOCUMENT:
            return text
        return dumps(shrink(document, self._directory))

    def __eq__(self, other: object) -> bool:
        """Compare what the stores point to, not what they contain."""
        if not isinstance(other, SQLiteStore):
            return False
        fields = ("path", "collection_name", "blobs", "last_updated_field")
        return all(getattr(self, field) == getattr(other, field) for field in fields)

    def __hash__(self) -> int:
        return hash((self.path, self.collection_name, self.last_updated_field))


@dataclass(frozen=True, slots=True)
class _Row:
    """A document with its place in the table, and the files that it may name."""

    id: int
    document: Document
    blobs: BlobDirectory | None

    def load(self, fields: Iterable[str] | None) -> _Row:
        """Load the files behind some fields, all for None."""
        if self.blobs is None:
            return self
        return replace(self, document=hydrate_fields(self.document, self.blobs, fields))


def _document(row: _Row) -> Document:
    return row.document


def shrink(value: Document, blobs: BlobDirectory) -> Document:
    """Move the large fields of a document to files, the deepest dictionaries' fields first.

    Objects (dictionaries with a class) and lists are moved whole.
    """
    small: Document = {}
    for key, item in value.items():
        light = item
        if isinstance(item, (dict, list, str)) and len(dumps(item)) >= LARGE_FIELD:
            if isinstance(item, dict) and "@class" not in item:
                light = shrink(item, blobs)
            if light is item or len(dumps(light)) >= LARGE_FIELD:
                light = put_json(item, blobs).as_dict()
        small[key] = light
    return small
