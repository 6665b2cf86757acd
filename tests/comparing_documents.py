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
    "last_updated",
    "_old_ids",  # quacc's hashes of all bits of earlier atoms; numbers are compared within a tolerance
}


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a document, by path."""
    if isinstance(node, dict) and set(node) == {"__ndarray__"}:
        yield from values(node["__ndarray__"][2], path)  # of ASE; one of objects it writes as a plain list
    elif isinstance(node, dict):
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
    return found


def difference(mine: list[tuple[str, Any]], theirs: list[tuple[str, Any]]) -> str:
    """The first leaf in which two documents differ; empty where none does."""
    if [path for path, _ in mine] != [path for path, _ in theirs]:
        return f"other keys: {sorted({path for path, _ in mine} ^ {path for path, _ in theirs})[:5]}"
    for (path, one), (_, other) in zip(mine, theirs, strict=True):
        if isinstance(other, float):
            if not math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5):
                return f"{path}: {one} and not {other}"
        elif isinstance(other, str) and ("/" in other or other.startswith("elapsed time")):
            continue  # a path, a time
        elif one != other:
            return f"{path}: {one!r:.200} and not {other!r:.200}"
    return ""


def compare(make: Callable[[], Any], workers: Any, folder: Any, *, succeeds: bool = True) -> int:
    """Run a flow both ways; returns how many numbers were compared.

    Jobs of one name are compared with those of that name, whichever is equal: there is no order among them.
    """
    store = memory_store()
    local = run_locally(
        make(), store=store, root_dir=folder, create_folders=True, log=False, ensure_success=succeeds
    )
    responses = run_flow(make(), site=workers, directory=folder / "campaign", ensure_success=succeeds)
    assert len(responses) == len(local)
    own = open_store(None, directory=folder / "campaign")
    own.connect()
    mine, theirs = documents(own), documents(store)
    own.close()
    assert mine.keys() == theirs.keys()
    compared = 0
    for name, expected in theirs.items():
        left = mine[name]
        assert len(left) == len(expected), name
        for their in expected:
            differences = [difference(one, their) for one in left]
            assert "" in differences, (name, differences)
            left.pop(differences.index(""))
            compared += len(their)
    return compared
