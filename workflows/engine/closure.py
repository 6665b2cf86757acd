"""The stores a job sees on a worker: what its references reach came with it, what it writes is caught."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from jobflow import JobStore
from jobflow.core.schemas import JobStoreDocument
from maggma.core import Store
from mongomock.filtering import filter_applies
from monty.json import jsanitize

from zonemelt.tasks.documents import loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ClosureStore(Store):
    """Documents in memory, found by their key without a scan.

    It answers what jobflow asks while a job runs (by ``uuid``, by ``blob_uuid``, by ``$in`` of either), and
    anything else by scanning the few documents that travelled.

    Args:
        key: the field that names a document.
    """

    def __init__(self, key: str = "uuid") -> None:
        super().__init__(key=key)
        self.written: list[dict[str, Any]] = []
        self._texts: dict[str, list[str]] = {}
        self._documents: dict[str, list[dict[str, Any]]] = {}

    @property
    def name(self) -> str:
        """What kind of store it is."""
        return "closure"

    @property
    def _collection(self) -> None:
        return None

    def connect(self, force_reset: bool = False) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to close."""

    def fill(self, texts: dict[str, str]) -> None:
        """Replace the content.

        Args:
            texts: key → document, JSON. A document is decoded when it is first asked for.
        """
        self.written = []
        self._texts = {key: [text] for key, text in texts.items()}
        self._documents = {}

    def put(self, key: str, text: str) -> None:
        """Let the jobs that follow find a document (JSON) under a key, and nothing else there."""
        self._texts[key] = [text]
        self._documents.pop(key, None)

    def take_written(self) -> list[dict[str, Any]]:
        """What the job wrote; the next job starts with nothing written."""
        written, self.written = self.written, []
        return written

    def _of(self, key: str) -> list[dict[str, Any]]:
        if key not in self._documents:
            self._documents[key] = [loads(text) for text in self._texts.get(key, ())]
        return self._documents[key]

    def _candidates(self, criteria: dict[str, Any]) -> Iterable[dict[str, Any]]:
        wanted = criteria.get(self.key)
        if isinstance(wanted, str):
            return self._of(wanted)
        keys = wanted["$in"] if isinstance(wanted, dict) and "$in" in wanted else self._keys()
        return (document for key in keys for document in self._of(key))

    def _keys(self) -> Iterable[str]:
        return dict.fromkeys([*self._texts, *self._documents])

    def query(
        self,
        criteria: dict[str, Any] | None = None,
        properties: Any = None,  # noqa: ARG002 (documents are given whole)
        sort: dict[str, Any] | None = None,
        skip: int = 0,
        limit: int = 0,
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        """The documents that match, with MongoDB's semantics."""
        criteria = criteria or {}
        simple = criteria.keys() <= {self.key}
        found = [d for d in self._candidates(criteria) if simple or filter_applies(criteria, d)]  # type: ignore[no-untyped-call]
        for field, direction in reversed((sort or {}).items()):
            found.sort(key=itemgetter(field), reverse=int(direction) < 0)
        yield from found[skip : skip + limit if limit else None]

    def count(self, criteria: dict[str, Any] | None = None, hint: Any = None) -> int:  # noqa: ARG002
        """How many documents match."""
        return len(list(self.query(criteria)))

    def update(self, docs: Any, key: Any = None) -> None:  # noqa: ARG002
        """Catch what the job writes."""
        for document in docs if isinstance(docs, list) else [docs]:
            self.written.append(document)
            self._of(document[self.key]).append(document)

    def remove_docs(self, criteria: dict[str, Any]) -> None:
        """Forget documents."""
        for document in list(self.query(criteria)):
            self._of(document[self.key]).remove(document)

    def ensure_index(self, key: str, unique: bool = False) -> bool:  # noqa: ARG002
        """Nothing to index."""
        return True

    def groupby(self, *_: Any, **__: Any) -> Iterator[Any]:
        """Not offered.

        Raises:
            TypeError: always; a job that aggregates asks for the real store with ``expose_store``.
        """
        raise TypeError("a job without expose_store sees only the outputs it references")


class ClosureStores(dict[str, ClosureStore]):
    """The additional stores of a job, made when they are named."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[str] | None = None
        self.texts: dict[str, str] = {}

    def fill(self, texts: dict[str, str], known: list[str] | None) -> None:
        """Replace the content; ``known`` are the names there are, None allows any."""
        self.texts, self.known = texts, known
        for store in self.values():
            store.fill(texts)

    def __missing__(self, name: str) -> ClosureStore:
        if self.known is not None and name not in self.known:
            raise KeyError(name)
        store = self[name] = ClosureStore("blob_uuid")
        store.fill(self.texts)
        return store

    def get(self, name: str, default: Any = None) -> Any:
        """The store of that name; jobflow asks with ``get`` when it loads."""
        try:
            return self[name]
        except KeyError:
            return default


class ClosureJobStore(JobStore):
    """A JobStore that does not sanitise an output again: ``Job.run`` gives it sanitised."""

    def update(self, docs: Any, key: Any = None, save: Any = None) -> None:
        """Catch what the job writes, as ``JobStore.update`` would have written it."""
        if save or not isinstance(docs, JobStoreDocument):
            super().update(docs, key=key, save=save)
            return
        self.docs_store.update(
            {
                field: value if field == "output" else jsanitize(value, strict=True, allow_bson=True)
                for field, value in docs
            }
            | _document_marks()
        )


@cache
def _document_marks() -> dict[str, Any]:
    """The fields by which monty names the class of an output document."""
    document = jsanitize(JobStoreDocument.model_construct(), strict=True)
    return {field: value for field, value in document.items() if field.startswith("@")}


@cache  # maggma registers a log handler for every store that is made: a worker makes these once
def _job_store() -> JobStore:
    store = ClosureJobStore(ClosureStore("uuid"))
    store.additional_stores = ClosureStores()  # type: ignore[has-type]
    return store


def closure_job_store(outputs: dict[str, str], blobs: dict[str, str], *, known: list[str] | None) -> JobStore:
    """The JobStore that jobs of this process run against, filled for those of one chunk.

    Args:
        outputs: uuid → document of each output that references reach.
        blobs: blob_uuid → document of the additional stores.
        known: names of the additional stores; None allows any.
    """
    store = _job_store()
    documents: ClosureStore = store.docs_store  # type: ignore[assignment]
    documents.fill(outputs)
    additional: ClosureStores = store.additional_stores  # type: ignore[has-type]
    additional.fill(blobs, known)
    return store
