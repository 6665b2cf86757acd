"""Commands about what surrounds campaigns: reports."""

from __future__ import annotations

from zonemelt.workflows.cli.app import SURROUNDINGS, command
from zonemelt.workflows.cli.places import Dir, Json  # noqa: TC001 (typer reads the annotations)


@command(SURROUNDINGS, "zonemelt report", "zonemelt report runs/oxides")
def report(directory: Dir = "", as_json: Json = False) -> None:
    """Write report.html anew from what a campaign has found, and print its results; of a loop, its rounds."""
    from zonemelt.workflows.cli.places import find_campaign
    from zonemelt.workflows.cli.plans import stored_plan
    from zonemelt.workflows.cli.results import report_on, rounds_of
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.report import result_table, rounds_table

    place = find_campaign(directory, quiet=as_json)
    plan = stored_plan(place, {})
    spec = plan.spec if plan is not None else None
    if (rounds := rounds_of(place, spec)) is not None:
        if as_json:
            print_json({"rounds": rounds[0], "stopped": rounds[1]})
        else:
            console().print(rounds_table(*rounds))
        return
    path, summary = report_on(place, spec)
    if as_json:
        print_json({"report": str(path), "summary": summary})
        return
    out = console()
    out.print(result_table(summary))
    out.print(f"report {path}", markup=False, soft_wrap=True)
