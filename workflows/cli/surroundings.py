"""Commands about what surrounds campaigns: sites and reports."""

from __future__ import annotations

import typer

from zonemelt.workflows.cli.app import SURROUNDINGS, command
from zonemelt.workflows.cli.places import Dir, Json  # noqa: TC001 (typer reads the annotations)


@command(SURROUNDINGS, "zonemelt sites", "zonemelt sites --json | jq '.sites[].name'")
def sites(as_json: Json = False) -> None:
    """List the sites that come with zonemelt."""
    from zonemelt.sites.load import load_site, site_names
    from zonemelt.workflows.paper import print_json

    found = [load_site(name) for name in site_names()]
    if as_json:
        print_json({"sites": [site.model_dump(mode="json") for site in found]})
        return
    for site in found:
        pools = ", ".join(f"{name} ({pool.capacity} workers)" for name, pool in site.pools.items())
        typer.echo(f"{site.name:<20}{site.scheduler:<10}{pools}")


@command(SURROUNDINGS, "zonemelt report", "zonemelt report runs/oxides")
def report(directory: Dir = "", as_json: Json = False) -> None:
    """Write report.html anew from what a campaign has found, and print its results."""
    from zonemelt.workflows.cli.places import find_campaign
    from zonemelt.workflows.cli.plans import stored_plan
    from zonemelt.workflows.cli.results import report_on
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.report import result_table

    place = find_campaign(directory, quiet=as_json)
    plan = stored_plan(place, {})
    path, summary = report_on(place, plan.spec if plan is not None else None)
    if as_json:
        print_json({"report": str(path), "summary": summary})
        return
    out = console()
    out.print(result_table(summary))
    out.print(f"report {path}", markup=False, soft_wrap=True)
