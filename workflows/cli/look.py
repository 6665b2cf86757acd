"""Commands that look at a campaign and change nothing: status, jobs, show, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.cli.app import WATCH, command
from zonemelt.workflows.cli.places import Dir, Json, find_campaign, job_and_directory

if TYPE_CHECKING:
    from zonemelt.workflows.engine.states import JobState

Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id, uuid, beginning of a uuid, or name.")]


@command(
    WATCH,
    "zonemelt status                     the newest campaign",
    "zonemelt status runs/oxides --watch   until it ends",
    "zonemelt status --json | jq .counts",
)
def status(
    directory: Dir = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, until no head drives it.")] = False,
    as_json: Json = False,
) -> None:
    """How far a campaign is, what runs, what failed, and why nothing runs."""
    from zonemelt.workflows.engine.inspect import summarise
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.watch import picture
    from zonemelt.workflows.watch import watch as keep_watching

    place = find_campaign(directory, quiet=as_json)
    if as_json:
        print_json(summarise(place).as_dict())
        return
    if watch:
        keep_watching(place, results=False)
    out = console()
    out.print(picture(summarise(place), width=out.width))


@command(
    WATCH,
    "zonemelt jobs --failed",
    "zonemelt jobs --state running --state ready",
    "zonemelt jobs runs/oxides --name 'relax*' --limit 500",
)
def jobs(
    directory: Dir = "",
    *,
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Short for --state failed.")] = False,
    name: Annotated[str, typer.Option(help="Only jobs whose name or function matches; * and ? work.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs: their state, how long they took, why they failed."""
    from zonemelt.workflows.cli.tables import jobs_table
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.lookup import list_jobs
    from zonemelt.workflows.paper import console, print_json

    states = _states([*(state or []), *(["failed"] if failed else [])])
    place = find_campaign(directory, quiet=as_json)
    with open_ledger(place) as connection:
        found, total = list_jobs(connection, states=states, name=name, limit=limit)
    if as_json:
        print_json({"directory": str(place), "total": total, "jobs": found})
        return
    out = console()
    if found:
        out.print(jobs_table(found))
    if total > len(found):
        out.print(f"{len(found):,} of {total:,} jobs; --limit lists more", style="dim")
    elif not found:
        out.print("no job is like that", style="dim")


def _states(names: list[str]) -> list[JobState]:
    from zonemelt.workflows.engine.states import JobState

    known = {state.name.lower(): state for state in JobState}
    for name in names:
        if name.lower() not in known:
            raise UnknownKeyError.of(name, known, where="--state")
    return [known[name.lower()] for name in names]


@command(
    WATCH,
    "zonemelt show 17",
    "zonemelt show 4970e671                 the beginning of its uuid is enough",
    "zonemelt show 'relax Fe2O3' runs/oxides --json",
)
def show(
    job: Job,
    directory: Dir = "",
    full: Annotated[bool, typer.Option("--full", help="Leave nothing out of arguments and output.")] = False,
    as_json: Json = False,
) -> None:
    """Everything about one job: its state and why, attempts, errors, parents, children, output."""
    from zonemelt.workflows.cli.tables import print_job
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.lookup import find_job
    from zonemelt.workflows.engine.whole import whole_job
    from zonemelt.workflows.paper import console, print_json

    place = find_campaign(directory, quiet=as_json)
    with open_ledger(place) as connection:
        found = whole_job(connection, place, find_job(connection, job))
    if as_json:
        print_json(found)
    else:
        print_job(console(), found, full=full)


@command(
    WATCH,
    "zonemelt logs 17",
    "zonemelt logs 17 --attempt 1           what an earlier attempt printed",
    "zonemelt logs 'relax Fe2O3' --follow   while it runs",
)
def logs(
    job: Job,
    directory: Dir = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay while the job runs.")] = False,
    attempt: Annotated[int, typer.Option(min=0, help="Which attempt; 0 for the last one.")] = 0,
) -> None:
    """What a job printed; of one that runs, what its worker has printed so far."""
    from zonemelt.workflows.cli.logs import follow_log, printed
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.lookup import find_job
    from zonemelt.workflows.engine.whole import whole_job

    job, directory = job_and_directory(job, directory)
    if not job:
        raise InputError("no job is named", where="JOB", remedy="`zonemelt jobs` lists them")
    place = find_campaign(directory)
    with open_ledger(place) as connection:
        number = find_job(connection, job)
        found = whole_job(connection, place, number)
    if found["running"] and not attempt:
        follow_log(place, found, stay=follow)
    else:
        typer.echo(printed(found, attempt), nl=False)
