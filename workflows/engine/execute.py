"""Run one jobflow job where it stands: resolve, call, and turn what it returns into plain values."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from jobflow import OnMissing, Response
from monty.json import jsanitize

from zonemelt.tasks.blobs import BlobDirectory, offload, put_json
from zonemelt.tasks.documents import dumps
from zonemelt.workflows.engine.closure import ClosureStore, ClosureStores, closure_job_store
from zonemelt.workflows.engine.graph import decode_job, job_rows, skeleton

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import Job, JobStore

    from zonemelt.workflows.engine.results import Result, Task

# Above this many bytes of JSON an output goes to a file of its own.
LARGE_DOCUMENT = 1 << 20
_DIVERSIONS = ("replace", "detour", "addition")


def execute(
    task: Task, blobs: BlobDirectory, *, known: list[str] | None, store: JobStore | None = None
) -> Result:
    """Run a job by jobflow's own ``Job.run`` and return what the ledger needs to know.

    Args:
        task: the job and what its references reach.
        blobs: where large arrays go; they never become JSON lists.
        known: names of the additional stores; None allows any.
        store: a store to run against instead, for a job with ``expose_store``.

    Returns:
        The fields of a success.

    Raises:
        Exception: whatever the job raises.
    """
    seen = store or closure_job_store(task.outputs, task.blobs, known=known)
    with blobs.active():
        job = decode_job(task.body)
        if task.quorum:
            job.config.on_missing_references = OnMissing.NONE
        if not job._kwargs and job.output_schema is None:  # noqa: SLF001 (as jobflow: what goes to which store)
            job.__dict__["function"] = _offloading(job, blobs)
        response = job.run(store=seen)
    result: Result = {"ok": True, "uuid": job.uuid, "index": job.index}
    if store is None:
        result["document"], result["blobs"] = _caught(seen, blobs)
    else:
        result["document"] = dumps(store.query_one({"uuid": job.uuid, "index": job.index}))
        result["blobs"] = {}
    _describe(response, result, blobs)
    return result


def _offloading(job: Job, blobs: BlobDirectory) -> Callable[..., Any]:
    """The job's function; large arrays in what it returns become file references.

    This must happen before jobflow sees the output: it would turn every array into nested lists.
    """
    function = getattr(job.function, "original", job.function)
    bound = getattr(job.function, "__self__", None)
    if bound is not None and not isinstance(bound, types.ModuleType):
        function = types.MethodType(function, bound)

    def call(*args: Any, **kwargs: Any) -> Any:
        returned = function(*args, **kwargs)
        if isinstance(returned, Response):
            returned.output = offload(returned.output, blobs)
            return returned
        return offload(returned, blobs)

    return call


def _caught(store: JobStore, blobs: BlobDirectory) -> tuple[str, dict[str, list[str]]]:
    """The documents a job wrote, large parts in files."""
    documents: ClosureStore = store.docs_store
    (document,) = documents.written
    text = dumps(document)
    if len(text) > LARGE_DOCUMENT:
        document["output"] = put_json(document["output"], blobs).as_dict()
        text = dumps(document)
    additional: ClosureStores = store.additional_stores
    caught = {}
    for name, blob_store in additional.items():
        for blob in blob_store.written:
            blob["data"] = put_json(blob["data"], blobs).as_dict()
        caught[name] = [dumps(blob) for blob in blob_store.written]
    return text, {name: texts for name, texts in caught.items() if texts}


def _describe(response: Response, result: Result, blobs: BlobDirectory) -> None:
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


def job_directory(directory: Path, uuid: str, index: int) -> Path:
    """Where a job runs: two levels, so that no folder holds a million entries."""
    return directory / "jobs" / uuid[-2:] / f"{uuid}_{index}"
