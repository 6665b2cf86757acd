"""What a job needs to run travels with it: every output that its references reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zonemelt.tasks.documents import dumps
from zonemelt.workflows.engine.walking import BLOB, blob_names, referenced_uuids

if TYPE_CHECKING:
    from jobflow import JobStore

    from zonemelt.workflows.engine.ledger import Ledger

_UNRESOLVED = '"resolve_references":false'


class Inputs:
    """Gathers what the jobs of a chunk need; an output that several of them reference is sent once.

    Args:
        ledger: where outputs are.
        store: where outputs of other campaigns are (external references); None: there are none.
    """

    def __init__(self, ledger: Ledger, store: JobStore | None) -> None:
        self._ledger = ledger
        self._store = store
        self.outputs: dict[str, str] = {}  # uuid → document
        self.blobs: dict[str, str] = {}  # blob_uuid → document

    def add(self, body: str) -> None:
        """Add what a job reaches.

        References inside outputs count too, wherever these are: the output of a job that was replaced by a
        flow holds references to the outputs of that flow.
        """
        if _UNRESOLVED in body and json.loads(body).get("config", {}).get("resolve_references") is False:
            return
        queue = referenced_uuids(body)
        while queue:
            uuid = queue.pop()
            if uuid in self.outputs or (text := self._output(uuid)) is None:
                continue
            self.outputs[uuid] = text
            queue += referenced_uuids(text)
            if BLOB in text:
                for store, blob_uuid in blob_names(json.loads(text)):
                    if (blob := self._ledger.blob(store, blob_uuid)) is not None:
                        self.blobs[blob_uuid] = blob
                        queue += referenced_uuids(blob)

    def _output(self, uuid: str) -> str | None:
        text = self._ledger.output_of(uuid)
        if text is not None or self._store is None:
            return text
        document = self._store.query_one({"uuid": uuid}, sort={"index": -1}, load=True)
        if document is None:
            return None
        document.pop("_id", None)
        return dumps(document)
