"""Commands before a campaign starts: init writes one, check looks whether everything it needs is there."""

from __future__ import annotations

from typing import Annotated

import typer

from zonemelt.workflows.cli.app import NOT_ALL_SUCCEEDED, START, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)


@command(
    START,
    "zonemelt init                                the campaigns to start from",
    "zonemelt init --from al_potential            writes al_potential.yaml",
    "zonemelt init --from quickstart runs/alloys.yaml",
)
def init(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]", help="A name, the path of a .yaml file, or a directory.", show_default=False
        ),
    ] = "",
    campaign: Annotated[
        str, typer.Option("--from", help="The campaign of the catalog to start from.", show_default=False)
    ] = "",
) -> None:
    """Write a campaign file to start from, with comments; or list what there is. Overwrites nothing."""
    from pathlib import Path

    from zonemelt.tasks.errors import InputError
    from zonemelt.workflows.campaigns.spec import about_catalog, find

    if not name and not campaign:
        for one, about in about_catalog().items():
            typer.echo(f"{one:<16}{about}")
        typer.echo("  → zonemelt init --from NAME [FILE] writes one, with comments, for you to change")
        return
    source = find(campaign or "quickstart")
    path = Path(name or source.stem)
    if path.is_dir():
        path /= source.name
    if path.suffix not in {".yaml", ".yml"}:
        path = path.with_name(f"{path.name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(source.read_text())
    except FileExistsError:
        raise InputError(
            "this file exists", where=str(path), remedy="give another name, or remove it"
        ) from None
    typer.echo(f"{path}\n  → change it, then `zonemelt check {path}` and `zonemelt run {path}`")


@command(
    START,
    "zonemelt check                               this machine",
    "zonemelt check oxides.yaml --site my-cluster",
)
def check(
    campaign: Annotated[
        str, typer.Argument(metavar="[CAMPAIGN]", help="A campaign, as for run.", show_default=False)
    ] = "",
    *,
    site: Annotated[str, typer.Option(help="Where it shall run.", show_default=False)] = "",
    oracle: Annotated[str, typer.Option(help="What shall label structures.", show_default=False)] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the campaign.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether everything a campaign needs is there: a tick or a cross for each thing.

    Exit code 1 where there is a cross.
    """
    from dataclasses import asdict

    from zonemelt.workflows.cli.checks import run_checks
    from zonemelt.workflows.cli.plans import campaign_settings, read_plan
    from zonemelt.workflows.cli.ticks import print_check
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.settings import load_settings

    given = {**campaign_settings(settings or []), **({"site": site} if site else {})}
    if oracle:
        given["oracle"] = oracle
    read = (lambda: read_plan(campaign, given)) if campaign else None
    out = console()
    found = []
    for one in run_checks(read, load_settings().runs_directory, site=site):
        found.append(one)
        if not as_json:
            print_check(out, one)
    crosses = sum(one.ok is False for one in found)
    if as_json:
        print_json({"ok": not crosses, "checks": [asdict(one) for one in found]})
    if crosses:
        raise typer.Exit(NOT_ALL_SUCCEEDED)
