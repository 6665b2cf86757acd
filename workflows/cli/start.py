"""Commands that start campaigns and go on with them: run, submit, resume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.cli.app import START, app, command
from zonemelt.workflows.cli.option_groups import grouped
from zonemelt.workflows.cli.places import Dir, find_campaign

if TYPE_CHECKING:
    from zonemelt.workflows.cli.plans import Plan

Campaign = Annotated[
    str,
    typer.Argument(metavar="CAMPAIGN", help="A campaign file, a name of the catalog, or module:function."),
]
Site = Annotated[str, typer.Option(help="Where to run: a site's name or file.", show_default=False)]
Oracle = Annotated[str, typer.Option(help="What labels structures.", show_default=False)]
Store = Annotated[str, typer.Option(help="Where outputs go besides the directory.", show_default=False)]
EnsureSuccess = Annotated[
    bool, typer.Option("--ensure-success", help="A job that another one stopped counts as failed, too.")
]


@dataclass(frozen=True, kw_only=True)
class New:
    """What a new campaign is told besides its file."""

    directory: Annotated[
        str,
        typer.Option(
            "--directory", "-d", help="Campaign directory; a new one by default.", show_default=False
        ),
    ] = ""
    site: Site = ""
    oracle: Oracle = ""
    store: Store = ""
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any key of the campaign or of its site; may be repeated."
        ),
    ] = None
    reuse: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Take identical jobs' results from there; may be repeated."),
    ] = None

    def overrides(self) -> dict[str, Any]:
        """Of the campaign's file."""
        from zonemelt.workflows.cli.plans import campaign_settings

        reuse = [str(Path(entry).resolve()) for entry in self.reuse or ()]
        own = {"site": self.site, "oracle": self.oracle, "store": self.store, "reuse": reuse}
        return {**campaign_settings(self.settings or []), **_given(own)}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value}


@command(
    START,
    "zonemelt run quickstart                       a campaign of the catalog",
    "zonemelt run oxides.yaml --site my-cluster --set rounds=5",
    "zonemelt run my_flows:screening --set arguments.n=300      any jobflow graph",
)
@grouped
def run(
    campaign: Campaign,
    *,
    new: New,
    ensure_success: EnsureSuccess = False,
) -> None:
    """Run a campaign here, from start to report, and watch it.

    Ctrl-C stops it cleanly; `zonemelt resume` goes on. Exit code 1 where a job did not succeed.
    """
    from zonemelt.workflows.cli.drive import drive
    from zonemelt.workflows.cli.plans import new_place, read_plan, site_of

    plan = read_plan(campaign, new.overrides())
    graph = plan.build()  # what is wrong with it is said before anything is made
    site_of(plan)
    place = new_place(new.directory, plan)
    typer.echo(f"campaign {place}", err=True)
    drive(place, plan, graph=graph, ensure_success=ensure_success)


@command(
    START,
    "zonemelt submit oxides.yaml --directory runs/oxides",
    "zonemelt submit oxides.yaml --site fugaku --as-job     where heads may not run on login nodes",
    "zonemelt watch runs/oxides",
)
@grouped
def submit(
    campaign: Campaign,
    *,
    new: New,
    as_job: Annotated[
        bool,
        typer.Option("--as-job", help="Drive it from a batch job, in one allocation with its workers."),
    ] = False,
) -> None:
    """Start a campaign that goes on after you log out.

    What is wrong with the campaign is said before. Its head writes to head.log in the directory. With
    --as-job the head is a batch job itself, which submits its own successor before its walltime ends.
    """
    from zonemelt.workflows.cli.plans import new_place, read_plan, site_of

    inside = {"site_options.head": "in_job"} if as_job else {}
    plan = read_plan(campaign, {**new.overrides(), **inside})
    plan.build()
    site_of(plan)
    place = new_place(new.directory, plan)
    if as_job:
        from zonemelt.workflows.cli.as_job import FOLDER, submit_as_job

        job = submit_as_job(place, plan)
        typer.echo(
            f"campaign {place}\nits head is batch job {job}; it writes to {place / FOLDER}\n"
            f"  → watch it with `zonemelt watch {place}`"
        )
        return
    _detach(place)


def _detach(place: Path) -> None:
    from zonemelt.workflows.cli.drive import LOG_FILE, detach

    pid = detach(place, [])
    typer.echo(
        f"campaign {place}\n"
        f"its head is process {pid}; it writes to {place / LOG_FILE}\n"
        f"  → watch it with `zonemelt watch {place}`"
    )


@command(
    START,
    "zonemelt resume                 the newest campaign",
    "zonemelt resume runs/oxides --detach",
    "zonemelt resume --job 17        release a job that `zonemelt pause 17` held",
)
def resume(
    directory: Dir = "",
    *,
    detached: Annotated[bool, typer.Option("--detach", help="Go on after you log out.")] = False,
    job: Annotated[str, typer.Option(help="Only release this held job and what depends on it.")] = "",
    site: Site = "",
    store: Store = "",
    ensure_success: EnsureSuccess = False,
) -> None:
    """Go on with a campaign that was interrupted, paused or killed.

    No job that has ended runs again. Where a head still drives a paused campaign, it is told to go on.
    """
    from zonemelt.workflows.cli.asking import ask, campaign_status
    from zonemelt.workflows.cli.drive import drive
    from zonemelt.workflows.cli.plans import write_spec
    from zonemelt.workflows.cli.steer import release
    from zonemelt.workflows.engine.lock import HeadLock

    place = find_campaign(directory).resolve()
    if job:
        release(place, job)
        return
    if campaign_status(place) == "paused" and ask(place, [("resume", None)], only_by_head=True):
        typer.echo("its head was told to go on")
        return
    with HeadLock(place):  # refused here, and not by a detached process, where another head is at work
        pass
    plan = _plan_of(place, site=site, store=store)
    if (site or store) and plan.document:
        write_spec(place, plan)
    if detached:
        _detach(place)
    else:
        drive(place, plan, ensure_success=ensure_success)


def _plan_of(place: Path, **options: Any) -> Plan:
    """How a campaign runs: what its campaign.yaml says, or, where a program started it, the options."""
    from zonemelt.workflows.cli.plans import Plan, resolved_site, stored_plan

    plan = stored_plan(place, _given(options))
    if plan is not None:
        return plan
    from zonemelt.workflows.settings import load_settings

    settings = load_settings()
    site = resolved_site(options.get("site") or settings.site)
    store = options.get("store") or settings.store
    folder = str(Path.cwd())
    return Plan(
        name=place.name, spec=None, document={}, site=site, store=store, build=_no_graph, folder=folder
    )


def _no_graph() -> Any:
    raise CampaignError(
        "it holds no jobs and no campaign.yaml",
        where="campaign directory",
        remedy="start it with `zonemelt run`",
    )


@app.command("_head", hidden=True)
def head(directory: str, *, as_job: Annotated[bool, typer.Option("--as-job")] = False) -> None:
    """Drive a campaign directory: what `submit` and `resume --detach` start."""
    from zonemelt.workflows.cli.as_job import drive_as_job
    from zonemelt.workflows.cli.drive import drive

    place = Path(directory)
    (drive_as_job if as_job else drive)(place, _plan_of(place))
