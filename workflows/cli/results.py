"""What a campaign found, once it has ended: its table of results and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from zonemelt.workflows.cli.plans import Plan


def print_results(out: Console, place: Path, plan: Plan) -> None:
    """Write the report and print the table of results."""
