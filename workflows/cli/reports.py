"""The command report: everything about a campaign in one file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from zonemelt.workflows.cli.app import WATCH, command
from zonemelt.workflows.cli.places import Dir, Json, find_campaign


@command(
    WATCH,
    "zonemelt report",
    "zonemelt report runs/oxides --out oxides.html",
    "zonemelt report --json | jq .sections.funnel",
)
def report(
    directory: Dir = "",
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Where; report.html in the directory.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write everything about a campaign into one HTML file that needs no network; while it runs, too."""
    from zonemelt.workflows.cli.results import tables_of
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.report import write_report
    from zonemelt.workflows.report.reading import gather
    from zonemelt.workflows.report.sections import sections_of

    place = find_campaign(directory, quiet=as_json)
    found = gather(place)
    path = write_report(place, out, gathered=found)
    if as_json:
        sections = {section.name: section.as_dict() for section in sections_of(found)}
        print_json({"report": str(path), "summary": found.summary.as_dict(), "sections": sections})
        return
    paper = console()
    for table in tables_of(found):
        paper.print(table)
    paper.print(f"report {path}", soft_wrap=True)
