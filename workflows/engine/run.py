"""Run a jobflow graph durably: ``run_flow`` starts a campaign, ``resume`` goes on with one."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.engine.campaign import Campaign, checked_rows
from zonemelt.workflows.engine.place import check_place, make_place
from zonemelt.workflows.engine.schema import FILE_NAME
from zonemelt.workflows.engine.worker import WORKER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import Flow, Job, JobStore
    from parsl import Config

    from zonemelt.sites.site import Site
    from zonemelt.workflows.engine.pools import Workers
    from zonemelt.workflows.engine.responses import Responses
    from zonemelt.workflows.engine.retry import RetryPolicy

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
    rows = [] if feed is not None else checked_rows(flow, place, allow_external_references)
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
    check_place(place)
    with Campaign(
        place, site=site, store=store, retry=retry, max_jobs_in_flight=max_jobs_in_flight,
        budget_node_hours=budget_node_hours, feed=flow, raise_immediately=raise_immediately, reuse=reuse,
    ) as campaign:  # fmt: skip
        return campaign.run(ensure_success=ensure_success)


def _new_directory(directory: str | Path | None, name: str) -> Path:
    """Make the campaign directory.

    Raises:
        CampaignError: it holds a campaign already, or cannot be used.
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
    make_place(place)
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
