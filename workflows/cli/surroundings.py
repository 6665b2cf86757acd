"""Commands about what surrounds campaigns: sites and reports."""

from __future__ import annotations

import typer

from zonemelt.workflows.cli.app import SURROUNDINGS, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)


@command(SURROUNDINGS, "zonemelt sites", "zonemelt sites --json | jq '.sites[].name'")
def sites(as_json: Json = False) -> None:
    """List the sites that come with zonemelt."""
    from zonemelt.sites.site import load_site, site_names
    from zonemelt.workflows.paper import print_json

    found = [load_site(name) for name in site_names()]
    if as_json:
        print_json({"sites": [site.model_dump(mode="json") for site in found]})
        return
    for site in found:
        pools = ", ".join(f"{name} ({pool.capacity} workers)" for name, pool in site.pools.items())
        typer.echo(f"{site.name:<20}{site.scheduler:<10}{pools}")
