"""A jobflow graph as rows: what the ledger stores of each job, and who waits for whom."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from jobflow import Flow, Job, JobConfig, JobOrder, OnMissing
from jobflow.utils import ValueEnum
from monty.json import MontyDecoder, MontyEncoder

from zonemelt.tasks.blobs import BlobDirectory, offload
from zonemelt.tasks.errors import GraphError, InputError
from zonemelt.workflows.engine.arguments import document_of
from zonemelt.workflows.engine.walking import referenced_uuids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_DEFAULT_CONFIG = JobConfig()
# Fields of a Job that are left out of its row while they hold their default.
_OPTIONAL = ("metadata", "metadata_updates", "config_updates", "name_updates", "hosts")


class JobRow(NamedTuple):
    """One job as the ledger stores it; also what a worker returns for the jobs a Response adds."""

    uuid: str
    index: int  # type: ignore[assignment]  # tuple.index is not needed, jobflow's word is
    name: str
    kind: str  # the function, as module.qualname
    body: str  # the job as JSON, for MontyDecoder
    parents: list[str]  # uuids it waits for
    manager_config: dict[str, Any]
    needs_parents: bool  # on_missing_references is ERROR
    expose_store: bool


def job_rows(node: Flow | Job, *, blobs: BlobDirectory | None = None) -> list[JobRow]:
    """Turn a flow into rows, in its order, with the waiting that linear flows ask for.

    Cost is linear in the number of jobs and references; nothing is resolved.

    Args:
        node: the flow or job.
        blobs: where large arrays among the arguments go; None leaves them in the row.

    Raises:
        InputError: an argument that cannot be serialised, or a function a worker cannot import.
    """
    rows: dict[str, JobRow] = {}
    _collect(node, rows, blobs)
    return list(rows.values())


def _collect(node: Flow | Job, rows: dict[str, JobRow], blobs: BlobDirectory | None) -> list[str]:
    if isinstance(node, Job):
        rows[node.uuid] = _row(node, blobs)
        return [node.uuid]
    members = [_collect(child, rows, blobs) for child in node.jobs]
    if node.order == JobOrder.LINEAR:
        for before, after in pairwise(members):
            ends, begins = leaves([rows[u] for u in before]), set(after)
            for uuid in after:
                parents = rows[uuid].parents
                if not begins.intersection(parents):
                    parents.extend(end for end in ends if end not in parents)
    return [uuid for member in members for uuid in member]


def leaves(rows: Sequence[JobRow]) -> list[str]:
    """The uuids among ``rows`` that none of the others waits for."""
    waited_for = {parent for row in rows for parent in row.parents}
    return [row.uuid for row in rows if row.uuid not in waited_for]


def _row(job: Job, blobs: BlobDirectory | None) -> JobRow:
    body = encode_job(job, blobs=blobs)
    config = job.config
    return JobRow(
        uuid=job.uuid,
        index=job.index,
        name=job.name,
        kind=kind_of(job),
        body=body,
        parents=[uuid for uuid in referenced_uuids(body) if uuid != job.uuid],
        manager_config=config.manager_config,
        needs_parents=OnMissing(config.on_missing_references) is OnMissing.ERROR,  # a text, once decoded
        expose_store=config.expose_store,
    )


def kind_of(job: Job) -> str:
    """What a job's function is called, with its module."""
    function = job.function
    return f"{function.__module__}.{getattr(function, '__qualname__', function.__name__)}"


def encode_job(job: Job, *, blobs: BlobDirectory | None = None) -> str:
    """Serialise a job: the same fields as ``Job.as_dict`` without those that hold defaults.

    Unlike ``as_dict`` arrays stay arrays, as they do for ``run_locally``.

    Raises:
        InputError: see :func:`job_rows`.
    """
    _check_importable(job)
    document: dict[str, Any] = {
        "@module": "jobflow.core.job",
        "@class": "Job",
        "function": job.function,
        "function_args": list(job.function_args),
        "function_kwargs": job.function_kwargs,
        "uuid": job.uuid,
        "index": job.index,
        "name": job.name,
    }
    if blobs is not None:
        document["function_args"] = offload(document["function_args"], blobs)
        document["function_kwargs"] = offload(job.function_kwargs, blobs)
    if job.output_schema is not None:
        document["output_schema"] = job.output_schema
    if job.config != _DEFAULT_CONFIG:
        document["config"] = job.config
    for field in _OPTIONAL:
        if value := getattr(job, field):
            document[field] = value
    document.update(job._kwargs)  # noqa: SLF001 (the one place jobflow keeps what goes to which store)
    try:
        text = _ENCODER.encode(document)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"an argument cannot be serialised: {error}",
            where=f"job '{job.name}'",
            remedy="pass numbers, texts, lists, dicts, arrays or MSONable objects, and large files "
            "by their path",
        ) from error
    return _importable_main(text)


