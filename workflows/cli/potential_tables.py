"""Potentials on paper: which there are, what they say, how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.units import GPA
from zonemelt.workflows.cli.model_tables import number, plain_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from zonemelt.tasks.potentials.ask import Asked

MOST: Final = 40  # lines of a table
_TERMS: Final = {
    "energy": ("energy", 1000, "meV/atom"), "energy_aligned": ("energy, aligned", 1000, "meV/atom"),
    "forces": ("forces", 1000, "meV/Å"), "stress": ("stress", GPA, "GPa"),
}  # fmt: skip


def known_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Which potentials there are."""
    from rich.text import Text

    table = plain_table("potential", "labels", "licence of the weights", "here", left=True)
    for one in found:
        here = "yes" if one["installed"] else one["install"].partition(",")[0]
        cells = (one["name"], one["theory"], one["licence"].partition(":")[0].partition(";")[0], here)
        table.add_row(*map(Text, cells))  # brackets are brackets
    return table


def evaluated_table(found: Sequence[Asked]) -> Table:
    """What a potential says of structures."""
    rows = [one.row() for one in found[:MOST]]
    columns = ["formula", "atoms", "energy (eV/atom)", "largest force (eV/Å)", "pressure (GPa)"]
    columns += [
        name
        for name in ("energy spread (eV/atom)", "force spread (eV/Å)")
        if any(row[name] is not None for row in rows)
    ]
    table = plain_table("structure", *columns, "")
    for row in rows:
        cells = [row[name] if isinstance(row[name], str) else _short(row[name]) for name in columns]
        table.add_row(row["structure"], *cells, row["refused"])
    if len(found) > MOST:
        table.caption = f"and {len(found) - MOST:,} more: --out FILE has all"
    return table


def _short(value: float | None) -> str:
    return str(value) if isinstance(value, int) else number(value, 5)


def print_validation(out: Console, found: Mapping[str, Any]) -> None:
    """A validation as :func:`.validation_job` returns it."""
    from rich.text import Text

    if "errors" in found:
        labels = found["labels"]
        out.print(Text(f"{labels['judged']:,} structures, {labels['atoms']:,} atoms of {labels['source']}"))
        if found["same_theory"] is False:
            out.print(
                Text(
                    f"other levels of theory: the labels are {labels['theory']}, the potential is "
                    f"{found['potential']['theory']}: only aligned energies mean something",
                    "yellow",
                )
            )
        out.print(_errors_table({"all": found["errors"], **found["by_type"]}))
        table = plain_table("forces on", "MAE (meV/Å)", "RMSE (meV/Å)", "components")
        for symbol, one in found["by_element"].items():
            table.add_row(symbol, number(1000 * one["mae"]), number(1000 * one["rmse"]), f"{one['count']:,}")
        if len(found["by_element"]) > 1:
            out.print(table)
        if count := found["refused"]["count"]:
            first = found["refused"]["first"][0]
            out.print(
                Text(f"{count:,} structures were refused: {first['name']}: {first['reason']}", "yellow")
            )
        out.print(f"figure {found['figure']}", soft_wrap=True)
    if found.get("properties"):
        table = plain_table("crystal", "property", "reference", "potential", "error", "source")
        for row in found["properties"]:
            said = row["reason"] if row["potential"] is None else f"{row['potential']:.4g} {row['unit']}"
            error = "-" if row["error"] is None else f"{row['error']:+.1f} %"
            known = f"{row['reference']:.4g} {row['unit']}"
            table.add_row(row["crystal"], row["property"], known, said, error, row["source"])
        out.print(table)


def _errors_table(kinds: Mapping[str, Mapping[str, Any]]) -> Table:
    table = plain_table("", "quantity", "MAE", "RMSE", "largest", "numbers")
    for kind, errors in kinds.items():
        for place, (term, (name, scale, unit)) in enumerate(
            (term, said) for term, said in _TERMS.items() if term in errors
        ):
            one = errors[term]
            table.add_row(
                kind if place == 0 else "", name,
                *(f"{number(scale * one[key])} {unit}" for key in ("mae", "rmse", "largest")),
                f"{one['count']:,}",
            )  # fmt: skip
    return table


def print_relaxed(out: Console, found: Mapping[str, Any]) -> None:
    """Relaxed structures as :func:`.write_relaxed_job` returns them."""
    table = plain_table(
        "structure", "formula", "energy (eV/atom)", "volume (Å³/atom)", "force (eV/Å)", "steps", "outcome"
    )
    for row in found["structures"][:MOST]:
        energy = None if row["energy"] is None else row["energy"] / row["natoms"]
        table.add_row(
            row["name"], row["formula"], number(energy, 5), number(row["volume"], 5), number(row["force"], 2),
            str(row["steps"]), row["outcome"],
        )  # fmt: skip
    if len(found["structures"]) > MOST:
        table.caption = f"and {len(found['structures']) - MOST:,} more"
    out.print(table)
    out.print(f"structures {found['file']}", soft_wrap=True)


def print_simulated(out: Console, found: Mapping[str, Any]) -> None:
    """Simulations as :func:`.write_simulated_job` returns them."""
    columns = {
        "T (K)": "temperature", "energy (eV/atom)": "energy", "volume (Å³/atom)": "volume",
        "pressure (GPa)": "pressure", "drift (eV/atom/ps)": "drift", "spread (eV/Å)": "spread",
    }  # fmt: skip
    table = plain_table("structure", "end", "steps", *columns)
    for row in found["structures"][:MOST]:
        table.add_row(
            row["name"], row["end"], str(row["steps"]), *(number(row[key], 4) for key in columns.values())
        )
    out.print(table)
    for row in found["structures"][:MOST]:
        out.print(f"{row.get('extxyz') or row['trajectory']}", soft_wrap=True)
