"""The commands of potentials that need no campaign: list and evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.workflows.cli.app import LEARN, NOT_ALL_SUCCEEDED, app, examples
from zonemelt.workflows.cli.places import Json, check_ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.structure_files import Read

potential_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    potential_app,
    name="potential",
    rich_help_panel=LEARN,
    help="Interatomic potentials: train, fine-tune, evaluate, relax, md, validate, export.",
    epilog=examples(
        "zonemelt potential list                                   which there are, licence, how to get them",
        "zonemelt potential train labels --kind linear --out cu    from a dataset of energies and forces",
        "zonemelt potential relax sevennet-0 new/*.cif --out relaxed",
        "zonemelt potential validate cu labels --split cu/split.json --out judged",
    ),
)

Potential = Annotated[
    str,
    typer.Argument(
        metavar="POTENTIAL", help="A name of `zonemelt potential list`, or the folder of one trained here."
    ),
]
Structures = Annotated[
    list[str],
    typer.Argument(metavar="STRUCTURES...", help="CIF, POSCAR, extxyz …; or directories of datasets."),
]
Device = Annotated[str, typer.Option("--device", help="cpu or cuda.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Read a file of another library, which can run any program: only if you know who made it.",
    ),
]


@potential_app.command(
    "list", epilog=examples("zonemelt potential list", "zonemelt potential list --json | jq .potentials")
)
def list_potentials(as_json: Json = False) -> None:
    """The potentials that can be asked: what each was trained on, its licence, how to get it."""
    from zonemelt.tasks.potentials.known import known_potentials
    from zonemelt.workflows.cli.potential_tables import known_table
    from zonemelt.workflows.paper import console, print_json

    found = known_potentials()
    if as_json:
        print_json({"potentials": found})
    else:
        out = console()
        out.print(known_table(found))
        out.print(
            "more models of a library: `library:name`; a file of it: `library:PATH` (docs/potentials.md)"
        )


@potential_app.command(
    "evaluate",
    epilog=examples(
        "zonemelt potential evaluate sevennet-0 POSCAR new/many.extxyz",
        "zonemelt potential evaluate my-copper candidates --out energies.extxyz",
        "zonemelt potential evaluate mace:/scratch/medium.model a.cif --trust --json | jq .structures",
    ),
)
def evaluate(
    potential: Potential,
    structures: Structures,
    *,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Ends in .extxyz (with forces), .csv or .jsonl.",
            show_default=False,
        ),
    ] = "",
    stress: Annotated[bool, typer.Option("--stress", help="Also of crystals, GPa.")] = False,
    device: Device = "cpu",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Energy, largest force and pressure of structures, as they are; and how far a committee disagrees.

    A structure that cannot be evaluated is listed with its reason; the exit code is 1 then.
    """
    from zonemelt.tasks.potentials.ask import evaluate_each
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.workflows.cli.potential_files import ENDINGS, write_evaluated
    from zonemelt.workflows.cli.potential_tables import evaluated_table
    from zonemelt.workflows.paper import console, print_json, progress_bar

    if out:
        check_ending(out, ENDINGS)
    opened = load_potential(potential, device=device, trust=trust)
    read = list(all_structures(structures))
    with progress_bar("structures", len(read), quiet=as_json) as step:
        found = evaluate_each(opened, read, stress=stress, progress=step)
    refused = sum(bool(one.refused) for one in found)
    if out:
        write_evaluated(out, found)
    if as_json:
        about = {"name": opened.name, "theory": opened.theory.described, "licence": opened.licence}
        print_json({"potential": about, "refused": refused, "structures": [one.row() for one in found]})
    elif out:
        typer.echo(f"{len(found) - refused:,} evaluated, {refused:,} refused: {out}")
    else:
        console().print(evaluated_table(found))
    if refused:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def all_structures(paths: Sequence[str]) -> Iterator[Read]:
    """The structures of all paths; a file that cannot be read is one with a reason."""
    from zonemelt.tasks.errors import InputError
    from zonemelt.tasks.structure_files import Read, read_structures

    for path in paths:
        try:
            yield from read_structures(path)
        except InputError as error:
            yield Read(name=path, reason=error.what)
