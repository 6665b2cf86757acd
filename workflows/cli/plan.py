"""The command that says beforehand what a campaign will do and take: plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.workflows.cli.app import START, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)
from zonemelt.workflows.cli.start import Campaign, Oracle  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console

    from zonemelt.workflows.cli.planning import Planned
    from zonemelt.workflows.simulate.forecast import Range


@command(
    START,
    "zonemelt plan quickstart",
    "zonemelt plan oxides.yaml --site perlmutter --set account=m1234 --wait 02:00:00x2",
    "zonemelt plan oxides.yaml --durations runs/oxides --svg plan.svg",
    "zonemelt plan my_flows:screening --set arguments.n=300 --mermaid",
)
def plan(
    campaign: Campaign,
    *,
    site: Annotated[str, typer.Option(help="Where it would run: a site's name or file.")] = "",
    oracle: Oracle = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of the site or of the campaign."),
    ] = None,
    durations: Annotated[
        str,
        typer.Option(
            metavar="FILE_OR_DIR",
            help="How long jobs take: a YAML file, or a campaign that ran.",
            show_default=False,
        ),
    ] = "",
    wait: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[POOL=]TIME", help="In the queue, e.g. gpu=02:00:00, or 3600x2: to a factor of 2."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is left to chance.")] = 0,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the graph as Mermaid, nothing else.")
    ] = False,
    svg: Annotated[str, typer.Option(metavar="FILE", help="Draw the graph there.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Say what a campaign will do and take: graph, node-hours, batch scripts. Submits nothing.

    Refused is what the site could never run. Everything the numbers rest on is printed with them.
    """
    from zonemelt.workflows.cli.planning import planned
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.simulate.collapse import as_mermaid

    found = planned(
        campaign, site=site, oracle=oracle, settings=settings or [], durations=durations, waits=wait or [],
        seed=seed,
    )  # fmt: skip
    if svg:
        _draw(found, Path(svg))
    if as_json:
        print_json(found.as_dict())
    elif mermaid:
        typer.echo(as_mermaid(found.picture))
    else:
        _say(console(), found)
        if svg:
            typer.echo(f"drawing {svg}")


def _draw(found: Planned, path: Path) -> None:
    from zonemelt.tasks.errors import InputError
    from zonemelt.workflows.paper import duration
    from zonemelt.workflows.simulate.drawing import as_svg

    typical = found.forecast.typical
    title = f"{found.name} on {found.site.name}: {len(found.graph):,} jobs"
    text = as_svg(found.picture, typical.timeline, title=title, span=duration(typical.makespan))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", where=str(path), remedy="give another --svg"
        ) from None


def _say(out: Console, found: Planned) -> None:
    from zonemelt.workflows.simulate.collapse import as_text

    def part(title: str, lines: Iterable[str]) -> None:
        out.print(title, style="bold", soft_wrap=True)
        for line in lines:
            out.print(line, soft_wrap=True)
        out.print()

    size = f"{len(found.graph):,} jobs, the longest chain has {found.picture.longest:,}"
    unknown = [f"{kind} {what}" for kind, what in found.dynamic.items()]
    part(f"{found.name} on {found.site.name}: {size}", [*as_text(found.picture), *unknown])
    part("expected", _expected(found))
    part("assumed", found.assumptions)
    if found.warnings:
        part("beware", found.warnings)
    if not found.scripts:
        part("nothing would be submitted: jobs run on this machine", ())
    for pool, script in found.scripts.items():
        part(f"what would be submitted for each block of {pool}", [script.rstrip()])


def _expected(found: Planned) -> Iterator[str]:
    from zonemelt.workflows.paper import duration

    typical = found.forecast.typical
    yield f"{'makespan':<12} {_between(found.forecast.makespan, duration)}"
    if typical.status != "finished" or set(typical.states) != {"done"}:
        states = ", ".join(f"{count:,} {state}" for state, count in typical.states.items())
        yield f"{'status':<12} {typical.status}: {states}"
    for name, pool in typical.pools.items():
        if not pool.blocks:
            continue
        hours = _between(found.forecast.node_hours[name], "{:,.2f}".format)
        yield (
            f"{name:<12} {hours} node-hours, {pool.attempts:,} jobs in {pool.blocks:,} blocks, "
            f"workers busy {pool.utilisation:.0%} of the time"
        )


def _between(found: Range, show: Callable[[float], str]) -> str:
    low, middle, high = show(found.lowest), show(found.median), show(found.highest)
    return middle if low == high else f"{middle} ({low} to {high})"
