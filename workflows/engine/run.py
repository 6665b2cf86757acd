"""Run a jobflow graph durably: ``run_flow`` starts a campaign, ``resume`` goes on with one."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job

from zonemelt.tasks.blobs import BlobDirectory
from zonemelt.tasks.errors import CampaignError, InputError, JobError
from zonemelt.tasks.sqlite import connect
from zonemelt.tasks.stores import check_store, open_store
from zonemelt.workflows.engine.graph import check_acyclic, job_rows
from zonemelt.workflows.engine.guard import guarded
from zonemelt.workflows.engine.head import Head, Limits
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lock import HeadLock
from zonemelt.workflows.engine.mirror import Mirror
from zonemelt.workflows.engine.pools import InlineWorkers, ParslWorkers, Workers
from zonemelt.workflows.engine.reap import reap
from zonemelt.workflows.engine.responses import Responses
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.reuse import Reuse
from zonemelt.workflows.engine.schema import FILE_NAME
from zonemelt.workflows.engine.settle import settle
from zonemelt.workflows.engine.states import UNSUCCESSFUL
from zonemelt.workflows.engine.worker import WORKER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from jobflow import JobStore
    from parsl import Config

    from zonemelt.sites.site import Site

logger = logging.getLogger("zonemelt.engine")


def run_flow(
    flow: Flow | Job | Sequence[Flow | Job] | Iterator[Flow | Job],
    *,
    site: str | Path | Site | Config | Workers = "local",
    store: JobStore | str | dict[str, Any] | None = None,
    directory: str | Path | None = None,
    name: str = "",
    ensure_success: bool = False,
    raise_immediately: bool = False,
    allow_external_references: bool = False,
    retry: RetryPolicy | None = None,
    max_jobs_in_flight: int | None = None,
    budget_node_hours: float | None = None,
    reuse: Sequence[str | Path] = (),
) -> Responses:
    """Run a jobflow graph to its end, whatever happens on the way.

    Every job of ``flow`` runs as ``jobflow.run_locally`` would run it, in worker processes of ``site``, in
    parallel. Its state, its output and the jobs it adds are on disk before anything builds on them: when
    this process is killed, :func:`resume` goes on, and no finished job runs again.

    Args:
        flow: a flow, a job, or a list of them. An iterator is taken from as workers become free, so that a
            campaign may be larger than memory; each item is a graph of its own.
        site: where to run: a site's name or file, a Site, a ``parsl.Config`` (each executor is a pool),
            running workers, or ``"inline"`` for this very process.
        store: where outputs go besides the campaign's own: a JobStore or what ``open_store`` takes. None
            keeps them in the campaign directory, where ``open_store(None, directory=...)`` reads them.
        directory: the campaign directory; a new one below ``zonemelt_runs`` by default.
        name: what to call the campaign.
        ensure_success: raise if any job did not succeed.
        raise_immediately: raise on the first job that fails.
        allow_external_references: let jobs refer to outputs that are in ``store`` already.
        retry: how often a job goes again, by cause.
        max_jobs_in_flight: jobs on their way at once.
        budget_node_hours: allocated node-hours after which the campaign pauses.
        reuse: directories of campaigns whose results stand in for identical jobs.

    Returns:
        ``{uuid: {index: Response}}`` of the jobs that are done, read when asked for.

    Raises:
        InputError: the graph or an option cannot be used; nothing has run.
        CampaignError: the directory holds another campaign.
        HeadRunningError: another process runs it.
        JobError: with ``raise_immediately``, or ``ensure_success``, a job did not succeed.
    """
    if os.environ.get(WORKER_VARIABLE):
        raise InputError(
            "run_flow is called while a worker imports this module",
            where=str(flow)[:80],
            remedy='put the call below `if __name__ == "__main__":`',
        )
    place = _new_directory(directory, name)
    feed = flow if isinstance(flow, Iterator) else None
    rows = [] if feed is not None else _checked_rows(flow, place, allow_external_references)
    with Campaign(
        place, site=site, store=store, retry=retry, max_jobs_in_flight=max_jobs_in_flight,
        budget_node_hours=budget_node_hours, external=allow_external_references, feed=feed,
        raise_immediately=raise_immediately, reuse=reuse, new=True,
    ) as campaign:  # fmt: skip
        with campaign.ledger.transaction():
            campaign.ledger.put("name", name or getattr(flow, "name", "campaign"))
            campaign.ledger.put("streamed", feed is not None)
            campaign.ledger.put("path", [str(Path(entry).resolve()) for entry in sys.path])
            campaign.ledger.put("external", allow_external_references)
            campaign.ledger.insert(rows)
            campaign.ledger.event("submitted", jobs=len(rows))
        del rows
        return campaign.run(ensure_success=ensure_success)


def resume(
    directory: str | Path,
    *,
    site: str | Path | Site | Config | Workers = "local",
    store: JobStore | str | dict[str, Any] | None = None,
    flow: Iterator[Flow | Job] | None = None,
    ensure_success: bool = False,
    raise_immediately: bool = False,
    retry: RetryPolicy | None = None,
    max_jobs_in_flight: int | None = None,
    budget_node_hours: float | None = None,
    reuse: Sequence[str | Path] = (),
) -> Responses:
    """Go on with a campaign that was interrupted, paused or killed.

    Processes that its last head left behind are ended, results that they had finished are taken in, and
    whatever was running goes again.

    Args:
        directory: the campaign directory.
        site: as for :func:`run_flow`.
        store: as for :func:`run_flow`; needed again where it was given, since stores may hold secrets and
            the campaign directory does not.
        flow: for a streamed campaign, an iterator that gives the same items again; those that were taken
            before are passed over.
        ensure_success: as for :func:`run_flow`, like the others.
        raise_immediately: raise on the first job that fails.
        retry: how often a job goes again, by cause.
        max_jobs_in_flight: jobs on their way at once.
        budget_node_hours: allocated node-hours, what was spent before included.
        reuse: directories of campaigns whose results stand in for identical jobs.

    Raises:
        CampaignError: there is no campaign, or what it needs to go on was not given.
        HeadRunningError: another process runs it.
        LedgerVersionError: another version of zonemelt wrote it.
        JobError: as for :func:`run_flow`.
    """
    place = Path(directory).resolve()
    if not (place / FILE_NAME).exists():
        raise CampaignError(
            "there is no campaign here", where=str(place), remedy="start one with `zonemelt run`"
        )
    with Campaign(
        place, site=site, store=store, retry=retry, max_jobs_in_flight=max_jobs_in_flight,
        budget_node_hours=budget_node_hours, feed=flow, raise_immediately=raise_immediately, reuse=reuse,
    ) as campaign:  # fmt: skip
        return campaign.run(ensure_success=ensure_success)


def _new_directory(directory: str | Path | None, name: str) -> Path:
    """Make the campaign directory.

    Raises:
        CampaignError: it holds a campaign already.
    """
    if directory is None:
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
        directory = Path("zonemelt_runs", f"{name or 'campaign'}-{stamp}")
    place = Path(directory).resolve()
    if (place / FILE_NAME).exists() and not _never_began(place):
        raise CampaignError(
            "this directory holds a campaign already",
            where=str(place),
            remedy="go on with it by `zonemelt resume`, or give another directory",
        )
    place.mkdir(parents=True, exist_ok=True)
    return place


def _never_began(place: Path) -> bool:
    """Whether a ledger was made, but its head was killed before the first graph was in it."""
    connection = connect(place / FILE_NAME, read_only=True)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            return True
        return connection.execute("SELECT 1 FROM campaign WHERE key = 'name'").fetchone() is None
    except sqlite3.DatabaseError:
        return False  # it is something else
    finally:
        connection.close()


def _checked_rows(flow: Any, place: Path, external: bool) -> list[Any]:
    """Turn a graph into rows and refuse what cannot run.

    Raises:
        ValueError: with jobflow's own words: a cycle, or a reference to a job that is not in the graph.
        InputError: an argument cannot be serialised, a function cannot be imported.
    """
    graph = flow if isinstance(flow, Flow) else Flow(jobs=flow)
    rows = job_rows(graph, blobs=BlobDirectory(place / "blobs"))
    uuids = {row.uuid for row in rows}
    missing = {parent for row in rows for parent in row.parents} - uuids
    if missing and not external:
        raise ValueError(
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
            self.ledger = Ledger(self.directory, pools=_pools(workers), mirrored=mirrored)
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
            if owned and (self.ledger.unfinished or self.new or self.items is not None):
                stack.enter_context(guarded(self.directory, workers.token))
                stack.enter_context(workers)
            self.head = Head(
                self.ledger, workers, lock=self.lock, policy=self.policy, limits=self.limits, store=store,
                external=self.external or self.ledger.get("external", False), mirror=self.mirror,
                reuse=reuse,
                additional=_additional(store), feed=self._feed if self.items is not None else None,
                raise_immediately=self.raise_immediately,
            )  # fmt: skip
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
        rows = _checked_rows(self._graph, self.directory, self.external)
        self.ledger.insert(rows)
        settle(self.ledger, [row.uuid for row in rows])
        self.ledger.put("taken", taken + 1)
        return True

    def run(self, *, ensure_success: bool) -> Responses:
        """Run the head to the end and say how it went.

        Raises:
            JobError: with ``ensure_success``, some job did not succeed.
        """
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


def make_workers(site: Any, directory: Path) -> tuple[Any, bool]:
    """The workers of a site, and whether they are ours to start and stop.

    Raises:
        InputError: there is no such site.
    """
    from parsl import Config

    from zonemelt.sites.parsl import parsl_config
    from zonemelt.sites.site import Site, SiteFileError, load_site

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
            names=tuple(known.pools),
        ), True
    if isinstance(site, Config):
        import copy

        given = site
        return ParslWorkers(lambda: copy.deepcopy(given), names=tuple(e.label for e in given.executors)), True
    return site, False


def _opened(given: Any, directory: Path) -> JobStore:
    """The store, answering.

    Raises:
        StoreError: it does not answer.
    """
    from jobflow import JobStore

    store: JobStore = given if isinstance(given, JobStore) else open_store(given, directory=directory)
    check_store(store)
    return store


def _pools(workers: Any) -> tuple[str, ...]:
    return tuple(workers.pools)


def _additional(store: JobStore) -> list[str] | None:
    """The names a job may use for additional stores; None where any will do."""
    stores: Any = store.additional_stores  # type: ignore[has-type]
    return list(stores) if type(stores) is dict else None
