"""The command train: from a dataset to a judged model, through the engine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import LEARN, command
from zonemelt.workflows.cli.places import Json, is_campaign

if TYPE_CHECKING:
    from zonemelt.tasks.quality.splits import Split
    from zonemelt.workflows.cli.plans import Plan

GRAPH: Final = "zonemelt.flows.property_model:PropertyModelMaker"
CAMPAIGN: Final = "campaign"  # within the folder of the model
SPLIT: Final = "split.json"


@command(
    LEARN,
    "zonemelt train gaps --property gap --model cogn --out gap-model",
    "zonemelt train gaps -p gap --model extra_trees --out gap-trees        from compositions alone",
    "zonemelt train elastic -p K -p G --model cogn --out moduli --epochs 300 --set model.width=64",
    "zonemelt train gaps -p gap --model cogn --split composition --members 5 --out gap-5",
    "zonemelt train gaps -p gap --model cogn --out gap-4 --site my-cluster --pool gpu --ranks 4 --gpus 1",
)
def train(
    dataset: options.Dataset,
    *,
    properties: Annotated[
        list[str], typer.Option("--property", "-p", metavar="NAME", help="What is learnt; may be repeated.")
    ],
    out: options.Out,
    model: Annotated[str, typer.Option(help="`zonemelt models list` tells which there are.")] = "cogn",
    version: options.Version = "",
    split: options.SplitBy = "random",
    fractions: options.Fractions = "0.8,0.1,0.1",
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    loss: Annotated[
        str, typer.Option(help="mae, mse, huber; gaussian, quantile, evidential also tell deviations.")
    ] = "mae",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="settings.KEY of the training, model.KEY of the model, any key of the site.",
        ),
    ] = None,
    members: Annotated[
        int, typer.Option(min=1, help="Networks that differ by their seed and are one model.")
    ] = 1,
    nodes: options.Nodes = 1,
    ranks: options.Ranks = 1,
    gpus: options.Gpus = 0,
    threads: options.Threads = 1,
    pool: options.Pool = "",
    walltime: options.Walltime = "",
    graphs: options.Graphs = "",
    ignoring: options.Ignoring = None,
    site: options.Site = "",
    directory: options.Campaign = "",
    as_json: Json = False,
) -> None:
    """Train a model of properties, and judge it on records it has not seen.

    A campaign: graphs, training, evaluation. Ctrl-C stops it cleanly; the same command goes on.
    """
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.model_tables import print_evaluation
    from zonemelt.workflows.cli.training import progress
    from zonemelt.workflows.paper import console, print_json

    folder = Path(out).absolute()
    place = Path(directory).absolute() if directory else folder / CAMPAIGN
    check_free(folder, place)
    overrides = _settings(settings or [], model, seed=seed, epochs=epochs)
    data = opened_data(dataset, version, properties, ignoring or [])
    drawn = drawn_split(split, fractions, data, seed=seed)
    arguments = {
        "dataset": str(data.dataset.directory),
        "version": data.dataset.version,
        "properties": list(properties),
        "split": write_split(folder / SPLIT, drawn, new=not is_campaign(place)),
        "directory": str(folder),
        "graphs": str(Path(graphs).absolute()) if graphs else "",
        "ignoring": list(ignoring or []),
        "loss": loss,
        "members": members,
        "nodes": nodes,
        "ranks_per_node": ranks,
        "gpus_per_rank": gpus,
        "threads": threads,
        "pool": pool,
        "walltime": walltime or 0,
    }
    try:
        plan = _plan(arguments, overrides, site=site)
        most = plan.document["arguments"]["settings"].get(
            "epochs", TrainSettings.model_fields["epochs"].default
        )
        run_or_go_on(plan, str(place), quiet=as_json, also=progress(folder, most))
    except ZonemeltError:
        if not is_campaign(place):
            forget(folder)
        raise
    found = _outcome(folder)
    if as_json:
        print_json(found)
    else:
        print_evaluation(console(), found)


def check_free(folder: Path, place: Path) -> None:
    """Refuse a folder that holds another model.

    Raises:
        InputError: there is one, and no campaign that made it.
    """
    from zonemelt.tasks.train.predictor import CARDS

    if is_campaign(place):
        return  # it is compared with what is asked for
    if there := next((name for name in (*CARDS, "metrics.jsonl") if (folder / name).exists()), None):
        raise InputError(
            f"it holds a model already ({there})",
            where=str(folder),
            remedy="give another --out, or the --directory of the campaign that made it",
        )


def _settings(pairs: list[str], model: str, *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --model, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: there is no such model, or a key is none of a training, a model or a site.
    """
    from zonemelt.tasks.train.known_models import is_network, model_named, tried_besides
    from zonemelt.workflows.cli.plans import campaign_settings, parse_settings

    chosen = model_named(model)
    found: dict[str, Any] = {
        f"arguments.model.{'architecture' if is_network(chosen) else 'family'}": chosen,
        "arguments.settings.seed": seed,
    }
    if epochs:
        found["arguments.settings.epochs"] = epochs
    own = [pair for pair in pairs if pair.startswith(("model.", "settings."))]
    of_model: dict[str, Any] = {}
    for key, value in parse_settings(own).items():
        if key.startswith("model."):
            of_model[key.removeprefix("model.")] = value
        else:
            found[f"arguments.{key}"] = value
    if is_network(chosen):
        found |= {f"arguments.model.{key}": value for key, value in of_model.items()}
    elif of_model:
        found |= {
            "arguments.model.settings": of_model,
            "arguments.model.grid": tried_besides(chosen, of_model),
        }
    of_site = campaign_settings([pair for pair in pairs if pair not in own])
    for key in of_site:
        if not key.startswith("site_options."):
            raise InputError(
                f"'{key}' is no setting",
                where="--set",
                remedy="write settings.KEY for the training, model.KEY for the model",
            )
    found |= of_site
    return found


