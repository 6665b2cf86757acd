"""The commands potential train and potential finetune: from a dataset to a judged potential."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import examples
from zonemelt.workflows.cli.places import Json, is_campaign
from zonemelt.workflows.cli.potential import potential_app

if TYPE_CHECKING:
    from collections.abc import Callable

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
def train(
    dataset: options.Dataset,
    *,
    out: options.Out,
    kind: Annotated[
        str,
        typer.Option(help="network: equivariant, trained step by step; linear: fitted in one go."),
    ] = "network",
    version: options.Version = "",
    split: options.SplitBy = "random",
    fractions: options.Fractions = "0.8,0.1,0.1",
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    settings: Settings = None,
    members: Members = 1,
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
    """Train a potential on energies and forces, and judge it on the test part.

    A campaign: graphs, training, errors. Ctrl-C stops it cleanly; the same command goes on.
    """
    if kind not in KINDS:
        raise InputError(f"'{kind}'", where="--kind", remedy=f"one of {', '.join(KINDS)}")
    arguments = {
        "kind": kind, "members": members, "nodes": nodes, "ranks_per_node": ranks, "gpus_per_rank": gpus,
        "threads": threads, "pool": pool, "walltime": walltime or 0,
        "graphs": str(Path(graphs).absolute()) if graphs else "",
    }  # fmt: skip
    _make(
        dataset, out, arguments, settings or [],
        version=version, split=split, fractions=fractions, seed=seed, epochs=epochs, ignoring=ignoring or [],
        site=site, directory=directory, as_json=as_json,
    )  # fmt: skip


@potential_app.command(
    "finetune",
    epilog=examples(
        "zonemelt potential finetune labels --start sevennet-0 --out tuned --epochs 20",
        "zonemelt potential finetune more --start net --out net-2 --set settings.learning_rate=0.0005",
    ),
)
def finetune(
    dataset: options.Dataset,
    *,
    start: Annotated[
        str, typer.Option(metavar="POTENTIAL", help="sevennet-0, or the folder of a network trained here.")
    ],
    out: options.Out,
    version: options.Version = "",
    split: options.SplitBy = "random",
    fractions: options.Fractions = "0.8,0.1,0.1",
    seed: options.Seed = 0,
    epochs: options.Epochs = 0,
    settings: Settings = None,
    members: Members = 1,
    nodes: options.Nodes = 1,
    ranks: options.Ranks = 1,
    gpus: options.Gpus = 0,
    threads: options.Threads = 1,
    pool: options.Pool = "",
    walltime: options.Walltime = "",
    ignoring: options.Ignoring = None,
    site: options.Site = "",
    directory: options.Campaign = "",
    as_json: Json = False,
) -> None:
    """Train on, from the weights of a potential: its reference energies are fitted to the new labels."""
    arguments = {
        "kind": "network", "start": start if not Path(start).is_dir() else str(Path(start).absolute()),
        "members": members, "nodes": nodes, "ranks_per_node": ranks, "gpus_per_rank": gpus,
        "threads": threads, "pool": pool, "walltime": walltime or 0,
    }  # fmt: skip
    _make(
        dataset, out, arguments, settings or [],
        version=version, split=split, fractions=fractions, seed=seed, epochs=epochs, ignoring=ignoring or [],
        site=site, directory=directory, as_json=as_json,
    )  # fmt: skip


def _make(
    dataset: str,
    out: str,
    arguments: dict[str, Any],
    settings: list[str],
    *,
    version: str,
    split: str,
    fractions: str,
    seed: int,
    epochs: int,
    ignoring: list[str],
    site: str,
    directory: str,
    as_json: bool,
) -> None:
    """Run the campaign up to its end, and say how good the potential is."""
    from zonemelt.tasks.potentials.fitting.collection import ENERGY
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.plans import read_plan
    from zonemelt.workflows.cli.train import SPLIT, check_free, drawn_split, forget, opened_data, write_split
    from zonemelt.workflows.paper import console, print_json

    folder = Path(out).absolute()
    place = Path(directory).absolute() if directory else folder / "campaign"
    check_free(folder, place)
    data = opened_data(dataset, version, [ENERGY], ignoring)
    drawn = drawn_split(split, fractions, data, seed=seed)
    overrides = _overrides(settings, arguments, seed=seed, epochs=epochs)
    given = {
        "name": "potential",
        **{
            f"arguments.{key}": value
            for key, value in {
                **arguments,
                "dataset": str(data.dataset.directory),
                "version": data.dataset.version,
                "directory": str(folder),
                "ignoring": ignoring,
                "split": write_split(folder / SPLIT, drawn, new=not is_campaign(place)),
            }.items()
        },
        **overrides,
    }
    try:
        plan = read_plan(GRAPH, given | ({"site": site} if site else {}))
        most = (
            plan.document["arguments"]
            .get("settings", {})
            .get("epochs", TrainSettings.model_fields["epochs"].default)
        )
        run_or_go_on(plan, str(place), quiet=as_json, also=progress(folder, most))
    except ZonemeltError:
        if not is_campaign(place):
            forget(folder)
        raise
    found = _outcome(folder)
    if as_json:
        print_json(found)
        return
    from zonemelt.workflows.cli.potential_tables import print_validation

    out_to = console()
    if "errors" in found:
        print_validation(out_to, found)
    out_to.print(f"potential {folder}", markup=False, soft_wrap=True)


def _overrides(pairs: list[str], arguments: dict[str, Any], *, seed: int, epochs: int) -> dict[str, Any]:
    """What --set, --seed and --epochs come to, as overrides of the campaign.

    Raises:
        InputError: a key is none of a training, a potential or a site, or is of the other kind.
    """
    from zonemelt.workflows.cli.plans import campaign_settings, parse_settings

    found: dict[str, Any] = {}
    linear = arguments["kind"] == "linear"
    if linear and epochs:
        raise InputError("--epochs", where="--kind linear", remedy="leave it out: a linear fit has none")
    if not linear:
        found["arguments.settings.seed"] = seed
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
    of_site = campaign_settings([pair for pair in pairs if pair not in own])
    for key in of_site:
        if not key.startswith("site_options."):
            raise InputError(
                f"'{key}' is no setting",
                where="--set",
                remedy="write settings.KEY, architecture.KEY, loss.KEY, basis.KEY or energy_weight",
            )
    return found | of_site


def progress(folder: Path, epochs: int) -> Callable[[], list[str]]:
    """Lines about the trainings in the folder of a potential: epochs and errors in units."""
    from zonemelt.tasks.train.metrics_log import METRICS, read_metrics

    def look() -> list[str]:
        places = [path.parent for path in (folder / METRICS, *sorted(folder.glob(f"*/{METRICS}")))]
        return [
            progress_line("" if place == folder else f"{place.name}: ", lines[-1], epochs)
            for place in places
            if (lines := read_metrics(place))
        ]

    return look


def progress_line(name: str, last: dict[str, float], epochs: int) -> str:
    """How far a training is, from the last line of its ``metrics.jsonl``."""
    errors = ", ".join(f"{key} {value:.4g}" for key, value in last.items() if " mae (" in key)
    if not errors:
        errors = ", ".join(f"{key} {value:.4g}" for key, value in last.items() if key.endswith("loss"))
    return f"{name}epoch {int(last['epoch']) + 1:,} of {epochs:,}: {errors}"


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
