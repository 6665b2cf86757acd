"""The commands diff and rerun: what differs between two campaigns, and jobs replayed and compared."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.workflows.cli.app import NOT_ALL_SUCCEEDED, PROVENANCE, command
from zonemelt.workflows.cli.option_groups import grouped
from zonemelt.workflows.cli.places import find_campaign
from zonemelt.workflows.cli.provenance import First, Form, Second, place_and_id
from zonemelt.workflows.paper import shorten

if TYPE_CHECKING:
    from zonemelt.workflows.provenance.diff import Diff
    from zonemelt.workflows.provenance.rerun import Replay

_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What counts as the same."""

    rtol: Annotated[float, typer.Option(min=0, help="Relative tolerance of numbers.")] = 1e-6
    atol: Annotated[float, typer.Option(min=0, help="Absolute tolerance of numbers.")] = 1e-9
    ignore: Annotated[
        list[str] | None, typer.Option(help="A key whose values do not count; times and hosts never do.")
    ] = None

    def arguments(self) -> dict[str, Any]:
        """The same as comparisons call it."""
        return {"rtol": self.rtol, "atol": self.atol, "ignore": self.ignore or ()}


@command(
    PROVENANCE,
    "zonemelt diff runs/oxides runs/oxides-2",
    "zonemelt diff runs/oxides runs/oxides-2 --json | jq .parted",
    "zonemelt diff runs/oxides runs/oxides-2 --dot | dot -Tsvg > diff.svg",
)
@grouped
def diff(
    first: Annotated[str, typer.Argument(metavar="DIR1", help="A campaign directory.")],
    second: Annotated[str, typer.Argument(metavar="DIR2", help="Another one.")],
    *,
    tolerance: Tolerance,
    form: Form,
) -> None:
    """What differs between two campaigns: spec, code, data, results, and where the results part."""
    from zonemelt.workflows.paper import print_json
    from zonemelt.workflows.provenance.diff import diff as compare
    from zonemelt.workflows.provenance.drawing_comparisons import draw_diff

    language = form.language()
    places = find_campaign(first, quiet=True), find_campaign(second, quiet=True)
    found = compare(*places, **tolerance.arguments())
    if language is not None:
        typer.echo(draw_diff(found, language))
    elif form.as_json:
        print_json(found.as_dict())
    else:
        _print_diff(found)


def _print_diff(found: Diff) -> None:
    if found.same:
        typer.echo(f"the same: spec, code, data and the results of {sum(found.counts.values()):,} jobs")
        return
    for title, pairs in (("spec", found.spec), ("code", found.code), ("data", found.data)):
        if pairs:
            typer.echo(f"{title}:")
        for key, (one, two) in list(pairs.items())[:_LISTED]:
            typer.echo(f"  {key}: {_value(one)} → {_value(two)}")
        if len(pairs) > _LISTED:
            typer.echo(f"  … {len(pairs) - _LISTED} more; --json lists them")
    words = {
        "same": "jobs made the same",
        "given": "made something else, having been given something else",
        "parted": "made something else, having been given the same",
        "state": "did not end in the same state",
        "only_first": f"are only in {found.first}",
        "only_second": f"are only in {found.second}",
    }
    typer.echo("results:")
    for what, count in sorted(found.counts.items(), key=lambda item: list(words).index(item[0])):
        typer.echo(f"  {count:,} {words[what]}")
    for each in found.parted:
        close = "within the tolerance" if each["close"] else "differs"
        typer.echo(f"  jobs {each['first']} and {each['second']} '{each['name']}': {close}")
        _print_differences(each["differences"])


def _value(value: Any) -> str:
    return "nothing" if value is None else shorten(value, most=120)


def _print_differences(differences: list[dict[str, Any]]) -> None:
    for each in differences[:3]:
        typer.echo(f"    {each['path'] or 'output'}: {each['first']} → {each['second']}")


@command(
    PROVENANCE,
    "zonemelt rerun runs/oxides 17          the job again, in runs/oxides-rerun-17-1",
    "zonemelt rerun runs/oxides 17 --subtree   and all that comes from it",
    "zonemelt rerun 17 --rtol 1e-3 --site cluster.yaml",
)
@grouped
def rerun(
    first: First,
    second: Second = "",
    *,
    subtree: Annotated[bool, typer.Option("--subtree", help="Also everything that comes from it.")] = False,
    directory: Annotated[str, typer.Option(help="A fresh directory; beside the campaign by default.")] = "",
    site: Annotated[str, typer.Option(help="Where to run; `inline`: in this very process.")] = "local",
    tolerance: Tolerance,
    form: Form,
) -> None:
    """Replay a job, or a subtree, from what the ledger says it was given, and compare what it makes."""
    from zonemelt.workflows.paper import print_json
    from zonemelt.workflows.provenance.drawing_comparisons import draw_replay
    from zonemelt.workflows.provenance.rerun import rerun as replay

    language = form.language()
    place, text = place_and_id(first, second, quiet=form.quiet)
    where: Any = site if site in {"local", "inline"} or not Path(site).exists() else Path(site)
    with contextlib.redirect_stdout(sys.stderr):
        found = replay(
            place, text, to=directory or None, subtree=subtree, site=where, **tolerance.arguments()
        )
    if language is not None:
        typer.echo(draw_replay(found, language))
    elif form.as_json:
        print_json(found.as_dict())
    else:
        _print_replay(found)
    if not found.agrees:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def _print_replay(found: Replay) -> None:
    words = {
        "same": "the same, by hash",
        "close": "the same within the tolerance",
        "differs": "not what it was",
    }
    for job in found.jobs:
        changed = "; its function has changed since" if job.code_changed else ""
        deviation = f" (largest deviation {job.deviation:.2g})" if job.deviation else ""
        typer.echo(f"{job.job} {job.name}: {words.get(job.verdict, job.verdict)}{deviation}{changed}")
        _print_differences(job.differences)
    typer.echo(f"in {found.directory}")
