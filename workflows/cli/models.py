"""The commands models list and models show: what can be trained, and what has been."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from zonemelt.workflows.cli.app import LEARN, app, examples
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

OTHERS: Final = {  # name → what it reads, what it is, the command
    "network potential": (
        "energies, forces", "Interatomic potential: equivariant network.", "potential train --kind network",
    ),
    "linear potential": (
        "energies, forces", "Interatomic potential: cluster expansion.", "potential train --kind linear",
    ),
    "generator": ("crystals", "Draws crystals, by flow matching.", "generator train"),
}  # fmt: skip

models_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    models_app,
    name="models",
    rich_help_panel=LEARN,
    help="Models: list those that can be trained, or those of a directory; show one.",
    epilog=examples(
        "zonemelt models list                  what can be trained",
        "zonemelt models list .                the models below a directory",
        "zonemelt models show gap-model",
    ),
)


@models_app.command(
    "list",
    epilog=examples("zonemelt models list", "zonemelt models list runs/ old/ --json | jq .models"),
)
def list_models(
    directories: Annotated[
        list[str] | None, typer.Argument(metavar="[DIR]...", help="Looked through for models.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Without DIR the models that can be trained; with it those there, with metrics, size and date.

    Models of properties, potentials and generators. Potentials of others: `zonemelt potential list`.
    """
    from zonemelt.workflows.cli.model_tables import known_table, models_table
    from zonemelt.workflows.paper import console, print_json

    if not directories:
        from zonemelt.tasks.learn.known_models import known_models

        every = {name: (*said, f"train --model {name}") for name, said in known_models().items()} | OTHERS
        known = [
            {"model": name, "reads": reads, "about": about, "command": f"zonemelt {command}"}
            for name, (reads, about, command) in every.items()
        ]
        if as_json:
            print_json({"models": known})
        else:
            console().print(known_table(known))
        return
    from zonemelt.workflows.cli.model_folders import find_models

    found = [one for directory in directories for one in find_models(directory)]
    if as_json:
        print_json({"directories": directories, "models": found})
    elif found:
        console().print(models_table(found))
    else:
        typer.echo(f"there is no model in {', '.join(directories)}")


@models_app.command(
    "show", epilog=examples("zonemelt models show gap-model", "zonemelt models show gap-model --json | jq")
)
def show_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder of the model.")], as_json: Json = False
) -> None:
    """The card of a model: what it is, what it was trained on, how well it does."""
    from zonemelt.workflows.cli.model_folders import about_model
    from zonemelt.workflows.cli.model_tables import print_card
    from zonemelt.workflows.paper import console, print_json

    found = about_model(model)
    if as_json:
        print_json(found)
    else:
        print_card(console(), {"folder": found["folder"], **found["card"]})
