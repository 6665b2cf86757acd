"""The commands crate and open: a campaign as a Workflow Run RO-Crate, and back."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.app import PROVENANCE, command
from zonemelt.workflows.cli.places import Dir, Json, find_campaign

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def read_size(text: str, *, where: str) -> int:
    """A number of bytes: ``500``, ``10MB``, ``2 GB``.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if match is None:
        raise InputError(f"'{text}' is not a size", where=where, remedy="e.g. 500MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2]])


@command(
    PROVENANCE,
    "zonemelt crate runs/oxides                      writes runs/oxides.crate.zip",
    "zonemelt crate runs/oxides oxides.tar.gz --reference-above 1GB",
    "zonemelt crate runs/oxides paper/oxides --licence https://creativecommons.org/licenses/by/4.0/",
)
def crate(
    directory: Dir = "",
    out: Annotated[
        str, typer.Argument(metavar="[OUT]", help="Archive (.zip, .tar.gz …) or folder.", show_default=False)
    ] = "",
    *,
    reference_above: Annotated[
        str, typer.Option(help="Larger files are named by place and hash, not copied.", show_default=False)
    ] = "",
    licence: Annotated[str, typer.Option(help="URL of the licence of the results.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Export a campaign, with where everything in it comes from, as a Workflow Run RO-Crate."""
    from zonemelt.workflows.paper import print_json
    from zonemelt.workflows.provenance.crate import write_crate

    place = find_campaign(directory, quiet=as_json)
    largest = read_size(reference_above, where="--reference-above") if reference_above else None
    written = write_crate(place, out or None, largest=largest, licence=licence)
    if as_json:
        print_json(written.as_dict())
        return
    by = f", {written.referenced} by reference" if written.referenced else ""
    size = f"{written.nbytes / 1e6:,.1f} MB"
    typer.echo(f"{written.crate}: {written.jobs:,} jobs, {written.files:,} files{by}, {size}")
    typer.echo(f"`zonemelt open {written.crate} DIR` verifies it and goes on with it")


@command(
    PROVENANCE,
    "zonemelt open oxides.crate.zip runs/oxides     verifies every hash",
    "zonemelt resume runs/oxides                    goes on with it here",
    name="open",
)
def open_command(
    crate: Annotated[str, typer.Argument(metavar="CRATE", help="An archive or folder that `crate` wrote.")],
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A new campaign directory.")],
    *,
    max_size: Annotated[str, typer.Option(help="The most that may come out of an archive.")] = "1TB",
    as_json: Json = False,
) -> None:
    """Read a crate back as a campaign directory; every hash is verified before it appears.

    To resume it runs the functions that it names: resume crates only of people you trust.
    """
    from zonemelt.workflows.paper import print_json
    from zonemelt.workflows.provenance.opening import open_crate

    opened = open_crate(crate, directory, most_bytes=read_size(max_size, where="--max-size"))
    if as_json:
        print_json(opened.as_dict())
        return
    typer.echo(
        f"{opened.directory}: {opened.files:,} files and {opened.hashes:,} inputs and outputs verified"
    )
    if opened.absent:
        typer.echo(
            f"{len(opened.absent)} files that it names by reference are not here: {opened.absent[0]} …"
        )
