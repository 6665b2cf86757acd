"""What cathodes, ferroelectrics and polymorphs came to, on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.cli.model_tables import number, plain_table
from zonemelt.workflows.report.applications import COLUMNS

if TYPE_CHECKING:
    from rich.table import Table


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