class _Encoder(MontyEncoder):
    """Monty's encoder, which does not know jobflow's enumerations: their ``as_dict`` gives a text."""

    def default(self, o: Any) -> Any:
        if isinstance(o, FunctionType):
            return _function(o)
        if (document := document_of(o)) is not None:
            return document
        if isinstance(o, ValueEnum):
            return {"@module": type(o).__module__, "@class": type(o).__name__, "value": o.value}
        return super().default(o)


_ENCODER = _Encoder(separators=(",", ":"))
_DECODER = MontyDecoder()


@lru_cache  # the jobs of a campaign share a few functions
def _function(function: FunctionType) -> dict[str, Any]:
    if "<" in function.__qualname__:  # of a lambda, or within another function
        raise TypeError(f"the function {function.__qualname__} cannot be imported on a worker")
    named: dict[str, Any] = MontyEncoder().default(function)
    return named


def decode_job(body: str) -> Job:
    """The job that :func:`encode_job` serialised."""
    document: dict[str, Any] = json.loads(body)
    return Job(**{k: _DECODER.process_decoded(v) for k, v in document.items() if not k.startswith("@")})


def _check_importable(job: Job) -> None:
    qualname = getattr(job.function, "__qualname__", "")
    if "<locals>" in qualname or "<lambda>" in qualname:
        raise InputError(
            f"its function {qualname} cannot be imported on a worker",
            where=f"job '{job.name}'",
            remedy="define the function at the top level of a module",
        )


def _importable_main(text: str) -> str:
    """Name the running script by its module name, so that workers can import it."""
    if '"@module":"__main__"' not in text:
        return text
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    spec = getattr(main, "__spec__", None)
    if path is None or not Path(path).exists():  # a notebook, a prompt, a pipe
        raise InputError(
            "a job defined in an interactive session cannot be imported on a worker",
            where="__main__",
            remedy="put the job functions into a module and import them",
        )
    module = spec.name if spec is not None else Path(path).stem
    return text.replace('"@module":"__main__"', f'"@module":"{module}"')


def check_acyclic(rows: Iterable[JobRow]) -> None:
    """Refuse a graph whose jobs wait for one another.

    Raises:
        GraphError: with jobflow's own words, as its managers do.
    """
    parents = {row.uuid: set(row.parents) for row in rows if row.parents}
    children: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for child, above in parents.items():
        inner = above & parents.keys()
        waiting[child] = len(inner)
        for parent in inner:
            children.setdefault(parent, []).append(child)
    free = [uuid for uuid, count in waiting.items() if count == 0]
    freed = 0
    while free:
        freed += 1
        for child in children.get(free.pop(), ()):
            waiting[child] -= 1
            if waiting[child] == 0:
                free.append(child)
    if freed < len(parents):
        raise GraphError(
            "Job connectivity contains cycles therefore job execution order cannot be determined."
        )


def skeleton(flow: Flow) -> dict[str, Any]:
    """A flow without its jobs' bodies: enough, with the ledger's rows, to rebuild it."""
    return {
        "name": flow.name,
        "order": flow.order.value,
        "uuid": flow.uuid,
        "hosts": flow.hosts,
        "metadata": flow.metadata,
        "output": json.loads(json.dumps(flow.output, cls=MontyEncoder)),
        "jobs": [
            skeleton(child) if isinstance(child, Flow) else [child.uuid, child.index] for child in flow.jobs
        ],
    }


def rebuild(plan: dict[str, Any], body: Callable[[str, int], str]) -> Flow:
    """The flow of a :func:`skeleton`; ``body(uuid, index)`` gives the jobs."""
    jobs = [
        rebuild(child, body) if isinstance(child, dict) else decode_job(body(*child))
        for child in plan["jobs"]
    ]
    for child in jobs:
        child.hosts = []
    return Flow(
        jobs=jobs,
        output=MontyDecoder().process_decoded(plan["output"]),
        name=plan["name"],
        order=JobOrder(plan["order"]),
        uuid=plan["uuid"],
        hosts=plan["hosts"],
        metadata=plan["metadata"],
    )
