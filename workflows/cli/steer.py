"""Commands that steer a campaign while it runs, or between runs: pause, cancel, retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.app import STEER, command
from zonemelt.workflows.cli.places import find_campaign, job_and_directory

if TYPE_CHECKING:
    from pathlib import Path

OneJob = Annotated[
    str, typer.Argument(metavar="[JOB]", help="A job, with all that depends on it.", show_default=False)
]
OneDir = Annotated[str, typer.Argument(metavar="[DIR]", help="Campaign directory.", show_default=False)]


@command(
    STEER,
    "zonemelt retry --all-failed",
    "zonemelt retry 17 runs/oxides",
    "zonemelt retry --error MemoryError      failed jobs whose error matches",
)
def retry(
    job: OneJob = "",
    directory: OneDir = "",
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="All that failed or were cancelled.")
    ] = False,
    error: Annotated[str, typer.Option(metavar="REGEX", help="Failed jobs whose error matches.")] = "",
) -> None:
    """Run failed or cancelled jobs again, and then what was skipped because of them."""
    from zonemelt.workflows.cli.asking import ask
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.lookup import failed_with

    job, directory = job_and_directory(job, directory)
    if [bool(job), all_failed, bool(error)].count(True) != 1:
        raise InputError("say which jobs", where="retry", remedy="one of: JOB, --all-failed, --error REGEX")
    place = find_campaign(directory)
    if job:
        chosen: list[int | None] = [_retried(place, job)]
    elif all_failed:
        chosen = [None]
    else:
        with open_ledger(place) as connection:
            chosen = [*failed_with(connection, error)]
    before = _counts(place)
    again = before["failed"] + before["cancelled"] if all_failed else len(chosen)
    if not again:
        typer.echo(f"no job is to run again: none failed{f' with {error}' if error else ''}")
        return
    by_head = ask(place, [("retry", number) for number in chosen])
    said = f"{again} {'jobs run' if again > 1 else 'job runs'} again, then what was skipped because of them"
    _say(place, said, by_head=by_head)


def _counts(place: Path) -> dict[str, int]:
    from zonemelt.workflows.engine.inspect import count_states, open_ledger

    with open_ledger(place) as connection:
        return count_states(connection)


def _retried(place: Path, text: str) -> int:
    """The job to retry.

    Raises:
        InputError: it is not one that failed or was cancelled.
    """
    number, name, state = _state_of(place, text)
    if state in {"failed", "cancelled"}:
        return number
    remedy = f"it is {state}: only failed and cancelled jobs can run again"
    if state == "skipped":
        remedy = f"it was skipped: retry the job that failed, `zonemelt show {number}` names it"
    raise InputError(f"job {number} '{name}' has not failed", where="JOB", remedy=remedy)


def _state_of(place: Path, text: str) -> tuple[int, str, str]:
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.lookup import find_job
    from zonemelt.workflows.engine.states import JobState

    with open_ledger(place) as connection:
        number = find_job(connection, text)
        name, state = connection.execute("SELECT name, state FROM jobs WHERE id = ?", (number,)).fetchone()
    return number, name, JobState(state).name.lower()


@command(
    STEER,
    "zonemelt pause                  the newest campaign",
    "zonemelt pause 17 runs/oxides     one job and what depends on it",
)
def pause(job: OneJob = "", directory: OneDir = "") -> None:
    """Start nothing more; what runs comes to its end. Of one job: hold it and what depends on it."""
    from zonemelt.workflows.cli.asking import ask

    job, directory = job_and_directory(job, directory)
    place = find_campaign(directory)
    if not job:
        by_head = ask(place, [("pause", None)])
        said = "what runs comes to its end, nothing else starts" if by_head else "it is paused"
        typer.echo(f"{said}\n  → `zonemelt resume {place}` goes on")
        return
    number, name, state = _state_of(place, job)
    if state not in {"waiting", "ready"}:
        raise InputError(
            f"job {number} '{name}' is {state}",
            where="JOB",
            remedy="only a job that waits or is ready can be held"
            + ("; it comes to its end, or `zonemelt cancel` ends the campaign" if state == "running" else ""),
        )
    ask(place, [("pause", number)])
    typer.echo(
        f"job {number} '{name}' and what depends on it are held\n  → `zonemelt resume --job {number} {place}`"
    )


def release(place: Path, text: str) -> None:
    """Release a held job and what depends on it.

    Raises:
        InputError: it is not held.
    """
    from zonemelt.workflows.cli.asking import ask

    number, name, state = _state_of(place, text)
    if state != "held":
        raise InputError(
            f"job {number} '{name}' is {state}", where="--job", remedy="only held jobs are released"
        )
    by_head = ask(place, [("resume", number)])
    _say(place, f"job {number} '{name}' and what depends on it are released", by_head=by_head)


@command(
    STEER,
    "zonemelt cancel                 end the newest campaign",
    "zonemelt cancel 17 runs/oxides    one job and what depends on it",
)
def cancel(job: OneJob = "", directory: OneDir = "") -> None:
    """End a campaign now. Of one job: neither it nor what depends on it starts any more."""
    from zonemelt.workflows.cli.asking import ask

    job, directory = job_and_directory(job, directory)
    place = find_campaign(directory)
    if job:
        number, name, state = _state_of(place, job)
        if state not in {"waiting", "ready", "held", "running"}:
            raise InputError(f"job {number} '{name}' is {state}", where="JOB", remedy="it has ended already")
        ask(place, [("cancel", number)])
        ends = (
            "comes to its end; what depends on it is" if state == "running" else "and what depends on it are"
        )
        typer.echo(f"job {number} '{name}' {ends} cancelled\n  → `zonemelt retry` undoes that")
        return
    if not ask(place, [("cancel", None)]):
        _end_leftovers(place)
    typer.echo(
        "it is cancelled: its workers end, what was done stays\n"
        f"  → `zonemelt retry --all-failed {place}` runs what was cancelled again"
    )


def _end_leftovers(place: Path) -> None:
    """End the workers that a killed head left behind."""
    from zonemelt.workflows.engine.inspect import fact, open_ledger
    from zonemelt.workflows.engine.reap import reap

    with open_ledger(place) as connection:
        token = fact(connection, "workers", "")
    reap(token)


def _say(place: Path, said: str, *, by_head: bool) -> None:
    typer.echo(said if by_head else f"{said}\n  → `zonemelt resume {place}` starts a head that runs them")
