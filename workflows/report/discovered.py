"""What a discovery has found, as tables for the console, while it runs or after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

_MILLI: Final = 1000.0
_SHOWN: Final = 10
_SIEVES: Final = ("generated", "valid", "novel", "stable", "labelled", "confirmed")


def discovery_tables(rounds: Sequence[Mapping[str, Any]], stopped: str) -> Iterator[Table]:
    """What each round came to, and the crystals that were labelled, the most stable first."""
    outcomes = [(one, one["discovery"]) for one in rounds if "discovery" in one]
    if not outcomes:
        return
    yield _rounds(outcomes, stopped)
    last = outcomes[-1][1]
    if last["discoveries"]:
        yield _crystals(last)


def _rounds(outcomes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], stopped: str) -> Table:
    from rich.table import Table

    table = Table(
        title=f"looked for: {outcomes[0][1]['described']}", caption=f"ended: {stopped}" if stopped else None
    )
    for column in ("round", "labels", "refused", "error before, meV/atom", *_SIEVES):
        table.add_column(column, justify="right")
    for one, outcome in outcomes:
        errors: dict[str, float] = next(
            (each["errors"] for each in outcome["lessons"] if each["model"] == "potential"), {}
        )
        error = errors.get("energy mae (eV/atom)")
        table.add_row(
            str(one["round"]), str(one["records"]), str(len(one["refused"])),
            "" if error is None else f"{_MILLI * error:.1f}",
            *("" if one["round"] == 0 else str(outcome["funnel"][sieve]) for sieve in _SIEVES),
        )  # fmt: skip
    return table


def _crystals(outcome: Mapping[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    found = outcome["discoveries"]
    confirmed = sum(one["confirmed"] for one in found)
    shown = min(len(found), _SHOWN)
    table = Table(
        title=f"{confirmed} of {len(found)} within the target by their labels ({outcome['oracle']})",
        caption=f"the {shown} most stable; `zonemelt candidates` lists all, `zonemelt why` where one is from",
    )
    table.add_column("crystal")
    for column in ("space group", "above hull, meV/atom", "predicted", "formation, meV/atom", "round"):
        table.add_column(column, justify="right")
    table.add_column("from")
    for one in found[:_SHOWN]:
        predicted = one["predicted_above_hull"]
        table.add_row(
            Text(one["identifier"], "green" if one["confirmed"] else ""),
            str(one["space_group"] or ""), f"{_MILLI * one['above_hull']:.1f}",
            "" if predicted is None else f"{_MILLI * predicted:.1f}",
            f"{_MILLI * one['formation_energy']:.1f}", str(one["round"]),
            (one["origin"] or {}).get("parent") or "noise",
        )  # fmt: skip
    return table
