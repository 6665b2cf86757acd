"""Commands whose campaign begins, or goes on where the same command was stopped."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.cli.places import is_campaign

if TYPE_CHECKING:
    from collections.abc import Callable

    from zonemelt.workflows.cli.plans import Plan


def run_or_go_on(
    plan: Plan, directory: str, *, quiet: bool = False, also: Callable[[], list[str]] = list
) -> Path:
    """Run the campaign of a command up to its end.

    Args:
        plan: of the campaign.
        directory: where it is; one begun there goes on if it is the same. A new one where this is empty.
        quiet: what is shown goes to standard error.
        also: gives further lines for the view of a running campaign.

    Returns:
        The campaign directory.

    Raises:
        CampaignError: another campaign is there.
        Exit: not every job succeeded, or a person stopped it.
    """
    from zonemelt.workflows.cli.drive import drive
    from zonemelt.workflows.cli.plans import never_submitted, new_place, site_of

    graph = plan.build()  # what is wrong with it is said before anything is made
    site_of(plan)
    place = Path(directory).resolve() if directory else None
    if place is None or not is_campaign(place) or never_submitted(place):
        place = new_place(directory, plan)
    else:
        check_same(place, plan)
        graph = None
    typer.echo(f"campaign {place}", err=True)
    with contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext():
        drive(place, plan, graph=graph, also=also)
    return place


def check_same(place: Path, plan: Plan) -> None:
    """Make sure that a campaign which goes on is the one that is asked for.

    Raises:
        CampaignError: it is another one; with what differs.
    """
    from zonemelt.workflows.cli.plans import stored_plan
    from zonemelt.workflows.dotted import flat

    old = stored_plan(place, {})
    before = flat(old.document.get("arguments", {})) if old is not None else {}
    now = flat(plan.document["arguments"])
    if before != now:
        differ = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        shown = "; ".join(f"{key} is {now.get(key)!r:.60}, not {before.get(key)!r:.60}" for key in differ[:3])
        raise CampaignError(
            f"this directory holds another campaign: {shown}",
            where=str(place),
            remedy="begin in another directory, or go on with that one: `zonemelt resume`",
        )
