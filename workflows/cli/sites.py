"""Commands about machines: which there are, what is known of one, whether it will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.workflows.cli.app import NOT_ALL_SUCCEEDED, SURROUNDINGS, app, examples
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

if TYPE_CHECKING:
    from zonemelt.sites.evidence import Value
    from zonemelt.sites.site import Site

_Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A value on top, e.g. account=m1234."),
]
_Site = Annotated[
    str, typer.Argument(metavar="[SITE]", help="A name, or the path of a .yaml file.", show_default=False)
]

sites_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(
    sites_app,
    name="sites",
    rich_help_panel=SURROUNDINGS,
    epilog=examples(
        "zonemelt sites",
        "zonemelt sites show perlmutter",
        "zonemelt sites check perlmutter",
        "zonemelt sites --json | jq '.sites[].name'",
    ),
)


@sites_app.callback()
def sites(context: typer.Context, as_json: Json = False) -> None:
    """List the machines that campaigns can run on; show one, check one."""
    if context.invoked_subcommand is not None:
        return
    from zonemelt.sites.load import SiteFileError, load_site, site_names
    from zonemelt.workflows.cli.site_tables import sites_table
    from zonemelt.workflows.paper import console, print_json

    found, broken = [], {}
    for name in site_names():
        try:
            found.append(load_site(name))
        except SiteFileError as error:  # one file of a person's own must not hide the others
            broken[name] = str(error)
    if as_json:
        print_json({"sites": [site.model_dump(mode="json") for site in found], "broken": broken})
        return
    console().print(sites_table(found))
    for trouble in broken.values():
        typer.secho(trouble, fg="red", err=True)


@sites_app.command(
    epilog=examples(
        "zonemelt sites show perlmutter",
        "zonemelt sites show perlmutter --set account=m1234 --set pools.gpu.walltime=02:00:00",
    )
)
def show(name: _Site = "", *, settings: _Settings = None, as_json: Json = False) -> None:
    """Everything known of a site: each value, how sure we are of it, and where it comes from."""
    from dataclasses import asdict

    from zonemelt.sites.load import missing_values
    from zonemelt.workflows.cli.site_tables import print_site
    from zonemelt.workflows.paper import console, print_json

    site, values = _read(name, settings)
    missing = missing_values(site)
    if as_json:
        print_json(
            {
                "site": site.model_dump(mode="json"),
                "values": [asdict(value) for value in values],
                "missing": missing,
            }
        )
        return
    print_site(console(), site, values, missing)


@sites_app.command(
    epilog=examples(
        "zonemelt sites check perlmutter --set account=m1234",
        "zonemelt sites check ~/.zonemelt/sites/mine.yaml",
        "zonemelt sites check perlmutter --probe       also submits one short job to each pool",
        "zonemelt sites check local --oracle qe        is the DFT code there, with its files",
    )
)
def check(
    name: _Site = "",
    *,
    settings: _Settings = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Submit a short job to each pool, and say what it sees.")
    ] = False,
    oracle: Annotated[
        str, typer.Option(help="Look for the program and files of this oracle.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """Whether a site will do: a tick or a cross for each thing that can be seen from here.

    Exit code 1 where there is a cross. Nothing is submitted without --probe.
    """
    from dataclasses import asdict

    from zonemelt.workflows.cli.site_checks import site_checks
    from zonemelt.workflows.cli.ticks import print_check
    from zonemelt.workflows.paper import console, print_json

    site, values = _read(name, settings)
    out = console()
    found = []
    for one in site_checks(site, values, probe=probe, oracle=oracle):
        found.append(one)
        if not as_json:
            print_check(out, one)
    crosses = sum(one.ok is False for one in found)
    if as_json:
        print_json({"ok": not crosses, "site": site.name, "checks": [asdict(one) for one in found]})
    if crosses:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def _read(name: str, settings: list[str] | None) -> tuple[Site, list[Value]]:
    """A site with the sources of its values; the settings' one where none is named.

    Raises:
        InputError: it cannot be read.
    """
    from zonemelt.sites.evidence import described
    from zonemelt.sites.layers import SiteFileError
    from zonemelt.workflows.cli.plans import of_site_file, parse_settings
    from zonemelt.workflows.settings import load_settings

    try:
        return described(name or load_settings().site, parse_settings(settings or []))
    except SiteFileError as error:
        raise of_site_file(error) from None
