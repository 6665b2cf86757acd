"""Commands that show a campaign as it goes: watch on a terminal, serve --live as a page of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from zonemelt.tasks.errors import InputError
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


@command(
    WATCH,
    "zonemelt serve --live                the newest campaign, as a page of this machine",
    "zonemelt serve runs/oxides --live --port 8700",
    "ssh -L 8700:127.0.0.1:8700 login1    from your desk, to a head that serves on port 8700",
)
def serve(
    directory: Dir = "",
    *,
    live: Annotated[bool, typer.Option("--live", help="How the campaign goes, as a web page.")] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen; anything but this machine itself is your risk.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 0,
) -> None:
    """Serve a campaign as a web page that follows it, to whoever has the address with its token."""
    from zonemelt.workflows.report.live import serve_live

    if not live:
        raise InputError("say what to serve", where="serve", remedy="--live: how the campaign goes")
    place = find_campaign(directory)
    serve_live(place, host=host, port=port, say=typer.echo)
