"""The head as a batch job, which sees to its successor: for machines where nothing may run on a login node.

The head and its workers share one allocation. As soon as it runs, it submits a second job that waits for the
end of the first, however that comes: a walltime, a lost node, a crash. When the campaign is over the second
job is cancelled; otherwise it goes on from the ledger.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import typer

from zonemelt.tasks.errors import HeadRunningError, InputError, SiteError
from zonemelt.tasks.whole_files import write_whole
from zonemelt.workflows.cli.app import INTERRUPTED
from zonemelt.workflows.cli.plans import site_of

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.sites.site import Site
    from zonemelt.workflows.cli.plans import Plan

FOLDER = "head_jobs"
RECORD = "jobs.json"
_FUTILE = 3  # jobs in a row in which no job of the campaign ended, after which no further one is submitted
_LAST_WORDS = 30.0  # seconds before the walltime at which the head stops, whatever still runs
_STALE = 300.0  # seconds to wait for the lock of a head whose node was lost
# How a job is told to wait for the end of another; PJM has no such thing for ordinary jobs.
_AFTER = {"slurm": "#SBATCH --dependency=afterany:{}", "pbspro": "#PBS -W depend=afterany:{}"}


def submit_as_job(place: Path, plan: Plan, *, after: str = "") -> str:
    """Submit a batch job that drives a campaign; returns its id.

    Args:
        place: the campaign directory, its ``campaign.yaml`` written.
        plan: how it runs; the allocation is one block of the site's first pool.
        after: a job whose end it waits for.

    Raises:
        InputError: the site has no scheduler, or a value is missing.
        SiteError: the scheduler did not take it; with its message.
    """
    from parsl.providers.errors import SubmitException

    from zonemelt.sites.blocks import provider

    site = _batch_site(plan)
    pool = next(iter(site.pools.values()))
    lines = (_AFTER[site.scheduler].format(after),) if after else ()
    # The head itself starts what runs on the other nodes, so this job starts one process on the first.
    own = pool.model_copy(update={"whole_block": True, "directives": (*pool.directives, *lines)})
    blocks = provider(site, own)
    folder = place / FOLDER
    folder.mkdir(exist_ok=True)
    blocks.script_dir = str(folder)
    # Never in a container: it asks the scheduler for its successor and starts workers on other nodes.
    head = shlex.join([sys.executable, "-m", "zonemelt.workflows.cli", "_head", str(place), "--as-job"])
    try:
        job = str(blocks.submit(head, 1, "zonemelt.head"))
    except SubmitException as error:
        raise SiteError(
            str(error), where=f"site '{site.name}'", remedy="mend that and submit again"
        ) from None
    _record(place, job)
    return job


def _batch_site(plan: Plan) -> Site:
    site: Any = site_of(plan)
    if site == "inline" or site.scheduler == "local":
        raise InputError(
            f"site '{plan.site}' has no scheduler", where="--as-job", remedy="leave it out: `zonemelt submit`"
        )
    found: Site = site
    return found


def drive_as_job(place: Path, plan: Plan) -> None:
    """Drive a campaign inside a batch job, up to its end or to that of the allocation."""
    from zonemelt.sites.blocks import provider
    from zonemelt.sites.clock import clock_seconds
    from zonemelt.workflows.cli.drive import drive
    from zonemelt.workflows.engine import control

    site = _batch_site(plan)
    pool = next(iter(site.pools.values()))
    _wait_for_lock(place)
    before = _done(place)
    successor = _successor(place, plan, site)
    ending = threading.Event()

    asked: list[Path] = []

    def leave() -> None:
        ending.set()
        asked.append(control.ask(place, "pause"))

    walltime = clock_seconds(pool.walltime)
    timers = [
        threading.Timer(walltime - clock_seconds(pool.drain), leave),
        threading.Timer(walltime - _LAST_WORDS, os.kill, (os.getpid(), signal.SIGTERM)),
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    goes_on = False
    try:
        drive(place, plan)
    except typer.Exit as ended:
        # A signal is the scheduler's: a person who wants the campaign to stop says so to the campaign.
        goes_on = ending.is_set() or ended.exit_code == INTERRUPTED
        raise
    except Exception:
        goes_on = _done(place) > before  # a cause that lets nothing through will do so again
        raise
    finally:
        for timer in timers:
            timer.cancel()
        for path in asked:  # not obeyed in time: the next head would pause at once
            path.unlink(missing_ok=True)
        if not goes_on and successor:
            provider(site, pool).cancel([successor])
        elif goes_on and not successor:
            submit_as_job(place, plan)


def _successor(place: Path, plan: Plan, site: Site) -> str:
    """Submit the job that follows this one; none where a site cannot, or where nothing moves."""
    from zonemelt.sites.blocks import own_job

    this = own_job(site.scheduler)
    _note(place, done=_done(place))
    if futile([entry.get("done") for entry in _jobs(place)]):
        sys.stderr.write(f"{_FUTILE} jobs in a row have brought nothing: no further one is submitted\n")
        return ""
    return submit_as_job(place, plan, after=this) if this and site.scheduler in _AFTER else ""


def futile(done: list[int | None]) -> bool:
    """Whether the last jobs have brought nothing.

    Args:
        done: for each head's job, how many jobs of the campaign had ended when it began; None where it has
            not.
    """
    last = done[-_FUTILE - 1 :]
    return len(last) == _FUTILE + 1 and len(set(last)) == 1


def _wait_for_lock(place: Path) -> None:
    """Wait until the head that came before is known to be dead: its node may have been lost."""
    from zonemelt.workflows.engine.lock import HeadLock

    until = time.monotonic() + _STALE
    while True:
        try:
            with HeadLock(place):
                return
        except HeadRunningError:
            if time.monotonic() > until:
                raise
            time.sleep(5.0)


def _done(place: Path) -> int:
    from zonemelt.workflows.cli.plans import never_submitted
    from zonemelt.workflows.engine.inspect import summarise

    return 0 if never_submitted(place) else summarise(place).finished


def _jobs(place: Path) -> list[dict[str, Any]]:
    path = place / FOLDER / RECORD
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return found


def _record(place: Path, job: str) -> None:
    _write(place, [*_jobs(place), {"job": job, "submitted": time.time()}])


def _note(place: Path, *, done: int) -> None:
    """Keep with the last job how many of the campaign's jobs had ended when it began."""
    jobs = _jobs(place)
    if jobs:
        jobs[-1]["done"] = done
        _write(place, jobs)


def _write(place: Path, jobs: list[dict[str, Any]]) -> None:
    write_whole(place / FOLDER / RECORD, json.dumps(jobs, indent=1).encode())
