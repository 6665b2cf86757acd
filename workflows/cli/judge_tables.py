"""Generated crystals on paper: shares, coverage, distances, and why some are not valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.cli.model_tables import MOST, number, plain_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from zonemelt.tasks.judge.generated import Judged

_SHARES: Final = {
    "structure_valid": "structure valid",
    "composition_valid": "composition valid",
    "valid": "both",
    "unique": "structure valid, first of its kind",
    "novel": "structure valid, not among the known",
    "unique_and_novel": "unique and novel",
    "stable": "stable",
    "sun": "stable, unique and novel",
    "symmetric": "with symmetry (not P1, to 0.1 Å)",
}


def print_judged(
    out: Console, judged: Judged, rows: Sequence[Mapping[str, Any]], compared: Mapping[str, int]
) -> None:
    """What was found of a set of generated crystals.

    Args:
        out: where to.
        judged: of all.
        rows: of each, for names of those that are not valid.
        compared: how many crystals they were compared with, by role.
    """
    from rich.text import Text

    found = judged.metrics
    unread = f", {found['unreadable']:,} of them unreadable" if found["unreadable"] else ""
    beside = "".join(f", {role} {count:,}" for role, count in compared.items())
    out.print(Text(f"{found['crystals']:,} crystals{unread}{beside}", "bold"))
    table = plain_table("of all", "share")
    for name, said in _SHARES.items():
        if name in found:
            table.add_row(said, f"{found[name]:.2%}")
    out.print(table)
    for line in _lines(found):
        out.print(Text(line))
    if cut := judged.same.cut + (judged.fresh.cut if judged.fresh else 0):
        out.print(
            Text(f"{cut:,} called new after comparison with the nearest 64 of their formula only", "yellow")
        )
    if judged.reasons:
        out.print(Text("not valid:", "yellow"))
        for why, count in list(judged.reasons.items())[:MOST]:
            example = next(row["name"] for row in rows if why in row["reasons"])
            out.print(Text(f"  {count:,}: {why}, {example} for one"), soft_wrap=True)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    if "stable" in found:
        without = f", {found['without_hull']:,} without a hull" if found["without_hull"] else ""
        yield f"stable: up to {found['stable_within']:g} eV/atom above the hull{without}"
    if covered := found.get("coverage"):
        yield (
            f"coverage (cutoffs {covered['cutoffs'][0]:g}, {covered['cutoffs'][1]:g}): "
            f"recall {covered['recall']:.2%}, precision {covered['precision']:.2%}"
        )
    for name, one in found.get("distances", {}).items():
        unit = f" {one['unit']}" if one["unit"] else ""
        drawn = ""
        if one["drawn"] is not None:
            drawn = f"; of 1,000 drawn {number(one['drawn'])} ± {number(one['spread'], 1)}{unit}"
        yield f"Wasserstein distance of {name}: {number(one['every'])}{unit}{drawn}"
    if "match_rate" in found:
        several = f", the best of {found['predictions']}" if found["predictions"] > 1 else ""
        yield f"match rate{several}: {found['match_rate']:.2%}, rms {number(found['rms'])}"
        valid = found["match_rate_of_valid"]
        yield f"  of valid pairs only: {valid:.2%}, rms {number(found['rms_of_valid'])}"
