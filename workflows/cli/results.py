"""What a campaign found: its table of results and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.cli.application_tables import COLUMNS, application_table, results_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from zonemelt.workflows.cli.plans import Plan


def report_on(place: Path, spec: Any) -> tuple[Path, dict[str, Any]]:
    """Write ``report.html`` from what there is.

    Args:
        place: the campaign directory.
        spec: the campaign.

    Returns:
        Its path, and the summary it shows.

    Raises:
        CampaignError: there is no summary yet.
        InputError: a campaign of this kind has no report.
    """
    if spec is None or spec.kind == "graph" or spec.kind in COLUMNS:
        raise InputError(
            "a campaign of this kind has no report",
            where=str(place),
            remedy="`zonemelt show JOB` shows outputs, and `open_store(directory=…)` reads them",
        )
    from zonemelt.tasks.stores import open_store
    from zonemelt.workflows.report import write_report
    from zonemelt.workflows.report.html import read_summary

    store = open_store(None, directory=place)
    store.connect()
    try:
        return write_report(store, spec, place), read_summary(store, spec)
    finally:
        store.close()  # type: ignore[no-untyped-call]


def rounds_of(place: Path, spec: Any) -> tuple[list[dict[str, Any]], str] | None:
    """The rounds of a loop of active learning so far, and why it ended; None for campaigns of other kinds."""
    from zonemelt.tasks.stores import open_store
    from zonemelt.workflows.campaigns.active_potential import LoopSpec
    from zonemelt.workflows.report import read_rounds

    if not isinstance(spec, LoopSpec):
        return None
    store = open_store(None, directory=place)
    store.connect()
    try:
        return read_rounds(store, spec.name)
    finally:
        store.close()  # type: ignore[no-untyped-call]


def print_results(out: Console, place: Path, plan: Plan) -> None:
    """Write the report and print the table of results; nothing where the campaign has none."""
    from zonemelt.workflows.report import result_table, rounds_table

    if (found := rounds_of(place, plan.spec)) is not None:
        if found[0]:
            out.print(rounds_table(*found))
        return
    if plan.spec is not None and plan.spec.kind in COLUMNS:
        if compounds := results_of(place, plan.spec.name):
            out.print(application_table(plan.spec.kind, compounds))
        return
    try:
        path, summary = report_on(place, plan.spec)
    except (CampaignError, InputError):
        return
    out.print(result_table(summary))
    out.print(f"report {path}", markup=False, soft_wrap=True)
