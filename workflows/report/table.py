"""The result of a campaign as a table for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

MEV = 1000.0
SHOWN = 3  # of the most stable


def result_table(summary: Mapping[str, Any]) -> Table:
    """One row for each thing worth knowing; energies in meV/atom."""
    from rich.table import Table

    table = Table(title=f"{summary['campaign']}: {'-'.join(summary['elements'])}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    oracle, theory, counts = summary["oracle"], summary["theory"], summary["counts"]
    table.add_row("oracle", oracle["title"] if oracle["is_dft"] else f"[yellow]{oracle['title']}[/]")
    table.add_row("level of theory", f"{theory['functional']} ({theory['code']} {theory['version']})")
    table.add_row(
        "labels",
        f"{counts['labels']} of {counts['candidates']} candidates, {counts['heldout']} of them held out, "
        f"and {counts['references']} of the pure elements; {counts['rejected']} rejected; "
        f"{summary['seconds']['mean']:.1f} s each",
    )
    for strategy, points in summary["learning"].items():
        steps = " → ".join(f"{MEV * point['mean']:.1f}" for point in points)
        last = points[-1]["std"]
        spread = "" if last is None else f" ± {MEV * last:.1f} over {len(points[-1]['values'])} seeds"
        table.add_row(f"held-out error, {strategy}", f"{steps} meV/atom{spread}")
    for number, row in enumerate(summary["stable"][:SHOWN]):
        table.add_row(
            "most stable" if number == 0 else "",
            f"{row['identifier']}: {MEV * row['formation_energy']:.1f} meV/atom, "
            f"{MEV * row['above_hull']:.1f} above the hull",
        )
    for note in summary["notes"]:
        table.add_row("note", note)
    return table
