"""A campaign that is open: its lock, ledger, store and workers, opened in order and closed in reverse."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from jobflow import Flow

from zonemelt.tasks.blobs import BlobDirectory
from zonemelt.tasks.errors import CampaignError, GraphError, InputError, JobError
from zonemelt.tasks.stores import check_store, open_store
from zonemelt.workflows.engine.dispatch import Limits
from zonemelt.workflows.engine.graph import check_acyclic, job_rows
from zonemelt.workflows.engine.guard import guarded
from zonemelt.workflows.engine.head import Head
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lock import HeadLock
from zonemelt.workflows.engine.mirror import Mirror
from zonemelt.workflows.engine.pools import Workers, make_workers
from zonemelt.workflows.engine.reap import reap
from zonemelt.workflows.engine.responses import Responses
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.reuse import Reuse
from zonemelt.workflows.engine.settle import settle
from zonemelt.workflows.engine.starting import note_start
from zonemelt.workflows.engine.states import UNSUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from jobflow import JobStore


logger = logging.getLogger("zonemelt.engine")


def checked_rows(flow: Any, place: Path, external: bool) -> list[Any]:
    """Turn a graph into rows and refuse what cannot run.

    Raises:
        GraphError: with jobflow's own words: a cycle, or a reference to a job that is not in the graph.
        InputError: an argument cannot be serialised, a function cannot be imported.
    """
    graph = flow if isinstance(flow, Flow) else Flow(jobs=flow)
    rows = job_rows(graph, blobs=BlobDirectory(place / "blobs"))
    uuids = {row.uuid for row in rows}
    missing = {parent for row in rows for parent in row.parents} - uuids
    if missing and not external:
        raise GraphError(
            "The following jobs were not found in the jobs array and are needed to "
            f"resolve output references:\n{sorted(missing)}\nIf the references "
            "are from external jobs and this is the intended behavior set "
            "allow_external_references to True"
        )
    check_acyclic(rows)
    return rows


class Campaign:
    """Everything a head needs, opened in order and closed in reverse; a context manager."""

    def __init__(
        self,
        directory: Path,
        *,
        site: Any,
        store: Any,
        retry: RetryPolicy | None,
        max_jobs_in_flight: int | None,
        budget_node_hours: float | None,
        feed: Iterator[Any] | None,
        raise_immediately: bool,
        reuse: Sequence[str | Path],
        external: bool = False,
        new: bool = False,
    ) -> None:
        self.directory = directory
        self.site = site
        self.given_store = store
        self.policy = retry or RetryPolicy()
        self.limits = Limits(in_flight=max_jobs_in_flight, node_hours=budget_node_hours)
        self.items = feed
        self.raise_immediately = raise_immediately
        self.reuse = reuse
        self.external = external
        self.new = new
        self.mirror: Mirror | None = None
        self._drawn = 0  # graphs drawn from the stream
        self._graph: Any = None  # the last of them

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.lock = stack.enter_context(HeadLock(self.directory))
            workers, owned = make_workers(self.site, self.directory)
            mirrored = self.given_store is not None
            self.ledger = Ledger(self.directory, pools=workers.pools, mirrored=mirrored)
            stack.callback(self.ledger.close)
            self._check_resumed(mirrored)
            self._check_pools(workers)
            reap(self.ledger.get("workers", ""))
            store = _opened(self.given_store, self.directory)
            if store is not self.given_store:  # one that was given open is its owner's to close
                stack.callback(store.close)
            reuse = Reuse(self.reuse, self.ledger.output_of, self.directory) if self.reuse else None
            if reuse is not None:
                stack.callback(reuse.close)
            if mirrored:
                self.mirror = stack.enter_context(Mirror(self.directory, store))
            self.head = Head(
                self.ledger, workers, lock=self.lock, policy=self.policy, limits=self.limits, store=store,
                external=self.external or self.ledger.get("external", False), mirror=self.mirror,
                reuse=reuse,
                additional=_additional(store), feed=self._feed if self.items is not None else None,
                raise_immediately=self.raise_immediately,
            )  # fmt: skip
            stack.callback(self.head.leave)
            if owned and (self.ledger.unfinished or self.new or self.items is not None):
                stack.enter_context(guarded(self.directory, workers.token))
                stack.enter_context(workers)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _check_resumed(self, mirrored: bool) -> None:
        if self.new:
            with self.ledger.transaction():
                self.ledger.put("mirrored", mirrored)
            return
        if self.ledger.get("name") is None:
            raise CampaignError(
                "it was interrupted before its jobs had come in",
                where=str(self.directory),
                remedy="start it again, in the same directory",
            )
        if self.ledger.get("mirrored") and not mirrored:
            raise CampaignError(
                "its outputs go to a store that was not given",
                where=str(self.directory),
                remedy="give the same store= again",
            )
        if self.ledger.get("streamed") and self.items is None:
            raise CampaignError(
                "its jobs come from an iterator that was not given",
                where=str(self.directory),
                remedy="give flow= an iterator that yields the same graphs again",
            )
        if self.items is not None:
            self._drawn = self.ledger.get("taken", 0)
            for _ in range(self._drawn):
                next(self.items, None)

    def _check_pools(self, workers: Workers) -> None:
        if lacking := self.ledger.pools_wanted() - set(workers.pools):
            raise InputError(
                f"its jobs wait for the pools {', '.join(sorted(lacking))}, which this site does not have",
                where=str(self.directory),
                remedy=f"the site has {', '.join(workers.pools)}: resume on the site it was made for",
            )

    def _feed(self) -> bool:
        """Take one more graph from the stream; False at its end."""
        assert self.items is not None, "only a streamed campaign is fed"
        taken = self.ledger.get("taken", 0)
        if self._drawn == taken:  # otherwise the last one was drawn, but the transaction did not come through
            self._graph = next(self.items, None)
            self._drawn += 1
        if self._graph is None:
            return False
        rows = checked_rows(self._graph, self.directory, self.external)
        if ids := self.ledger.insert(rows):
            self.ledger.event("taken", first=ids[0], last=ids[-1])
        settle(self.ledger, [row.uuid for row in rows])
        self.ledger.put("taken", taken + 1)
        return True

    def run(self, *, ensure_success: bool) -> Responses:
        """Run the head to the end and say how it went.

        Raises:
            JobError: with ``ensure_success``, some job did not succeed.
        """
        note_start(self.ledger, self.site)
        self.head.run()
        if self.mirror is not None:
            self.mirror.flush()
        ledger = self.ledger
        unsuccessful = ledger.count(*UNSUCCESSFUL)
        with ledger.transaction():
            if ledger.unfinished == 0:
                ledger.put("status", "failed" if unsuccessful else "finished")
            ledger.event("ended", status=ledger.get("status"))
        if ensure_success and (unsuccessful or ledger.unfinished):
            raise JobError(
                f"{unsuccessful} of {ledger.count()} jobs did not succeed",
                where=str(self.directory),
                remedy="`zonemelt jobs --failed` lists them, `zonemelt show JOB` tells why",
            )
        return Responses(self.directory)


def _opened(given: Any, directory: Path) -> JobStore:
    """The store, answering.

    Raises:
        StoreError: it does not answer.
    """
    from jobflow import JobStore

    store: JobStore = given if isinstance(given, JobStore) else open_store(given, directory=directory)
    check_store(store)
    return store


def _additional(store: JobStore) -> list[str] | None:
    """The names a job may use for additional stores; None where any will do."""
    stores: Any = store.additional_stores  # type: ignore[has-type]
    return list(stores) if type(stores) is dict else None
