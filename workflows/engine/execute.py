"""Run one jobflow job where it stands: resolve, call, and turn what it returns into plain values."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from jobflow import OnMissing, OutputReference, Response
from monty.json import jsanitize

from zonemelt.tasks.blobs import ATOMS, BlobDirectory, FileReference, offload, to_lists
from zonemelt.tasks.documents import dumps
from zonemelt.workflows.engine.closure import ClosureStore
from zonemelt.workflows.engine.graph import decode_job, job_rows, kind_of, skeleton
from zonemelt.workflows.engine.sources import source_digest
from zonemelt.workflows.engine.walking import BLOB, REFERENCE, blob_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobflow import Job, JobStore

    from zonemelt.workflows.engine.closure import ClosureStores
    from zonemelt.workflows.engine.results import Result, Task

# Above this many bytes of JSON an output goes to a file of its own.
LARGE_DOCUMENT = 1 << 20
# What leads to other outputs stays in its document: the head must see it, and jobflow follow it.
_FOLLOWED = (REFERENCE, BLOB)
_DIVERSIONS = ("replace", "detour", "addition")


def execute(task: Task, blobs: BlobDirectory, store: JobStore) -> Result:
    """Run a job by jobflow's own ``Job.run`` and return what the ledger needs to know.

    Args:
        task: the job.
        blobs: where large arrays go; they never become JSON lists.
        store: what it runs against: a closure store, or for a job with ``expose_store`` the real one.

    Returns:
        The fields of a success.

    Raises:
        Exception: whatever the job raises.
    """
    documents: Any = store.docs_store
    closed = isinstance(documents, ClosureStore)
    with blobs.active():
        job = decode_job(task.body)
        kind = kind_of(job)
        if task.quorum:
            job.config.on_missing_references = OnMissing.NONE
        schema: Any = job.output_schema
        late = False
        if closed and not job._kwargs and schema is None:  # noqa: SLF001 (what goes to which store)
            plain = _is_plain([job.function_args, job.function_kwargs])
            late = plain and job.config.resolve_references is True
            job.__dict__["function"] = _offloading(job, blobs, late=late)
    with blobs.active(as_lists="late" if late else True):
        response = job.run(store=store)
    result: Result = {"ok": True, "uuid": job.uuid, "index": job.index}
    if closed:
        _take_caught(store, result, blobs)
    else:
        stored: dict[str, Any] = store.query_one({"uuid": job.uuid, "index": job.index}) or {}
        stored.pop("_id", None)
        result["document"] = dumps(stored)
        _take_stored(store, stored, result)
    _describe(response, result, blobs)
    if (digest := source_digest(kind)) is not None:
        result["source"] = kind, digest
    return result


def _is_plain(value: Any) -> bool:
    """Whether arguments hold references in plain containers only: no object is made from a resolved one."""
    kind = type(value)
    if kind is dict:
        return all(map(_is_plain, value.values()))
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind in ATOMS or kind is OutputReference


def _offloading(job: Job, blobs: BlobDirectory, *, late: bool) -> Callable[..., Any]:
    """The job's function; large arrays in what it returns become file references.

    This must happen before jobflow sees the output: it would turn every array into nested lists. Arrays that
    it takes become lists only here where that is ``late``: jobflow would walk over every number of them.
    """
    function = getattr(job.function, "original", job.function)
    bound = getattr(job.function, "__self__", None)
    if bound is not None and not isinstance(bound, types.ModuleType):
        function = types.MethodType(function, bound)

    def call(*args: Any, **kwargs: Any) -> Any:
        if late:
            args, kwargs = to_lists(args), to_lists(kwargs)
        with blobs.active(as_lists=True):
            returned = function(*args, **kwargs)
        if isinstance(returned, Response):
            returned.output = offload(returned.output, blobs)
            return returned
        return offload(returned, blobs)

    return call


def _take_caught(store: JobStore, result: Result, blobs: BlobDirectory) -> None:
    """Put the documents a job wrote into the result, large parts in files."""
    documents: ClosureStore = store.docs_store  # type: ignore[assignment]
    (document,) = documents.take_written()
    text = dumps(document)
    if len(text) > LARGE_DOCUMENT:
        document["output"] = _in_a_file(document["output"], blobs)
        text = dumps(document)
    result["document"] = text
    additional: ClosureStores = store.additional_stores  # type: ignore[has-type]
    for name, blob_store in additional.items():
        if written := blob_store.take_written():
            for blob in written:
                blob["data"] = _in_a_file(blob["data"], blobs)
            result.setdefault("blobs", {})[name] = [dumps(blob) for blob in written]


def _take_stored(store: JobStore, document: dict[str, Any], result: Result) -> None:
    """Put into the result what a job wrote into additional stores: the ledger has what its output names."""
    additional: Any = store.additional_stores  # type: ignore[has-type]
    for name, blob_uuid in blob_names(document):
        blob = additional[name].query_one({"blob_uuid": blob_uuid})
        if blob is not None:
            blob.pop("_id", None)
            result.setdefault("blobs", {}).setdefault(name, []).append(dumps(blob))


def _in_a_file(value: Any, blobs: BlobDirectory) -> Any:
    """A reference to a file with the value; the value itself where it leads to other outputs."""
    text = dumps(value)
    if any(mark in text for mark in _FOLLOWED):
        return value
    data = text.encode()
    return FileReference("json", sha256=blobs.put(data, kind="json"), nbytes=len(data)).as_dict()


def _describe(response: Response[Any], result: Result, blobs: BlobDirectory) -> None:
    """Put what the response holds besides the output into the result."""
    described: dict[str, Any] = {}
    rows = {}
    for diversion in _DIVERSIONS:
        flow = getattr(response, diversion)
        if flow is not None:
            described[diversion] = skeleton(flow)
            rows[diversion] = job_rows(flow, blobs=blobs)
    if response.stored_data is not None:
        described["stored_data"] = jsanitize(response.stored_data, strict=True, enum_values=True)
    for flag in ("stop_children", "stop_jobflow"):
        if getattr(response, flag):
            described[flag] = True
    if described:
        result["response"] = described
    if rows:
        result["rows"] = rows
