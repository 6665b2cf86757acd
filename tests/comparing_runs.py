"""Compare what ``jobflow.run_locally`` and ``run_flow`` leave behind: documents, blobs and responses."""

from __future__ import annotations

import difflib
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyEncoder, jsanitize

from zonemelt.tasks.stores import open_store
from zonemelt.workflows.engine.run import run_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ADDITIONAL = ("data", "other")


@dataclass
class Run:
    """What a run left behind, in a form that compares: uuids of blobs and flows numbered as they appear."""

    documents: list[dict[str, Any]]
    blobs: dict[str, list[dict[str, Any]]]
    responses: dict[str, dict[int, dict[str, Any]]]

    @property
    def ran(self) -> set[tuple[str, int]]:
        return {(uuid, index) for uuid, found in self.responses.items() for index in found}

    def output(self, uuid: str) -> Any:
        """The latest output."""
        return [d["output"] for d in self.documents if d["uuid"] == uuid][-1]


def memory_store() -> JobStore:
    return JobStore(MemoryStore(), additional_stores={name: MemoryStore() for name in ADDITIONAL})


def built(build: Callable[[], Any]) -> Any:
    """Build a graph whose uuids are numbers, so that building it twice gives the same one."""
    numbers = itertools.count(1)

    def uuid() -> str:
        return f"00000000-0000-4000-8000-{next(numbers):012d}"

    with mock.patch("jobflow.core.job.suid", uuid), mock.patch("jobflow.core.flow.suid", uuid):
        return build()


def reference(flow: Any, *, store: JobStore | None = None, root: Path | None = None, **options: Any) -> Run:
    """Run by ``run_locally``."""
    store = store or memory_store()
    responses = run_locally(flow, store=store, log=False, root_dir=root, **options)
    return taken(store, responses)


def ours(flow: Any, directory: Path, site: Any, **options: Any) -> Run:
    """Run by ``run_flow``; outputs in the campaign directory."""
    responses = run_flow(flow, site=site, directory=directory, **options)
    return of_campaign(directory, responses)


def of_campaign(directory: Path, responses: Mapping[str, Any]) -> Run:
    store = open_store(None, directory=directory)
    store.connect()
    try:
        return taken(store, responses)
    finally:
        store.close()


def taken(store: JobStore, responses: Mapping[str, Any]) -> Run:
    """Read a store and responses."""
    documents = sorted(store.query({}, load=False), key=lambda d: (d["uuid"], d["index"]))
    ids = _Numbers({d["uuid"] for d in documents} | set(responses))
    for document in documents:
        document.pop("_id", None)
        document.pop("completed_at")
    documents = [ids.normal(document) for document in documents]
    blobs = {}
    for name in ADDITIONAL:
        additional = store.additional_stores[name]
        additional.connect()
        found = [{k: v for k, v in blob.items() if k != "_id"} for blob in additional.query({})]
        blobs[name] = sorted((ids.normal(blob) for blob in found), key=lambda blob: blob["blob_uuid"])
    described = {
        uuid: {index: ids.normal(_described(response)) for index, response in responses[uuid].items()}
        for uuid in sorted(responses)
    }
    return Run(documents, blobs, described)


def _described(response: Any) -> dict[str, Any]:
    """A response as plain values; flows by their structure, since run_locally resolves their arguments."""
    return {
        "output": jsanitize(response.output, strict=True, enum_values=True, allow_bson=True),
        "stored_data": jsanitize(response.stored_data, strict=True, enum_values=True),
        "stop_children": response.stop_children,
        "stop_jobflow": response.stop_jobflow,
        **{way: _structure(getattr(response, way)) for way in ("replace", "detour", "addition")},
    }


def _structure(node: Any) -> Any:
    if node is None:
        return None
    common = {"name": node.name, "uuid": node.uuid, "hosts": list(node.hosts), "metadata": node.metadata}
    if isinstance(node, Flow):
        return {
            **common, "order": node.order.value, "jobs": [_structure(child) for child in node.jobs],
            "output": json.loads(json.dumps(node.output, cls=MontyEncoder)),
        }  # fmt: skip
    return {
        **common, "index": node.index, "config": node.config.as_dict(),
        "function": getattr(node.function, "__name__", ""), "schema": str(node.output_schema),
        "updates": [node.metadata_updates, len(node.config_updates), node.name_updates],
    }  # fmt: skip


class _Numbers:
    """Names uuids that differ from run to run (blobs, flows made by jobflow) in order of appearance."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._names: dict[str, str] = {}

    def normal(self, node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {k: self.normal(v, k) for k, v in node.items()}
        if isinstance(node, list | tuple):
            return [self.normal(v, key) for v in node]
        if key in {"blob_uuid", "hosts", "uuid"} and isinstance(node, str) and node not in self._known:
            return self._names.setdefault(node, f"{key} {len(self._names)}")
        return node


def text(value: Any) -> str:
    """A text that is equal where values are, NaN included."""
    return json.dumps(value, indent=1, sort_keys=True, default=repr)


def assert_same(found: Run, expected: Run) -> None:
    """Compare two runs, document by document."""
    _assert_equal(
        *([f"{d['uuid']} {d['index']} {d['name']}" for d in run.documents] for run in (found, expected))
    )
    for mine, theirs in zip(found.documents, expected.documents, strict=True):
        _assert_equal(mine, theirs)
    _assert_equal(found.blobs, expected.blobs)
    assert found.ran == expected.ran
    for uuid, responses in expected.responses.items():
        for index, response in responses.items():
            _assert_equal(found.responses[uuid][index], response)


def _assert_equal(mine: Any, theirs: Any) -> None:
    lines = difflib.unified_diff(
        text(theirs).splitlines(), text(mine).splitlines(), "run_locally", "run_flow", n=4
    )
    difference = [line[:200] for line in itertools.islice(lines, 60)]
    if difference:
        pytest.fail("\n".join(difference))
