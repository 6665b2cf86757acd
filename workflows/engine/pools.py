"""Where chunks run: Parsl executors, or the head itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from zonemelt.tasks.errors import InputError, SiteError
from zonemelt.workflows.engine.reap import reap
from zonemelt.workflows.engine.resources import Offer
from zonemelt.workflows.engine.worker import CAMPAIGN_VARIABLE, run_chunk, run_jobs

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from typing import Self

    from parsl import Config, DataFlowKernel

    from zonemelt.sites.site import Pool, Site
    from zonemelt.workflows.engine.results import Chunk, Result

    Arrived = queue.SimpleQueue[tuple[Chunk, list[Result] | BaseException]]


class Workers(Protocol):
    """What the head asks of the machine it runs on."""

    pools: Mapping[str, Offer | None]  # what a block of each gives a job, if known; the default first
    token: str

    def capacity(self, pool: str) -> int:
        """How many jobs the pool runs at once when it is whole."""

    def submit(self, pool: str, chunk: Chunk, arrived: Arrived) -> None:
        """Send a chunk out; what becomes of it is put into ``arrived``."""

    def ailing(self) -> str | None:
        """What is wrong with the machinery, in words; None while it works."""

    def restart(self) -> None:
        """Make the machinery anew; whatever was on its way is lost."""

    def nodes_in_use(self) -> int:
        """How many nodes are allocated now."""


class InlineWorkers:
    """Runs jobs in the head process, one after the other: for tests and for debugging a job."""

    pools: Mapping[str, Offer | None] = MappingProxyType({"cpu": None})
    token = ""

    def capacity(self, pool: str) -> int:  # noqa: ARG002
        """One: the head."""
        return 1

    def submit(self, pool: str, chunk: Chunk, arrived: Arrived) -> None:  # noqa: ARG002
        """Run the chunk here and now."""
        try:
            arrived.put((chunk, run_jobs(chunk)))
        except OSError as error:  # a full disk, say
            arrived.put((chunk, error))

    def ailing(self) -> str | None:
        """Nothing can be."""
        return None

    def restart(self) -> None:
        """Nothing to restart."""

    def nodes_in_use(self) -> int:
        """This one."""
        return 1


class ParslWorkers:
    """Runs chunks on Parsl's executors, each a pool.

    A context manager; workers stay warm between the flows that are run on them::

        workers, _ = make_workers("local", directory)
        with workers:
            run_flow(first, site=workers)
            run_flow(second, site=workers)

    Args:
        make_config: makes the configuration; called again after a breakdown, since Parsl's executors
            cannot be started twice.
        pools: the labels of its executors, the default pool first, with what a block of each gives a job.
        capacities: workers per pool; default: what the executors say.
    """

    def __init__(
        self,
        make_config: Callable[[], Config],
        *,
        pools: Mapping[str, Offer | None],
        capacities: dict[str, int] | None = None,
    ) -> None:
        self._make_config = make_config
        self._given = capacities or {}
        self.token = uuid.uuid4().hex
        self.pools = pools
        self._capacities: dict[str, int] = dict(self._given)
        self._kernel: DataFlowKernel | None = None
        self._seen: dict[str, float] = {}  # pool → when a manager was last connected
        self._started = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start interchanges and ask for blocks; returns before the workers are there."""
        from parsl import DataFlowKernel

        config = self._make_config()
        # Children inherit the mark by which orphans are found; Parsl starts some of them much later.
        os.environ[CAMPAIGN_VARIABLE] = self.token
        os.environ["SPT_NOENV"] = "1"  # or they write their titles over it, and /proc shows it no more
        with _deaf_children():
            self._kernel = DataFlowKernel(config)
        for executor in config.executors:
            _limit_waiting(executor)
        self._capacities = {e.label: self._given.get(e.label) or _capacity(e) for e in config.executors}
        self._seen = dict.fromkeys(self.pools, 0.0)
        self._started = time.monotonic()

    def close(self) -> None:
        """Stop the workers and everything that was started for them."""
        if self._kernel is not None:
            kernel, self._kernel = self._kernel, None
            _clean_up(kernel)
        os.environ.pop(CAMPAIGN_VARIABLE, None)
        reap(self.token)

    def restart(self) -> None:
        """Make everything anew."""
        kernel, self._kernel = self._kernel, None
        reap(self.token)
        if kernel is not None:
            _clean_up(kernel)
        self.start()

    def capacity(self, pool: str) -> int:
        """How many workers the pool has when all its blocks are up."""
        return self._capacities[pool]

    def submit(self, pool: str, chunk: Chunk, arrived: Arrived) -> None:
        """Send a chunk to an executor.

        Parsl's task graph is not used: dependencies, retries and memory are the ledger's.
        """
        assert self._kernel is not None, "start the workers first"

        def done(future: Future[bytes]) -> None:
            error = future.exception()
            arrived.put((chunk, json.loads(future.result()) if error is None else error))

        executor: Any = self._kernel.executors[pool]
        if _is_dead(executor):
            return  # sending would wait forever; what ails it is seen soon, and then all of this goes again
        try:
            future = executor.submit(run_chunk, {}, chunk.encode())
        except Exception as error:  # noqa: BLE001 (an executor that gave up says so here)
            arrived.put((chunk, error))
            return
        future.add_done_callback(done)

    def ailing(self) -> str | None:
        """Look for what hangs Parsl silently: a dead interchange, a block without managers, a bad state."""
        if self._kernel is None:  # a campaign with nothing left to do starts none
            return None
        for pool in self.pools:
            executor: Any = self._kernel.executors[pool]
            if executor.bad_state_is_set:
                return f"pool '{pool}': {executor.executor_exception}"
            process: Any = getattr(executor, "interchange_proc", None)
            if _is_dead(executor):
                return f"pool '{pool}': its interchange died with exit code {process.returncode}"
            if process is not None and (trouble := self._without_managers(pool, executor)):
                return trouble
        return None

    def _without_managers(self, pool: str, executor: Any) -> str | None:
        try:
            connected = bool(executor.connected_managers())
        except Exception as error:  # noqa: BLE001 (whatever it is, the interchange does not answer)
            return f"pool '{pool}': its interchange does not answer ({type(error).__name__})"
        now = time.monotonic()
        if connected:
            self._seen[pool] = now
        elif self._seen[pool] and now - self._seen[pool] > _PATIENCE:
            return f"pool '{pool}': no worker has answered for {_PATIENCE:g} s"
        elif not self._seen[pool] and executor.provider.label == "local" and now - self._started > _START:
            return f"pool '{pool}': no worker came up in {_START:g} s"  # there is no queue to wait in
        return None

    def nodes_in_use(self) -> int:
        """One for each connected manager: one runs on each node."""
        if self._kernel is None:
            return 0
        nodes = 0
        for pool in self.pools:
            executor = self._kernel.executors[pool]
            if _is_dead(executor):
                continue
            with contextlib.suppress(Exception):  # no answer: the next look for what ails the pool says why
                nodes += len(executor.connected_managers()) if hasattr(executor, "connected_managers") else 1
        return nodes


