"""The rounds of a loop of active learning as a table for the console, while it runs or after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

UNITS_OF_MILLI = {"eV/atom": "meV/atom", "eV/Å": "meV/Å"}

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table


def rounds_table(rounds: Sequence[Mapping[str, Any]], stopped: str) -> Table:
    """One row a round: labels, what was refused, errors on held-out labels."""
    from rich.table import Table

    errors = list(dict.fromkeys(key for one in rounds for key in one["heldout"] if " mae (" in key))
    table = Table(title="rounds", caption=f"ended: {stopped}" if stopped else None)
    best = any("best" in one for one in rounds)
    for column in ("round", "labels", "refused", *map(heading, errors), *(["best"] if best else [])):
        table.add_column(column, justify="right")
    for one in rounds:
        cells = [str(one["round"]), str(one["records"]), str(one["quarantine"])]
        cells += [shown(key, one["heldout"].get(key)) for key in errors]
        if best:
            cells.append("  ".join(f"{name} {value:.4g}" for name, value in list(one["best"].items())[:1]))
        table.add_row(*cells)
    return table


def heading(key: str) -> str:
    """The title of a column of errors: what of, and the unit in which it is shown."""
    what, _, unit = key.partition(" mae (")
    return f"{what}, {UNITS_OF_MILLI.get(unit.rstrip(')'), unit.rstrip(')'))}"


def shown(key: str, value: float | None) -> str:
    """An error in the unit of its title."""
    if value is None:
        return ""
    unit = key.partition(" mae (")[2].rstrip(")")
    return f"{1000 * value:.1f}" if unit in UNITS_OF_MILLI else f"{value:.4g}"
