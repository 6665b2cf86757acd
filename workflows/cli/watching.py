"""The command watch: a campaign as it goes, on a terminal."""

from __future__ import annotations

import typer

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.cli.app import WATCH, command
from zonemelt.workflows.cli.places import Dir, Json, find_campaign


@command(
    WATCH,
    "zonemelt watch                       the newest campaign, until it ends",
    "zonemelt watch runs/oxides --json | jq .best    one look",
)
def watch(directory: Dir = "", as_json: Json = False) -> None:
    """A campaign as it goes: pools, rounds, rates, failures, the best so far, time and node-hours left."""
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.progress import Follower
    from zonemelt.workflows.watch import picture
    from zonemelt.workflows.watch import watch as keep_watching

    place = find_campaign(directory, quiet=as_json)
    if as_json:
        print_json(Follower(place).look().as_dict())
        return
    found = keep_watching(place)
    out = console()
    out.print(picture(found.summary, width=out.width, progress=found))


@command(WATCH, "zonemelt notify                      does my notification arrive?")
def notify(directory: Dir = "") -> None:
    """Send a test message the way a campaign tells of its milestones."""
    from zonemelt.workflows.cli.drive import notify_of
    from zonemelt.workflows.cli.plans import stored_plan
    from zonemelt.workflows.notify import Milestone, deliver

    place = find_campaign(directory)
    spec = notify_of(stored_plan(place, {}))
    if spec is None:
        raise InputError(
            "nobody is to be told",
            where="notify",
            remedy="say whom in ~/.zonemelt.yaml or in the campaign's file: docs/reports.md",
        )
    name = place.resolve().name
    test = Milestone(event="test", message=f"{name}: a test", campaign=name, directory=str(place))
    if troubles := deliver(spec, test):
        raise CampaignError(
            "; ".join(troubles), where="notify", remedy="mend that; nothing else depends on it"
        )
    typer.echo(f"told of milestones: {', '.join(spec.events)}")
