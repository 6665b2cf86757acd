"""What a job needs to run travels with it: every output that its references reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.documents import dumps
from zonemelt.workflows.engine.graph import referenced_uuids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import JobStore

    from zonemelt.workflows.engine.ledger import Ledger

_UNRESOLVED = '"resolve_references":false'
_BLOB = '"blob_uuid"'


class Inputs:
    """Looks up outputs for the jobs of one round of dispatching.

    An output that several jobs of a chunk reference is the same object in each, so it is sent once.

    Args:
        ledger: where outputs are.
        store: where outputs of other campaigns are (external references); None: there are none.
    """

    def __init__(self, ledger: Ledger, store: JobStore | None) -> None:
        self._ledger = ledger
        self._store = store
        self._outputs: dict[str, tuple[int, str] | None] = {}

    def of(self, body: str) -> tuple[dict[str, tuple[int, str]], dict[str, str]]:
        """What a job reaches.

        References inside outputs count too: the output of a job that was replaced by a flow holds
        references to the outputs of that flow.

        Returns:
            uuid → index and document of outputs; blob_uuid → document of additional stores.
        """
        outputs: dict[str, tuple[int, str]] = {}
        blobs: dict[str, str] = {}
        if _UNRESOLVED in body:
            return outputs, blobs
        queue = referenced_uuids(body)
        while queue:
            uuid = queue.pop()
            if uuid in outputs or (found := self._output(uuid)) is None:
                continue
            outputs[uuid] = found
            queue += referenced_uuids(found[1])
            if _BLOB in found[1]:
                for store, blob_uuid in blob_names(json.loads(found[1])):
                    if (text := self._ledger.blob(store, blob_uuid)) is not None:
                        blobs[blob_uuid] = text
        return outputs, blobs

    def _output(self, uuid: str) -> tuple[int, str] | None:
        if uuid not in self._outputs:
            found = self._ledger.output_of(uuid)
            if found is None and self._store is not None:
                found = self._external(uuid)
            self._outputs[uuid] = found
        return self._outputs[uuid]

    def _external(self, uuid: str) -> tuple[int, str] | None:
        document = self._store.query_one({"uuid": uuid}, sort={"index": -1}, load=True)
        if document is None:
            return None
        document.pop("_id", None)
        return document["index"], dumps(document)


def blob_names(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if "blob_uuid" in node and "store" in node:
            yield node["store"], node["blob_uuid"]
            return
        for value in node.values():
            yield from blob_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from blob_names(value)
