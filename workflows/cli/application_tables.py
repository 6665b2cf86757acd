"""What cathodes, ferroelectrics and polymorphs came to, on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.cli.model_tables import number, plain_table

if TYPE_CHECKING:
    from rich.table import Table

# Kind of campaign → column, key.
COLUMNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "cathodes": (
        ("formula", "formula"), ("voltage (V)", "voltage"), ("capacity (mAh/g)", "capacity"),
        ("energy (Wh/kg)", "energy_density"), ("volume change (%)", "volume_change"),
        ("barrier (eV)", "barrier"), ("hop (Å)", "hop"),
    ),
    "ferroelectrics": (
        ("c/a", "tetragonality"), ("energy gain (meV)", "energy_gain"),
        ("P nominal (µC/cm²)", "polarization_nominal"), ("P Born (µC/cm²)", "polarization_born"),
    ),
    "polymorphs": (
        ("energy (kJ/mol)", "energy"), ("volume (Å³)", "volume"), ("density (g/cm³)", "density"),
        ("cations/1000 Å³", "framework_density"),
    ),
}  # fmt: skip


def application_table(kind: str, found: list[dict[str, Any]]) -> Table:
    """A line for each compound."""
    table = plain_table(kind, *(title for title, _ in COLUMNS[kind]), "")
    for one in found:
        cells = [
            value if isinstance(value := one.get(key), str) else number(value) for _, key in COLUMNS[kind]
        ]
        reasons = "; ".join(filter(None, (one.get("reason"), one.get("barrier_reason"))))
        table.add_row(one["name"], *cells, reasons)
    return table
