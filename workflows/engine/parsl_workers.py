"""Runs chunks on Parsl's executors, and looks after what Parsl itself does not notice."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import SiteError
from zonemelt.workflows.engine.reap import reap
from zonemelt.workflows.engine.worker import CAMPAIGN_VARIABLE, run_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from typing import Self

    from parsl import Config, DataFlowKernel

    from zonemelt.workflows.engine.pools import Arrived
    from zonemelt.workflows.engine.resources import Offer
    from zonemelt.workflows.engine.results import Chunk

logger = logging.getLogger("zonemelt.engine")

_ANSWER = 30_000  # milliseconds that an interchange may take for a message
_PATIENCE = 20.0  # seconds without a manager, after there was one, before a pool counts as lost
_START = 180.0  # seconds that workers on this very machine may take to come up
_CLOSING = 30.0  # seconds that Parsl may take to end
_FAREWELL = 2.0  # the same where an interchange is dead: its threads wait for answers that never come
_SILENT = 300.0  # seconds that a running block may have no worker before it is given back


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
        self._silent: dict[tuple[str, str], float] = {}  # pool and block → since when it has no worker

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
            if error is not None and executor.bad_state_is_set:
                return  # given up with everything else that was sent: no attempt of any job was made
            arrived.put((chunk, json.loads(future.result()) if error is None else error))

        executor: Any = self._kernel.executors[pool]
        if _is_dead(executor) or executor.bad_state_is_set:
            return  # sending would wait forever; what ails it is seen soon, and then all of this goes again
        try:
            future = executor.submit(run_chunk, {}, chunk.encode())
        except Exception as error:  # noqa: BLE001 (an executor that gave up says so here)
            arrived.put((chunk, error))
            return
        future.add_done_callback(done)

    def ailing(self) -> str | None:
        """Look for what hangs Parsl silently: a dead interchange, a block without managers.

        Raises:
            SiteError: block after block came to nothing: asking for more would only spend the allocation.
        """
        if self._kernel is None:  # a campaign with nothing left to do starts none
            return None
        for pool in self.pools:
            executor: Any = self._kernel.executors[pool]
            if executor.bad_state_is_set:
                _raise_hopeless(pool, executor)
            process: Any = getattr(executor, "interchange_proc", None)
            if _is_dead(executor):
                return f"pool '{pool}': its interchange died with exit code {process.returncode}"
            if process is not None and (trouble := self._without_managers(pool, executor)):
                return trouble
        return None

    def _without_managers(self, pool: str, executor: Any) -> str | None:
        try:
            managers = executor.connected_managers()
        except Exception as error:  # noqa: BLE001 (whatever it is, the interchange does not answer)
            return f"pool '{pool}': its interchange does not answer ({type(error).__name__})"
        now = time.monotonic()
        if _is_batch(executor):  # blocks end and others wait in the queue: that there is none means nothing
            self._end_silent_blocks(pool, executor, {manager["block_id"] for manager in managers}, now)
            return None
        if managers:
            self._seen[pool] = now
        elif self._seen[pool] and now - self._seen[pool] > _PATIENCE:
            return f"pool '{pool}': no worker has answered for {_PATIENCE:g} s"
        elif not self._seen[pool] and now - self._started > _START:
            return f"pool '{pool}': no worker came up in {_START:g} s"  # there is no queue to wait in
        return None

    def _end_silent_blocks(self, pool: str, executor: Any, talking: set[str], now: float) -> None:
        """Give back blocks that run but have no worker; Parsl would wait for them till they end."""
        running = {
            block for block, status in dict(executor.status_facade).items() if status.state.name == "RUNNING"
        }
        silent = {(pool, block) for block in running - talking}
        self._silent = {
            block: since for block, since in self._silent.items() if block in silent or block[0] != pool
        }
        for _, block in silent:
            if now - self._silent.setdefault((pool, block), now) > _SILENT:
                job = executor.blocks_to_job_id[block]
                logger.warning("pool '%s': batch job %s runs without workers; it is given back", pool, job)
                executor.provider.cancel([job])
                self._silent.pop((pool, block))

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
                managers = (
                    len(executor.connected_managers()) if hasattr(executor, "connected_managers") else 1
                )
                offer = self.pools[pool]
                nodes += managers * (offer.nodes if offer is not None else 1)
        return nodes

    def blocks(self) -> dict[str, list[str]]:
        """What batch jobs wait or run for each pool; none for pools on this machine."""
        executors: dict[str, Any] = dict(self._kernel.executors) if self._kernel is not None else {}
        return {
            pool: _jobs_of_blocks(executors[pool])
            for pool in self.pools
            if pool in executors and _is_batch(executors[pool])
        }

    def give_back(self, blocks: dict[str, list[str]]) -> None:
        """End batch jobs that an earlier head left behind: no head will ever talk to their workers."""
        for pool, jobs in blocks.items():
            executor: Any = self._kernel.executors.get(pool) if self._kernel is not None else None
            if jobs and executor is not None and _is_batch(executor):
                with contextlib.suppress(Exception):  # they may have ended by themselves
                    executor.provider.cancel(jobs)


def _jobs_of_blocks(executor: Any) -> list[str]:
    """Without those that have ended: Parsl never forgets a block."""
    known = dict(executor.status_facade)
    return sorted(
        str(job)
        for block, job in dict(executor.blocks_to_job_id).items()
        if block not in known or not known[block].terminal
    )


def _limit_waiting(executor: Any) -> None:
    """Let nobody wait forever for an interchange that died: neither we nor Parsl's own threads."""
    for pipe in ("outgoing_q", "command_client"):
        if hasattr(executor, pipe):
            getattr(executor, pipe).zmq_socket.sndtimeo = _ANSWER
            getattr(executor, pipe).zmq_socket.rcvtimeo = _ANSWER


def _is_batch(executor: Any) -> bool:
    provider = getattr(executor, "provider", None)
    return provider is not None and provider.label != "local"


def _raise_hopeless(pool: str, executor: Any) -> None:
    raise SiteError(
        str(executor.executor_exception),
        where=f"pool '{pool}'",
        remedy="mend the cause (`zonemelt sites check` helps), then `zonemelt resume`: nothing is lost",
    )


def _is_dead(executor: Any) -> bool:
    """Whether an executor has an interchange that has ended."""
    process = getattr(executor, "interchange_proc", None)
    return process is not None and process.poll() is not None


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