def opened_data(dataset: str, version: str, properties: list[str], ignoring: list[str]) -> Any:
    """A version of a dataset, with the properties that are to be learnt of it."""
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.workflows.cli.training import Data

    opened = open_dataset(Path(dataset).absolute(), version or None)
    return Data.read(opened, properties, ignoring)


def drawn_split(said: str, fractions: str, data: Any, *, seed: int) -> Split:
    """The split that a person means: drawn, or of a file.

    Raises:
        InputError: there is no such way and no such file, or a part is empty.
    """
    from zonemelt.tasks.quality.split_file import read_split
    from zonemelt.workflows.cli.training import GROUPS, draw

    if said in {"random", *GROUPS}:
        return draw(said, fractions, data, seed=seed)
    if Path(said).suffix != ".json" and not Path(said).exists():
        raise InputError(
            f"there is no way to split called '{said}', and no such file",
            where="--split",
            remedy=f"say random, {', '.join(GROUPS)}, or name a split file (docs/training.md)",
        )
    return read_split(said)


def write_split(path: Path, split: Split, *, new: bool) -> dict[str, str]:
    """Keep the split beside the model; the document that names it."""
    from zonemelt.tasks.quality.split_file import write_split

    if new:
        write_split(path, split)
    return {"file": str(path), "hash": split.hash}


def forget(folder: Path) -> None:
    """Remove the split of a campaign that was refused, and the folder if there is nothing else in it."""
    (folder / SPLIT).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _plan(arguments: dict[str, Any], overrides: dict[str, Any], *, site: str) -> Plan:
    from zonemelt.workflows.cli.plans import read_plan

    given = {"name": "train", **{f"arguments.{key}": value for key, value in arguments.items()}, **overrides}
    return read_plan(GRAPH, given | ({"site": site} if site else {}))


def _outcome(folder: Path) -> dict[str, Any]:
    import json

    from zonemelt.tasks.train.evaluate import EVALUATION

    found: dict[str, Any] = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    return found
