"""The commands potential train and potential finetune: from a dataset to a judged potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import examples
from zonemelt.workflows.cli.option_groups import grouped
from zonemelt.workflows.cli.potential import potential_app

GRAPH: Final = "zonemelt.flows.potential_model:PotentialModelMaker"
PREFIXES: Final = ("settings.", "architecture.", "basis.", "loss.")
KINDS: Final = ("network", "linear")

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="settings.KEY of the training, architecture.KEY, basis.KEY, loss.KEY, any key of the site.",
    ),
]
Members = Annotated[
    int, typer.Option("--members", min=1, help="Potentials that differ by their seed, as a committee.")
]


@potential_app.command(
    "train",
    epilog=examples(
        "zonemelt potential train labels --kind linear --out copper         seconds to minutes",
        "zonemelt potential train labels --out net --epochs 200 --set architecture.cutoff=5",
        "zonemelt potential train labels --kind linear --members 4 --out committee",
        "zonemelt potential train labels --out net --set loss.weights.stress=0.1 --site my-cluster --gpus 1",
    ),
)
@grouped
def train(
    dataset: options.Dataset,
    *,
    out: options.Out,
    kind: Annotated[
        str,
        typer.Option(help="network: equivariant, trained step by step; linear: fitted in one go."),
    ] = "network",
    drawn: options.Drawn,
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    settings: Settings = None,
    members: Members = 1,
    resources: options.Resources,
    graphs: options.Graphs = "",
    where: options.Where,
) -> None:
    """Train a potential on energies and forces, and judge it on the test part.

    A campaign: graphs, training, errors. Ctrl-C stops it cleanly; the same command goes on.
    """
    if kind not in KINDS:
        raise InputError(f"'{kind}'", where="--kind", remedy=f"one of {', '.join(KINDS)}")
    arguments = {
        "kind": kind, "members": members, "graphs": str(Path(graphs).absolute()) if graphs else "",
        **resources.arguments(),
    }  # fmt: skip
    overrides = _overrides(settings or [], arguments, seed=seed, epochs=epochs)
    _make(dataset, Path(out).absolute(), arguments, overrides, drawn=drawn, seed=seed, where=where)


@potential_app.command(
    "finetune",
    epilog=examples(
        "zonemelt potential finetune labels --start sevennet-0 --out tuned --epochs 20",
        "zonemelt potential finetune more --start net --out net-2 --set settings.learning_rate=0.0005",
    ),
)
@grouped
def finetune(
    dataset: options.Dataset,
    *,
    start: Annotated[
        str, typer.Option(metavar="POTENTIAL", help="sevennet-0, or the folder of a network trained here.")
    ],
    out: options.Out,
    drawn: options.Drawn,
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    settings: Settings = None,
    members: Members = 1,
    resources: options.Resources,
    where: options.Where,
) -> None:
    """Train on, from the weights of a potential: its reference energies are fitted to the new labels."""
    arguments = {
        "kind": "network", "start": start if not Path(start).is_dir() else str(Path(start).absolute()),
        "members": members, **resources.arguments(),
    }  # fmt: skip
    overrides = _overrides(settings or [], arguments, seed=seed, epochs=epochs)
    _make(dataset, Path(out).absolute(), arguments, overrides, drawn=drawn, seed=seed, where=where)


def _make(
    dataset: str,
    folder: Path,
    arguments: dict[str, Any],
    overrides: dict[str, Any],
    *,
    drawn: options.Drawn,
    seed: int,
    where: options.Where,
) -> None:
    """Run the campaign up to its end, and say how good the potential is."""
    from zonemelt.tasks.potentials.fitting.collection import ENERGY
    from zonemelt.workflows.cli.training_data import opened_data, split_of
    from zonemelt.workflows.cli.training_run import check_free, run_training
    from zonemelt.workflows.paper import console, print_json

    check_free(folder, where.place(folder))
    data = opened_data(dataset, [ENERGY], drawn)
    arguments = {
        **arguments, "dataset": str(data.dataset.directory), "version": data.dataset.version,
        "ignoring": list(drawn.ignoring or []),
    }  # fmt: skip
    run_training(
        GRAPH, folder, where, name="potential", arguments=arguments, overrides=overrides,
        split=split_of(data, drawn, seed=seed),
    )  # fmt: skip
    found = _outcome(folder)
    if where.as_json:
        print_json(found)
        return
    from zonemelt.workflows.cli.potential_tables import print_validation

    out_to = console()
    if "errors" in found:
        print_validation(out_to, found)
    out_to.print(f"potential {folder}", soft_wrap=True)


def _overrides(pairs: list[str], arguments: dict[str, Any], *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: a key is none of a training, a potential or a site, or is of the other kind.
    """
    from zonemelt.workflows.cli.plans import parse_settings
    from zonemelt.workflows.cli.training_run import of_site

    found: dict[str, Any] = {"arguments.settings.seed": seed}
    linear = arguments["kind"] == "linear"
    if linear and epochs:
        raise InputError("--epochs", where="--kind linear", remedy="leave it out: a linear fit has none")
    if epochs:
        found["arguments.settings.epochs"] = epochs
    own = [pair for pair in pairs if pair.startswith((*PREFIXES, "energy_weight=", "double="))]
    for key, value in parse_settings(own).items():
        of_linear = key.startswith("basis.") or key == "energy_weight"
        if of_linear != linear:
            raise InputError(
                f"'{key}' is of a {'linear potential' if of_linear else 'network'}",
                where="--set",
                remedy=f"leave it out, or give --kind {'linear' if of_linear else 'network'}",
            )
        found[f"arguments.{key}"] = value
    return found | of_site(
        (pair for pair in pairs if pair not in own),
        remedy="write settings.KEY, architecture.KEY, loss.KEY, basis.KEY or energy_weight",
    )


def _outcome(folder: Path) -> dict[str, Any]:
    """The validation on the test part; where there is none, the metrics of the card."""
    import json

    from zonemelt.tasks.potentials.validation.jobs import VALIDATION
    from zonemelt.tasks.train.model_folder import CARD

    for name in (VALIDATION, CARD, "committee.json"):
        if (folder / name).is_file():
            found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return (
                found if name == VALIDATION else {"folder": str(folder), "metrics": found.get("metrics", {})}
            )
    return {"folder": str(folder)}
