"""The command ingest: outputs and tables into a dataset, through the engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.cli.app import DATA, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

if TYPE_CHECKING:
    from rich.console import Console

    from zonemelt.workflows.cli.plans import Plan

GRAPH = "zonemelt.flows.ingest:IngestMaker"
REMEDY = "write columns: and theory:, as docs/ingest.md shows"


@command(
    DATA,
    "zonemelt ingest runs/ --out labels               a directory of outputs, whatever the codes",
    "zonemelt ingest old.tar.gz more/OUTCAR.gz --out labels",
    "zonemelt ingest runs/ --out labels --site my-cluster --directory ingesting",
    "zonemelt ingest gaps.csv.gz --table gaps.yaml --out gaps",
    "zonemelt ingest runs/ --out labels --json | jq .verdicts",
)
def ingest(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, directories, archives, or SCHEME:ADDRESS.")
    ],
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="DATASET", help="Directory of the dataset.")],
    site: Annotated[str, typer.Option(help="Where to run: a site's name or file.", show_default=False)] = "",
    directory: Annotated[
        str,
        typer.Option(
            "--directory", "-d", help="Campaign directory; one begun there goes on.", show_default=False
        ),
    ] = "",
    table: Annotated[
        str,
        typer.Option(
            metavar="FILE.yaml",
            help="What is known of tables: columns with units, level of theory.",
            show_default=False,
        ),
    ] = "",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Files that one job reads.")] = 200,
    as_json: Json = False,
) -> None:
    """Read outputs and tables into a dataset; every file gets a verdict.

    Files that the dataset has already are left out. What became of each file stands in ingest-report.jsonl
    and ingest-report.csv of the dataset. Ctrl-C stops it cleanly; the same command with --directory goes on.
    """
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.paper import console, print_json

    plan = _plan(paths, out, site=site, batch=batch, table=table)
    found = _outcome(run_or_go_on(plan, directory, quiet=as_json))
    if as_json:
        print_json(found)
    else:
        _print(console(), found)


def _plan(paths: list[str], out: str, *, site: str, batch: int, table: str) -> Plan:
    from zonemelt.tasks.ingest.sources import absolute
    from zonemelt.tasks.settings import read_mapping
    from zonemelt.workflows.cli.plans import read_plan

    settings: dict[str, Any] = {
        "name": "ingest",
        "arguments.sources": absolute(paths),
        "arguments.dataset": str(Path(out).absolute()),
        "arguments.batch_files": batch,
        "arguments.table": read_mapping(Path(table), of="columns", remedy=REMEDY) if table else {},
    }
    return read_plan(GRAPH, settings | ({"site": site} if site else {}))


def _outcome(place: Path) -> dict[str, Any]:
    """What the last job of the campaign returned."""
    from zonemelt.tasks.stores import open_store

    store = open_store(None, directory=place)
    store.connect()
    try:
        found = store.query_one({"name": "finish_job"}, properties=["output"])
    finally:
        store.close()  # type: ignore[no-untyped-call]
    if found is None:
        raise CampaignError(
            "it has not ended", where=str(place), remedy="`zonemelt jobs --failed` tells what went wrong"
        )
    output: dict[str, Any] = found["output"]
    return output


def _print(out: Console, found: dict[str, Any]) -> None:
    """Counts by verdict, and where to look for more."""
    from rich.table import Table

    table = Table(box=None, show_edge=False, pad_edge=False)
    table.add_column("verdict")
    table.add_column("files", justify="right")
    for verdict, count in found["verdicts"].items():
        table.add_row(verdict, f"{count:,}")
    table.add_row("in all", f"{found['files']:,}", style="bold")
    out.print(table)
    for one in found["without_records"]:
        out.print(f"{one['verdict']}: {one['path']}: {one['reason']}", soft_wrap=True)
    bare = f", {found['no_records']:,} rows or frames are no records" if found["no_records"] else ""
    out.print(
        f"{found['accepted']:,} records accepted, {found['quarantined']:,} in quarantine{bare}\n"
        f"dataset {found['dataset']}, version {found['version'][:12]}:"
        f" {found['records']:,} records, {found['in_quarantine']:,} in quarantine\n"
        f"what became of each file: {Path(found['dataset']) / 'ingest-report.csv'}",
        soft_wrap=True,
    )
