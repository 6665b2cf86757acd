"""The command train: from a dataset to a judged model, through the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import LEARN, command
from zonemelt.workflows.cli.option_groups import grouped

GRAPH: Final = "zonemelt.flows.property_model:PropertyModelMaker"


@command(
    LEARN,
    "zonemelt train gaps --property gap --model cogn --out gap-model",
    "zonemelt train gaps -p gap --model extra_trees --out gap-trees        from compositions alone",
    "zonemelt train elastic -p K -p G --model cogn --out moduli --epochs 300 --set model.width=64",
    "zonemelt train gaps -p gap --model cogn --split composition --members 5 --out gap-5",
    "zonemelt train gaps -p gap --model cogn --out gap-4 --site my-cluster --pool gpu --ranks 4 --gpus 1",
)
@grouped
def train(
    dataset: options.Dataset,
    *,
    properties: Annotated[
        list[str], typer.Option("--property", "-p", metavar="NAME", help="What is learnt; may be repeated.")
    ],
    out: options.Out,
    model: Annotated[str, typer.Option(help="`zonemelt models list` tells which there are.")] = "cogn",
    drawn: options.Drawn,
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
    resources: options.Resources,
    graphs: options.Graphs = "",
    where: options.Where,
) -> None:
    """Train a model of properties, and judge it on records it has not seen.

    A campaign: graphs, training, evaluation. Ctrl-C stops it cleanly; the same command goes on.
    """
    from zonemelt.workflows.cli.model_tables import print_evaluation
    from zonemelt.workflows.cli.training_data import opened_data, split_of
    from zonemelt.workflows.cli.training_run import check_free, run_training
    from zonemelt.workflows.paper import console, print_json

    folder = Path(out).absolute()
    check_free(folder, where.place(folder))
    overrides = _settings(settings or [], model, seed=seed, epochs=epochs)
    data = opened_data(dataset, properties, drawn)
    arguments = {
        "dataset": str(data.dataset.directory),
        "version": data.dataset.version,
        "properties": list(properties),
        "graphs": str(Path(graphs).absolute()) if graphs else "",
        "ignoring": list(drawn.ignoring or []),
        "loss": loss,
        "members": members,
        **resources.arguments(),
    }
    run_training(
        GRAPH, folder, where, name="train", arguments=arguments, overrides=overrides,
        split=split_of(data, drawn, seed=seed),
    )  # fmt: skip
    found = _outcome(folder)
    if where.as_json:
        print_json(found)
    else:
        print_evaluation(console(), found)


def _settings(pairs: list[str], model: str, *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --model, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: there is no such model, or a key is none of a training, a model or a site.
    """
    from zonemelt.tasks.learn.known_models import model_named
    from zonemelt.workflows.cli.plans import parse_settings
    from zonemelt.workflows.cli.training_run import of_site

    own = [pair for pair in pairs if pair.startswith(("model.", "settings."))]
    said = parse_settings(own)
    of_model = {key.removeprefix("model."): value for key, value in said.items() if key.startswith("model.")}
    found: dict[str, Any] = {
        "arguments.model": model_named(model, of_model),
        "arguments.settings.seed": seed,
    }
    if epochs:
        found["arguments.settings.epochs"] = epochs
    found |= {f"arguments.{key}": value for key, value in said.items() if key.startswith("settings.")}
    return found | of_site(
        (pair for pair in pairs if pair not in own),
        remedy="write settings.KEY for the training, model.KEY for the model",
    )


def _outcome(folder: Path) -> dict[str, Any]:
    import json

    from zonemelt.tasks.train.evaluate import EVALUATION

    found: dict[str, Any] = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    return found
