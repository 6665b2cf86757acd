"""The command generator train: from a dataset to a generator of crystals, through the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import LEARN, app, examples
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

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
    nodes: options.Nodes = 1,
    ranks: options.Ranks = 1,
    gpus: options.Gpus = 0,
    threads: options.Threads = 1,
    pool: options.Pool = "",
    walltime: options.Walltime = "",
    site: options.Site = "",
    directory: options.Campaign = "",
    as_json: Json = False,
) -> None:
    """Train a generator on the crystals of a dataset.

    A campaign. Ctrl-C stops it cleanly; the same command goes on.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.plans import read_plan
    from zonemelt.workflows.cli.train import check_free
    from zonemelt.workflows.cli.training import progress
    from zonemelt.workflows.paper import console, print_json

    folder = Path(out).absolute()
    place = Path(directory).absolute() if directory else folder / "campaign"
    check_free(folder, place)
    opened = open_dataset(Path(dataset).absolute(), version or None)
    arguments = {
        "dataset": str(opened.directory), "version": opened.version, "directory": str(folder), "wish": wish,
        "most_atoms": atoms, "split": {"seed": seed, "validation": validation}, "nodes": nodes,
        "ranks_per_node": ranks, "gpus_per_rank": gpus, "threads": threads, "pool": pool,
        "walltime": walltime or 0,
    }  # fmt: skip
    given = {
        "name": "generator",
        **{f"arguments.{key}": value for key, value in arguments.items()},
        **_overrides(settings or [], seed=seed, epochs=epochs),
    }
    plan = read_plan(GRAPH, given | ({"site": site} if site else {}))
    most = plan.document["arguments"]["settings"].get("epochs", TrainSettings.model_fields["epochs"].default)
    run_or_go_on(plan, str(place), quiet=as_json, also=progress(folder, most))
    found = _outcome(folder)
    if as_json:
        print_json(found)
        return
    said = ", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items())
    console().print(
        f"generator {folder}: {len(found['elements'])} elements, up to {max(map(int, found['sizes']))} atoms"
        + (f"; {said}" if said else ""),
        markup=False, soft_wrap=True,
    )  # fmt: skip


def _overrides(pairs: list[str], *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: a key is none of a training, a generator or a site.
    """
    from zonemelt.workflows.cli.plans import campaign_settings, parse_settings

    found: dict[str, Any] = {"arguments.settings.seed": seed}
    if epochs:
        found["arguments.settings.epochs"] = epochs
    own = [pair for pair in pairs if pair.startswith(PREFIXES)]
    found |= {f"arguments.{key}": value for key, value in parse_settings(own).items()}
    of_site = campaign_settings([pair for pair in pairs if pair not in own])
    if strange := [key for key in of_site if not key.startswith("site_options.")]:
        raise InputError(
            f"'{strange[0]}' is no setting",
            where="--set",
            remedy="write settings.KEY for the training, architecture.KEY, or loss.KEY",
        )
    return found | of_site


def _outcome(folder: Path) -> dict[str, Any]:
    """What the card says, with the folder."""
    from zonemelt.tasks.train.model_folder import CARD

    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return {"folder": str(folder), **card}