def _limit_waiting(executor: Any) -> None:
    """Let nobody wait forever for an interchange that died: neither we nor Parsl's own threads."""
    for pipe in ("outgoing_q", "command_client"):
        if hasattr(executor, pipe):
            getattr(executor, pipe).zmq_socket.sndtimeo = _ANSWER
            getattr(executor, pipe).zmq_socket.rcvtimeo = _ANSWER


def _is_dead(executor: Any) -> bool:
    """Whether an executor has an interchange that has ended."""
    process = getattr(executor, "interchange_proc", None)
    return process is not None and process.poll() is not None


_ANSWER = 30_000  # milliseconds that an interchange may take for a message
_PATIENCE = 20.0  # seconds without a manager, after there was one, before a pool counts as lost
_START = 180.0  # seconds that workers on this very machine may take to come up


_CLOSING = 30.0  # seconds that Parsl may take to end
_FAREWELL = 2.0  # the same where an interchange is dead: its threads wait for answers that never come


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Let what is started meanwhile ignore Ctrl-C and the end of the terminal: the head ends it in order.

    A terminal sends both to all processes of a command; an interchange that dies of it cannot be asked to
    give its blocks back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _clean_up(kernel: DataFlowKernel) -> None:
    """End Parsl's part. It would wait forever for an interchange that is dead: its blocks end without it."""

    def end() -> None:
        with contextlib.suppress(Exception):  # parts of it may be dead already
            kernel.cleanup()

    def cancel(executor: Any) -> None:
        with contextlib.suppress(Exception):
            executor.provider.cancel(list(executor.blocks_to_job_id.values()))

    executors: list[Any] = list(kernel.executors.values())
    dead = [executor for executor in executors if _is_dead(executor)]
    for executor in dead:
        executor._executor_bad_state.set()  # noqa: SLF001 (its public setter fails where a task has ended)
        cancel(executor)
    thread = threading.Thread(target=end, name="closing", daemon=True)
    thread.start()
    thread.join(_FAREWELL if dead else _CLOSING)
    if thread.is_alive():
        for executor in executors:
            cancel(executor)


def _capacity(executor: Any) -> int:
    """Workers of an executor when all its blocks are up.

    Raises:
        SiteError: it runs jobs in threads, which jobflow cannot do: its notion of the current job is one
            for the process.
    """
    threads = getattr(executor, "max_threads", 1)
    if threads > 1:
        raise SiteError(
            f"executor '{executor.label}' runs {threads} threads",
            where="Parsl configuration",
            remedy="jobflow jobs cannot share a process: use a HighThroughputExecutor, or max_threads=1",
        )
    provider = getattr(executor, "provider", None)
    per_node = getattr(executor, "workers_per_node", 1)
    if provider is None:
        return max(1, int(per_node))
    return max(1, int(per_node)) * int(provider.nodes_per_block) * int(provider.max_blocks)


def _offer(site: Site, pool: Pool) -> Offer:
    """What a block gives a job: several nodes only where its one worker has them to itself."""
    from zonemelt.sites.parsl import drain_seconds

    seconds = drain_seconds(pool) if site.scheduler != "local" else float("inf")
    nodes = pool.nodes_per_block if pool.whole_block else 1
    return Offer(nodes=nodes, seconds=seconds, whole_block=pool.whole_block)


def make_workers(site: Any, directory: Path) -> tuple[Any, bool]:
    """The workers of a site, and whether they are ours to start and stop.

    Raises:
        InputError: there is no such site.
    """
    from parsl import Config

    from zonemelt.sites.load import SiteFileError, load_site
    from zonemelt.sites.parsl import parsl_config
    from zonemelt.sites.site import Site

    if site == "inline":
        return InlineWorkers(), False
    if isinstance(site, (str, Path)):
        try:
            site = load_site(site)
        except SiteFileError as error:
            raise InputError(str(error)) from None
    if isinstance(site, Site):
        known = site
        return ParslWorkers(
            lambda: parsl_config(known, run_directory=directory / "parsl"),
            capacities={name: pool.capacity for name, pool in known.pools.items()},
            pools={name: _offer(known, pool) for name, pool in known.pools.items()},
        ), True
    if isinstance(site, Config):
        import copy

        given = site
        pools = dict.fromkeys(executor.label for executor in given.executors)
        return ParslWorkers(lambda: copy.deepcopy(given), pools=pools), True
    return site, False
