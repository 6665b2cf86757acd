"""Brings outputs from the ledger to the store a person chose, and waits where that store is away.

The ledger is the truth; a MongoDB, say, is a copy that lags by moments. Each output that has not been
delivered stands in the table ``outbox``; delivery is an upsert by uuid and index, so repeating one after a
crash changes nothing. Blobs go before the document that names them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.blobs import BlobDirectory, hydrate
from zonemelt.tasks.documents import loads
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.sqlite import connect, quote
from zonemelt.workflows.engine.schema import BLOB_KEY, FILE_NAME, OUTPUTS, additional_collection
from zonemelt.workflows.engine.walking import blob_names, file_references

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path
    from typing import Self

    from jobflow import JobStore

logger = logging.getLogger("zonemelt.engine")

_BATCH = 200
_PAUSE = 0.5  # seconds between looks at the outbox
_REST = 5.0  # seconds after the store did not answer
# MongoDB refuses documents above 16 MB: a larger output keeps its file reference.
_LARGEST = 15_000_000


class Mirror:
    """Delivers outputs in a thread of its own; a context manager.

    Args:
        directory: the campaign directory.
        store: where to; connected.
    """

    def __init__(self, directory: Path, store: JobStore) -> None:
        self.store = store
        self._additional: Any = store.additional_stores  # type: ignore[has-type]
        self._path = directory / FILE_NAME
        self._blobs = BlobDirectory(directory / "blobs")
        self._stop = threading.Event()
        self._delivering = threading.Lock()
        self._thread = threading.Thread(target=self._deliver_all, name="mirror", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def flush(self, *, patience: float = 60.0) -> None:
        """Deliver everything now.

        Args:
            patience: seconds to try while the store does not answer.

        Raises:
            StoreError: it did not answer; the outputs are safe in the ledger, and ``resume`` delivers them.
        """
        until = time.monotonic() + patience
        connection = connect(self._path)
        try:
            while True:
                try:
                    while self._deliver(connection):
                        pass
                    return
                except Exception as error:
                    if time.monotonic() > until:
                        left = connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]
                        raise StoreError(
                            f"the store does not take {left} outputs ({type(error).__name__})",
                            where=type(self.store.docs_store).__name__,
                            remedy="they are safe in the campaign directory: `zonemelt resume` delivers "
                            "them when the store is back",
                        ) from error
                    time.sleep(_PAUSE)
        finally:
            connection.close()

    def _deliver_all(self) -> None:
        connection = connect(self._path)
        pause = _PAUSE
        while not self._stop.wait(pause):
            try:
                pause = 0.0 if self._deliver(connection) else _PAUSE
            except Exception as error:  # noqa: BLE001 (every store has its own ways to be away)
                logger.warning("the store does not answer (%s); outputs wait for it", type(error).__name__)
                pause = _REST
        connection.close()

    def _deliver(self, connection: sqlite3.Connection) -> bool:
        """Deliver one batch; False where there is nothing left."""
        with self._delivering:
            rows = connection.execute(
                f"SELECT outbox.job, doc FROM outbox JOIN jobs ON jobs.id = outbox.job JOIN {OUTPUTS}"
                f' ON {OUTPUTS}.uuid = jobs.uuid AND {OUTPUTS}."index" = jobs."index"'
                " ORDER BY outbox.job LIMIT ?",
                (_BATCH,),
            ).fetchall()
            if not rows:
                return False
            documents = [self._whole(text) for _, text in rows]
            for document in documents:
                self._deliver_blobs(connection, document)
            self.store.docs_store.update(documents, key=["uuid", "index"])
            delivered = json.dumps([job for job, _ in rows])  # one statement is a transaction of its own
            connection.execute(
                "DELETE FROM outbox WHERE job IN (SELECT value FROM json_each(?))", (delivered,)
            )
        return True

    def _whole(self, text: str) -> dict[str, Any]:
        """A document as jobflow would have stored it, unless that is too large for any database."""
        document: dict[str, Any] = loads(text)
        if "FileReference" not in text:
            return document
        whole: dict[str, Any] = hydrate(document, self._blobs)
        return whole if _size(document, text) <= _LARGEST else document

    def _deliver_blobs(self, connection: sqlite3.Connection, document: dict[str, Any]) -> None:
        for name, blob_uuid in blob_names(document):
            collection = quote(additional_collection(name))
            row = connection.execute(
                f"SELECT doc FROM {collection} WHERE {BLOB_KEY[0]} = ?", (blob_uuid,)
            ).fetchone()
            if row is not None:
                blob = hydrate(loads(row[0]), self._blobs)
                self._additional[name].update([blob], key="blob_uuid")


def _size(document: Any, text: str) -> int:
    """Bytes of a document, large parts included, without writing them out."""
    files = (one for one in file_references(document) if one["@class"] == "FileReference")
    return len(text) + sum(3 * int(one["nbytes"]) for one in files)  # a float is three times as long in text
