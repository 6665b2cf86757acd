"""Drive a campaign from the command line: in the foreground, detached, and to a clean stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import typer

from zonemelt.tasks.errors import CampaignError, JobError
from zonemelt.workflows.cli.app import INTERRUPTED, NOT_ALL_SUCCEEDED
from zonemelt.workflows.cli.plans import forget_ledger, never_submitted, site_of
from zonemelt.workflows.engine.inspect import summarise
from zonemelt.workflows.engine.lock import head_is_alive, read_holder
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zonemelt.workflows.cli.plans import Plan
    from zonemelt.workflows.notify import Notify

LOG_FILE = "head.log"
_BAD = (JobState.FAILED, JobState.SKIPPED, JobState.CANCELLED)
_STARTING = 300.0  # seconds that a detached head may take to begin
_PAUSE = 0.1


def drive(
    place: Path,
    plan: Plan,
    *,
    graph: Any = None,
    ensure_success: bool = False,
    also: Callable[[], list[str]] = list,
) -> None:
    """Run a campaign, or go on with it, in this process, and say how it ended.

    Args:
        place: the campaign directory.
        plan: how it runs.
        graph: what ``plan.build`` made, where that was done before.
        ensure_success: a job that another one stopped counts as failed, too.
        also: gives further lines for the view of a running campaign.

    Raises:
        Exit: not every job succeeded, or a person stopped it.
    """
    from zonemelt.workflows.notify import notifying
    from zonemelt.workflows.watch import following

    try:
        with _stoppable():
            anew = never_submitted(place)
            if anew and graph is None:
                graph = plan.build()
            with following(place, also=also), notifying(place, notify_of(plan)):
                _run(place, plan, graph, anew=anew)
    except KeyboardInterrupt:
        typer.secho(
            "stopped: its workers have ended, and what was done is recorded. What was running goes again.\n"
            f"  → go on with `zonemelt resume {place}`",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    conclude(place, plan, ensure_success=ensure_success)


def notify_of(plan: Plan | None) -> Notify | None:
    """Whom to tell of milestones: as the campaign says, else as the settings do."""
    from zonemelt.workflows.settings import load_settings

    own: Notify | None = getattr(plan.spec, "notify", None) if plan is not None else None
    return own or load_settings().notify


def _run(place: Path, plan: Plan, graph: Any, *, anew: bool) -> None:
    from zonemelt.workflows.engine.run import resume, run_flow

    graph_only = plan.spec is None or plan.spec.kind == "graph"  # read_plan adds the folders of others
    if graph_only and plan.folder not in {"", *sys.path}:
        sys.path.insert(0, plan.folder)  # workers are told the head's path
    common = {"site": site_of(plan), "store": plan.store, **plan.options}
    if anew:
        forget_ledger(place)
        run_flow(graph, directory=place, name=plan.name, **common)
    else:
        resume(place, **common)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop the block cleanly; further ones do not disturb the stopping."""
    stopping = False

    def stop(number: int, _: object) -> None:
        nonlocal stopping
        if stopping:
            return
        stopping = True
        os.write(2, b" stopping ... ")
        raise KeyboardInterrupt(signal.Signals(number).name)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(place: Path, plan: Plan | None, *, ensure_success: bool) -> None:
    """Say how a campaign ended: its results, its report, what failed.

    Raises:
        Exit: not every job succeeded, or not all have ended.
    """
    from zonemelt.workflows.cli.results import print_results
    from zonemelt.workflows.paper import console
    from zonemelt.workflows.watch import picture

    out = console()
    summary = summarise(place, failures=10)
    out.print(picture(summary, width=out.width))
    if plan is not None:
        print_results(out, place, plan)
    bad = summary.count(*_BAD) + (summary.count(JobState.STOPPED) if ensure_success else 0)
    if ensure_success and bad:
        raise JobError(
            f"{bad} of {summary.total} jobs did not succeed",
            where=str(place),
            remedy="`zonemelt jobs --failed` lists them, `zonemelt show JOB` tells why",
        )
    if bad or summary.unfinished:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def detach(place: Path, options: list[str]) -> int:
    """Start a head that survives this process and this terminal; returns its process id once it drives.

    Args:
        place: the campaign directory, its ``campaign.yaml`` written.
        options: for the head's command.

    Raises:
        CampaignError: it ended at once, or does not begin.
    """
    command = [sys.executable, "-m", "zonemelt.workflows.cli", "_head", str(place), *options]
    with (place / LOG_FILE).open("ab") as log:
        begin = log.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    until = time.monotonic() + _STARTING
    while time.monotonic() < until:
        code = child.poll()
        if code is not None:
            return _ended(place, child.pid, code, begin)
        holder = read_holder(place)
        if holder and holder["pid"] == child.pid and head_is_alive(place) and not never_submitted(place):
            return child.pid
        time.sleep(_PAUSE)
    raise CampaignError(
        f"its head (process {child.pid}) has not begun after {_STARTING:g} s",
        where=str(place),
        remedy=f"read {place / LOG_FILE}; `zonemelt status {place}` tells whether it does later",
    )


def _ended(place: Path, pid: int, code: int, begin: int) -> int:
    """What to make of a head that has ended before it was seen to drive: quick, or refused."""
    if code in {0, NOT_ALL_SUCCEEDED} and not never_submitted(place):
        return pid
    with (place / LOG_FILE).open("rb") as log:
        log.seek(begin)
        said = log.read().decode(errors="replace").strip()
    raise CampaignError(
        f"its head ended with exit code {code}. It said:\n{said}",
        where=str(place),
        remedy="mend that, then `zonemelt resume`",
    )
