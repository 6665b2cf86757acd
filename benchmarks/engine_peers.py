"""The engines that are compared, each behind one question: run this graph of so many jobs.

``python -m benchmarks.engine_peers ENGINE`` is the child of a :class:`benchmarks.sessions.Session`.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engine_graphs import GRAPHS, fan, futures
from benchmarks.sessions import measured, serve
from maggma.core import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobflow import JobStore

    Runner = Callable[[str, int], dict[str, Any]]

NAMES = {
    "ours": "zonemelt, 2 workers",
    "local": "run_locally, MemoryStore",
    "local-dict": "run_locally, dict store",
    "htex": "Parsl HTEX, 2 workers, one app a message",
    "threads": "Parsl, 2 threads",
}
WORKERS = 2
WARM_UP = 40


class DictStore(Store):
    """The least that ``run_locally`` needs of a store: documents by uuid and index, in a dictionary."""

    def __init__(self) -> None:
        super().__init__(key="uuid")
        self._documents: dict[str, dict[int, dict[str, Any]]] = {}

    @property
    def name(self) -> str:
        """What kind of store it is."""
        return "dict"

    @property
    def _collection(self) -> None:
        return None

    def connect(self, force_reset: bool = False) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to close."""

    def count(self, criteria: dict[str, Any] | None = None, hint: Any = None) -> int:  # noqa: ARG002
        """How many documents match."""
        return sum(1 for _ in self.query(criteria))

    def query(  # noqa: PLR0917 (as maggma has it)
        self,
        criteria: dict[str, Any] | None = None,
        properties: Any = None,  # noqa: ARG002
        sort: dict[str, Any] | None = None,
        skip: int = 0,  # noqa: ARG002
        limit: int = 0,
        hint: Any = None,  # noqa: ARG002
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        """The documents of one uuid, or of several."""
        wanted = (criteria or {}).get("uuid")
        uuids = wanted["$in"] if isinstance(wanted, dict) else [wanted] if wanted else list(self._documents)
        found = [d for uuid in uuids for d in self._documents.get(uuid, {}).values()]
        if "index" in (criteria or {}):
            found = [d for d in found if d["index"] == criteria["index"]]  # type: ignore[index]
        if sort:
            found.sort(key=lambda d: d["index"], reverse=next(iter(sort.values())) < 0)
        yield from found[:limit] if limit else found

    def update(self, docs: Any, key: Any = None) -> None:  # noqa: ARG002
        """Keep documents."""
        for document in docs if isinstance(docs, list) else [docs]:
            self._documents.setdefault(document["uuid"], {})[document["index"]] = document

    def ensure_index(self, key: str, unique: bool = False) -> bool:  # noqa: ARG002
        """A dictionary is its own index."""
        return True

    def remove_docs(self, criteria: dict[str, Any]) -> None:
        """Forget a uuid."""
        self._documents.pop(criteria["uuid"], None)

    def groupby(self, *_: Any, **__: Any) -> Iterator[Any]:
        """Not needed here.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError


def dict_job_store() -> JobStore:
    """A JobStore over :class:`DictStore`."""
    from jobflow import JobStore

    return JobStore(DictStore())


def _local(make_store: Callable[[], JobStore]) -> Runner:
    from jobflow import run_locally

    def run(graph: str, jobs: int) -> dict[str, Any]:
        flow = GRAPHS[graph](jobs)
        with tempfile.TemporaryDirectory() as scratch, measured() as found:
            done = run_locally(flow, store=make_store(), root_dir=scratch, log=False)
        return {**found, "done": sum(len(runs) for runs in done.values())}

    return run


@contextlib.contextmanager
def _ours(scratch: Path) -> Iterator[Runner]:
    from zonemelt.workflows.engine.pools import make_workers
    from zonemelt.workflows.engine.run import run_flow

    workers, _ = make_workers(two_workers(), scratch / "workers")
    with workers:
        run_flow(fan(WARM_UP), site=workers, directory=scratch / "warm-up")

        def run(graph: str, jobs: int) -> dict[str, Any]:
            place = scratch / f"{graph}-{jobs}"
            flow = GRAPHS[graph](jobs)
            with measured() as found:
                responses = run_flow(flow, site=workers, directory=place)
            done = sum(len(responses[uuid]) for uuid in responses) if jobs <= 1000 else len(responses)
            size = ledger_bytes(place)
            shutil.rmtree(place)
            return {**found, "done": done, "ledger_bytes": size}

        yield run


def ledger_bytes(place: Path) -> int:
    """The size of a finished campaign's ledger, its journal written back."""
    from zonemelt.tasks.sqlite import connect

    connection = connect(place / "ledger.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (place / "ledger.db").stat().st_size


def two_workers() -> Any:
    """The local site with as many workers as every peer here has."""
    from zonemelt.sites.load import load_site
    from zonemelt.sites.site import Pool

    return load_site("local").model_copy(update={"pools": {"cpu": Pool(workers=WORKERS)}})


@contextlib.contextmanager
def _parsl(scratch: Path, *, threads: bool) -> Iterator[Runner]:
    """Raw Parsl: the very executor that we use, or threads, driven by Parsl's own task graph."""
    from parsl import Config, DataFlowKernel, join_app, python_app
    from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER
    from parsl.executors import ThreadPoolExecutor

    from zonemelt.sites.parsl import parsl_config

    config = (
        Config(executors=[ThreadPoolExecutor(max_threads=WORKERS)], run_dir=str(scratch), usage_tracking=0)
        if threads
        else parsl_config(two_workers(), run_directory=scratch)
    )
    config.dependency_resolver = DEEP_DEPENDENCY_RESOLVER
    config.initialize_logging = False
    kernel = DataFlowKernel(config)
    apps: dict[Any, Any] = {}

    def call(function: Any, *arguments: Any) -> Any:
        if function not in apps:
            apps[function] = python_app(function, data_flow_kernel=kernel)
        return apps[function](*arguments)

    @join_app(data_flow_kernel=kernel)
    def join(function: Any, *arguments: Any) -> Any:
        return call(function, *arguments)

    def run(graph: str, jobs: int) -> dict[str, Any]:
        with measured() as found:
            for future in futures(graph, jobs, call, join):
                future.result()
        return {**found, "done": jobs}

    try:
        run("fan", WARM_UP)
        run("chain", 3)
        yield run
    finally:
        kernel.cleanup()


@contextlib.contextmanager
def engine(name: str) -> Iterator[Runner]:
    """An engine, warm."""
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as folder:
        scratch = Path(folder)
        if name == "ours":
            with _ours(scratch) as runner:
                yield runner
        elif name in {"htex", "threads"}:
            with _parsl(scratch, threads=name == "threads") as runner:
                yield runner
        else:
            from jobflow import JobStore
            from maggma.stores import MemoryStore

            runner = _local(dict_job_store if name == "local-dict" else lambda: JobStore(MemoryStore()))
            runner("fan", WARM_UP)
            yield runner


def main(name: str) -> None:
    """Serve one engine."""
    with engine(name) as run:
        serve(lambda question: run(question["graph"], question["jobs"]), engine=NAMES[name])


if __name__ == "__main__":
    main(sys.argv[1])
