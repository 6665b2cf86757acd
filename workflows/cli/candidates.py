"""The command candidates: what a campaign of screening or discovery has judged, filtered and sorted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zonemelt.workflows.cli.app import WATCH, command
from zonemelt.workflows.cli.places import Dir, Json, find_campaign


@command(
    WATCH,
    "zonemelt candidates                                          of the newest campaign, the best first",
    "zonemelt candidates runs/heusler --filter 'above_hull<0.05, novel, no Pb'",
    "zonemelt candidates --filter 'verdict=stable, with Li' --sort band_gap --reverse",
    "zonemelt candidates --filter unique --json | jq '.candidates[].formula'",
    "zonemelt candidates --filter verdict=stable --cif best       best/0001-….cif, relaxed",
)
def candidates(
    directory: Dir = "",
    *,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="CONDITIONS",
            help="FIELD<VALUE, FIELD, not FIELD, no Pb, with Li, at most 3 elements; with commas between.",
        ),
    ] = None,
    sort: Annotated[str, typer.Option(metavar="FIELD", help="The least first.")] = "above_hull",
    reverse: Annotated[bool, typer.Option("--reverse", help="The largest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    cif: Annotated[
        str, typer.Option(metavar="FOLDER", help="Write a CIF of each that is found.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """Candidates that a campaign has judged, while it runs or after; fields are those of `--json`.

    Energies above the hull are in eV/atom in conditions and JSON. Those that are not known come last.
    """
    from zonemelt.tasks.errors import CampaignError
    from zonemelt.tasks.judge.filters import Conditions, row_of, sorted_rows
    from zonemelt.tasks.judge.verdict import counted
    from zonemelt.workflows.cli.verdict_tables import print_candidates, print_funnel, write_cifs
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.verdicts import read_verdicts

    place = find_campaign(directory, quiet=as_json)
    found = read_verdicts(place)
    if not found:
        raise CampaignError(
            "no candidate was judged yet",
            where=str(place),
            remedy="screening and discovery judge candidates: `zonemelt status` says how far it is",
        )
    verdicts = {one.verdict.identifier: one.verdict for one in found}
    rows = [row_of(one.verdict, round=one.round) for one in found]
    fields = list(dict.fromkeys(name for row in rows for name in row))
    wanted = Conditions(conditions or [], fields)
    kept = []
    for row in rows:
        geometry = verdicts[row["identifier"]].geometry
        if wanted.hold(row, geometry.symbols if geometry else ()):
            kept.append(row)
    best = sorted_rows(kept, sort, fields, reverse=reverse)
    if cif:
        written = write_cifs(Path(cif), [verdicts[row["identifier"]] for row in best])
        typer.echo(f"{written:,} crystals written to {cif}", err=True)
    if as_json:
        every = list(verdicts.values())
        print_json(
            {
                "directory": str(place), "counts": counted(every), "total": len(best),
                "candidates": [
                    {
                        **verdicts[row["identifier"]].model_dump(mode="json"),
                        "round": row["round"], "atoms": row["atoms"], "elements": row["elements"],
                        "unique": row["unique"],
                    }
                    for row in best
                ],
            }
        )  # fmt: skip
        return
    out = console()
    print_funnel(out, list(verdicts.values()), place)
    if best:
        print_candidates(out, best, verdicts, limit=limit)
    else:
        out.print("no candidate is like that", style="dim")
