"""Commands about datasets: what one holds, its versions, whether it is whole, and other forms of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from zonemelt.workflows.cli.app import DATA, NOT_ALL_SUCCEEDED, app, examples
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

_Directory = Annotated[str, typer.Argument(metavar="DATASET", help="Directory of the dataset.")]
_Version = Annotated[
    str, typer.Option("--version", "-v", help="Hash of a version, or its beginning; else the newest.")
]
_Quarantine = Annotated[bool, typer.Option("--quarantine", help="What is in quarantine instead.")]

dataset_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    dataset_app,
    name="dataset",
    rich_help_panel=DATA,
    help="Look into datasets: show, versions, check, export.",
    epilog=examples(
        "zonemelt dataset show labels",
        "zonemelt dataset versions labels",
        "zonemelt dataset check labels",
        "zonemelt dataset export labels labels.extxyz",
    ),
)


@dataset_app.command(
    "show",
    epilog=examples(
        "zonemelt dataset show labels",
        "zonemelt dataset show labels --version 3f2a9c",
        "zonemelt dataset show labels --quarantine       and why they are there",
        "zonemelt dataset show labels --json | jq .counts",
    ),
)
def show_dataset(
    dataset: _Directory, version: _Version = "", quarantine: _Quarantine = False, as_json: Json = False
) -> None:
    """What a version holds: records by verdict, element and level of theory, ranges of values."""
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.datasets.overview import overview
    from zonemelt.workflows.cli.dataset_tables import print_overview
    from zonemelt.workflows.paper import console, print_json

    opened = open_dataset(dataset, version or None)
    found = overview(opened.quarantine if quarantine else opened)
    if as_json:
        print_json(found)
    else:
        print_overview(console(), found)


@dataset_app.command(
    "versions",
    epilog=examples("zonemelt dataset versions labels", "zonemelt dataset versions labels --json"),
)
def versions(dataset: _Directory, as_json: Json = False) -> None:
    """List the versions, the newest last; those made aside say which they build on."""
    from zonemelt.tasks.datasets.history import history
    from zonemelt.workflows.cli.dataset_tables import versions_table
    from zonemelt.workflows.paper import console, print_json

    found = history(dataset)
    if as_json:
        print_json({"directory": dataset, "versions": found})
    else:
        console().print(versions_table(found))


@dataset_app.command(
    "check", epilog=examples("zonemelt dataset check labels", "zonemelt dataset check labels --json")
)
def check_files(dataset: _Directory, as_json: Json = False) -> None:
    """Work out all hashes again: a tick or a cross for each file, with what to do.

    Raises:
        Exit: with 1, where a file is missing or damaged.
    """
    from zonemelt.tasks.datasets import check_dataset, open_dataset
    from zonemelt.tasks.errors import StoreError
    from zonemelt.workflows.cli.dataset_tables import finding_line
    from zonemelt.workflows.paper import console, print_json

    with suppress(StoreError):  # a damaged log or version is told below, with all other files
        open_dataset(dataset)
    out, found = console(), []
    for finding in check_dataset(dataset):
        found.append(finding)
        if not as_json:
            out.print(finding_line(finding))
    broken = sum(finding.error is not None for finding in found)
    if as_json:
        files = [
            {"path": str(f.path), "error": str(f.error) if f.error else None, "note": f.note} for f in found
        ]
        print_json({"directory": dataset, "broken": broken, "files": files})
    else:
        out.print(f"{len(found):,} files, {broken:,} missing or damaged")
    if broken:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


@dataset_app.command(
    "export",
    epilog=examples(
        "zonemelt dataset export labels labels.extxyz",
        "zonemelt dataset export labels al-au.jsonl --where elements=Al-Au",
        "zonemelt dataset export labels rejected.csv --quarantine",
    ),
)
def export_records(
    dataset: _Directory,
    target: Annotated[str, typer.Argument(metavar="FILE", help="Ends in .extxyz, .jsonl or .csv.")],
    version: _Version = "",
    *,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only records that have it; may be repeated."),
    ] = None,
    quarantine: _Quarantine = False,
    as_json: Json = False,
) -> None:
    """Write the records into one file: extended XYZ, JSON lines (whole records) or CSV (a table)."""
    from zonemelt.tasks.datasets import export, open_dataset
    from zonemelt.tasks.datasets.scan import where_said
    from zonemelt.workflows.paper import print_json

    opened = open_dataset(dataset, version or None)
    chosen = opened.quarantine if quarantine else opened
    written = export(chosen, target, where=where_said(where or []))
    if as_json:
        print_json({"file": target, "records": written, "version": opened.version})
    else:
        typer.echo(f"{written:,} records of version {opened.version[:12]} are in {target}")
