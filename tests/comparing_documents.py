"""Compare the documents that another's flow leaves by ``run_locally`` and by the engine, number by number."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from comparing_runs import memory_store
from jobflow import JobStore, run_locally

from zonemelt.tasks.stores import open_store
from zonemelt.workflows.engine.run import run_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What differs between two runs of the same thing.
_PERSONAL = {
    "uuid",
    "hosts",
    "completed_at",
    "dir_name",
    "_id",
    "blob_uuid",
    "elapsed_time",
    "uuids",
    "job_dirs",
    "last_modified",
}


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a document, by path."""
    if isinstance(node, dict):
        for key in sorted(node, key=str):
            if key not in _PERSONAL:
                yield from values(node[key], f"{path}.{key}")
    elif isinstance(node, str) and node[:1] in {"{", "["} and node[-1:] in {"}", "]"}:
        yield from values(json.loads(node), path)  # such as atoms of ASE
    elif isinstance(node, list | tuple):
        for i, item in enumerate(node):
            yield from values(item, f"{path}[{i}]")
    else:
        yield path, node


def documents(store: JobStore) -> dict[str, list[list[tuple[str, Any]]]]:
    """Leaves of all documents, data of additional stores included, by the job's name."""
    found: dict[str, list[Any]] = {}
    for document in store.query({}, load=True, sort={"completed_at": 1}):
        found.setdefault(f"{document['name']} {document['index']}", []).append(list(values(document)))
    return {name: sorted(several, key=_rounded) for name, several in found.items()}


def _rounded(leaves: list[tuple[str, Any]]) -> list[float]:
    return [round(value, 3) for _, value in leaves if isinstance(value, int | float)]


def compare(make: Callable[[], Any], workers: Any, folder: Any) -> int:
    """Run a flow both ways; returns how many numbers were compared."""
    store = memory_store()
    local = run_locally(make(), store=store, root_dir=folder, log=False, ensure_success=True)
    responses = run_flow(make(), site=workers, directory=folder / "campaign", ensure_success=True)
    assert len(responses) == len(local)
    own = open_store(None, directory=folder / "campaign")
    own.connect()
    mine, theirs = documents(own), documents(store)
    own.close()
    assert mine.keys() == theirs.keys()
    compared = 0
    for name, expected in theirs.items():
        for my, their in zip(mine[name], expected, strict=True):
            assert [path for path, _ in my] == [path for path, _ in their], name
            for (path, one), (_, other) in zip(my, their, strict=True):
                if isinstance(other, float):
                    assert math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5), (name, path, one, other)
                elif not (isinstance(other, str) and "/" in other):
                    assert one == other, (name, path)
                compared += 1
    return compared
