"""The command generator train: from a dataset to a generator of crystals, through the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import LEARN, app, examples
from zonemelt.workflows.cli.option_groups import grouped

GRAPH: Final = "zonemelt.flows.generator:generator_from"
PREFIXES: Final = ("settings.", "architecture.", "loss.")

generator_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    generator_app,
    name="generator",
    rich_help_panel=LEARN,
    help="Generators of crystals: train one. `zonemelt generate` draws from it.",
    epilog=examples("zonemelt generator train crystals --out gen", "zonemelt generate gen --number 100"),
)


@generator_app.command(
    "train",
    epilog=examples(
        "zonemelt generator train crystals --out gen",
        "zonemelt generator train crystals --out gen --wish band_gap --atoms 12 --epochs 500",
        "zonemelt generator train crystals --out gen --set architecture.width=256 --set settings.ema=0.999",
        "zonemelt generator train crystals --out gen --site my-cluster --pool gpu --ranks 4 --gpus 1",
    ),
)
@grouped
def train(
    dataset: options.Dataset,
    *,
    out: options.Out,
    wish: Annotated[
        str,
        typer.Option(
            "--wish", metavar="PROPERTY", help="That crystals can be drawn for later.", show_default=False
        ),
    ] = "",
    atoms: Annotated[int, typer.Option("--atoms", min=1, help="Of a crystal; larger are left out.")] = 20,
    validation: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of the crystals that it is judged on.")
    ] = 0.1,
    version: options.Version = "",
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="settings.KEY of the training, architecture.KEY, loss.KEY, any key of the site.",
        ),
    ] = None,
    resources: options.Resources,
    where: options.Where,
) -> None:
    """Train a generator on the crystals of a dataset.

    A campaign. Ctrl-C stops it cleanly; the same command goes on.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.workflows.cli.training_run import check_free, run_training
    from zonemelt.workflows.paper import console, print_json

    folder = Path(out).absolute()
    check_free(folder, where.place(folder))
    opened = open_dataset(Path(dataset).absolute(), version or None)
    arguments = {
        "dataset": str(opened.directory), "version": opened.version, "wish": wish, "most_atoms": atoms,
        "split": {"seed": seed, "validation": validation}, **resources.arguments(),
    }  # fmt: skip
    overrides = _overrides(settings or [], seed=seed, epochs=epochs)
    run_training(GRAPH, folder, where, name="generator", arguments=arguments, overrides=overrides)
    found = _outcome(folder)
    if where.as_json:
        print_json(found)
        return
    said = ", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items())
    console().print(
        f"generator {folder}: {len(found['elements'])} elements, up to {max(map(int, found['sizes']))} atoms"
        + (f"; {said}" if said else ""),
        soft_wrap=True,
    )  # fmt: skip


def _overrides(pairs: list[str], *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: a key is none of a training, a generator or a site.
    """
    from zonemelt.workflows.cli.plans import parse_settings
    from zonemelt.workflows.cli.training_run import of_site

    found: dict[str, Any] = {"arguments.settings.seed": seed}
    if epochs:
        found["arguments.settings.epochs"] = epochs
    own = [pair for pair in pairs if pair.startswith(PREFIXES)]
    found |= {f"arguments.{key}": value for key, value in parse_settings(own).items()}
    return found | of_site(
        (pair for pair in pairs if pair not in own),
        remedy="write settings.KEY for the training, architecture.KEY, or loss.KEY",
    )


def _outcome(folder: Path) -> dict[str, Any]:
    """What the card says, with the folder."""
    from zonemelt.tasks.train.model_folder import CARD

    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return {"folder": str(folder), **card}
