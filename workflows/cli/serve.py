"""The command serve: structures as an OPTIMADE endpoint, or with --live how a campaign goes, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zonemelt.workflows.cli.app import WATCH, command
from zonemelt.workflows.cli.places import find_campaign


@command(
    WATCH,
    "zonemelt serve --live                the newest campaign, as a page of this machine",
    "zonemelt serve runs/oxides --port 5000      its structures, for any OPTIMADE client",
    "zonemelt serve labels                those of a dataset",
    "ssh -L 8700:127.0.0.1:8700 login1    from your desk, to one that serves on port 8700",
)
def serve(
    directory: Annotated[
        str, typer.Argument(metavar="[DIR]", help="Campaign directory, or dataset.", show_default=False)
    ] = "",
    *,
    live: Annotated[bool, typer.Option("--live", help="How the campaign goes, as a web page.")] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on this machine, too; a page always does.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen; anything but this machine itself is your risk.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 0,
) -> None:
    """Serve the structures of a campaign or dataset as an OPTIMADE endpoint; or a campaign as a page.

    Of a campaign: its verdicts on candidates, else its labels, else the structures that jobs returned.
    """
    if live:
        from zonemelt.workflows.serve.live import serve_live

        serve_live(find_campaign(directory), host=host, port=port, say=typer.echo)
        return
    from zonemelt.tasks.datasets.versions import VERSIONS
    from zonemelt.workflows.serve.optimade import serve_optimade
    from zonemelt.workflows.serve.published import published

    is_dataset = bool(directory) and Path(directory, VERSIONS).is_dir()
    place = Path(directory) if is_dataset else find_campaign(directory)
    name = place.resolve().name
    serve_optimade(published(place), name=name, host=host, port=port, protected=token, say=typer.echo)
