"""The command watch: a campaign as it goes, on a terminal."""

from __future__ import annotations

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
