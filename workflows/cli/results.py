"""What a campaign found: its tables of results and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.workflows.cli.application_tables import application_table
from zonemelt.workflows.cli.verdict_tables import print_verdicts
from zonemelt.workflows.report.applications import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from zonemelt.workflows.cli.plans import Plan
    from zonemelt.workflows.report.reading import Gathered


def tables_of(found: Gathered) -> Iterator[Table]:
    """What a campaign found, for the console; nothing of one that has found nothing yet.

    Args:
        found: what was read of it.
    """
    from zonemelt.workflows.report import discovery_tables, rounds_table

    outputs, kind = found.outputs, found.document.get("kind")
    if history := outputs.history:
        found_so_far = list(discovery_tables(history, outputs.stopped))
        yield from found_so_far or [rounds_table(history, outputs.stopped)]
    if kind in COLUMNS and outputs.result:
        rows: Any = outputs.result[1]
        yield application_table(str(kind), rows if isinstance(rows, list) else [rows])


def print_results(out: Console, place: Path, plan: Plan) -> None:
    """Print the tables of results and write the report; of a program's graph only where it is asked for."""
    from zonemelt.workflows.report import write_report
    from zonemelt.workflows.report.reading import gather

    if plan.spec is None or plan.spec.kind == "graph":
        return
    if plan.spec.kind == "screening":
        print_verdicts(out, place)
    try:
        found = gather(place)
        for table in tables_of(found):
            out.print(table)
        path = write_report(place, gathered=found)
    except ZonemeltError as error:  # the campaign is done: that must be seen, not this
        out.print(f"no report: {error}")
        return
    out.print(f"report {path}", soft_wrap=True)
