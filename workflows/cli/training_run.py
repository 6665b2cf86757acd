"""Trainings as campaigns of a command: begun or gone on with, and how far each of them is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.workflows.cli.places import is_campaign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from zonemelt.tasks.quality.splits import Split
    from zonemelt.workflows.cli.training_options import Where

SPLIT: Final = "split.json"  # within the folder of the model


def run_training(
    graph: str,
    folder: Path,
    where: Where,
    *,
    name: str,
    arguments: Mapping[str, Any],
    overrides: Mapping[str, Any],
    split: Split | None = None,
) -> None:
    """Train up to the end; the same command goes on where it was stopped.

    Args:
        graph: ``module:Maker`` of the campaign.
        folder: of the model.
        where: the campaign runs, and lies.
        name: of the campaign.
        arguments: of the Maker.
        overrides: of the campaign: what --set, --seed and --epochs come to.
        split: is kept beside the model; the argument ``split`` names the file.
    """
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.plans import read_plan

    place = where.place(folder)
    own_split = (folder / SPLIT).exists()  # a person may keep it there before anything is trained
    given: dict[str, Any] = {**arguments, "directory": str(folder)}
    if split is not None:
        given["split"] = _kept(folder / SPLIT, split, new=not is_campaign(place))
    try:
        plan = read_plan(
            graph,
            {
                "name": name,
                **{f"arguments.{key}": value for key, value in given.items()},
                **overrides,
                **where.override(),
            },
        )
        most = TrainSettings.model_fields["epochs"].default
        most = plan.document["arguments"].get("settings", {}).get("epochs", most)
        run_or_go_on(plan, str(place), quiet=where.as_json, also=progress(folder, most))
    except ZonemeltError:
        if not is_campaign(place):
            _forget(folder, split=not own_split)
        raise


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


def of_site(pairs: Iterable[str], *, remedy: str) -> dict[str, Any]:
    """What is left of --set as keys of the site.

    Args:
        pairs: KEY=VALUE.
        remedy: which keys the command knows besides.

    Raises:
        InputError: the site has no such key.
    """
    from zonemelt.workflows.cli.plans import campaign_settings

    found = campaign_settings(list(pairs))
    if strange := next((key for key in found if not key.startswith("site_options.")), None):
        raise InputError(f"'{strange}' is no setting", where="--set", remedy=remedy)
    return found


def _kept(path: Path, split: Split, *, new: bool) -> dict[str, str]:
    """Keep the split beside the model; the document that names it."""
    from zonemelt.tasks.quality.split_file import write_split

    if new:
        write_split(path, split)
    return {"file": str(path), "hash": split.hash}


def _forget(folder: Path, *, split: bool) -> None:
    """Remove the ``split`` of a campaign that was refused, and the folder if there is nothing else in it."""
    if split:
        (folder / SPLIT).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def progress(folder: Path, epochs: int) -> Callable[[], list[str]]:
    """Lines about the trainings in the folder of a model.

    Args:
        folder: of the model; members of an ensemble have folders in it.
        epochs: how many there are to be at most.
    """
    from zonemelt.tasks.train.metrics_log import METRICS, read_metrics

    def look() -> list[str]:
        places = [path.parent for path in (folder / METRICS, *sorted(folder.glob(f"*/{METRICS}")))]
        return [
            progress_line("" if place == folder else f"{place.name}: ", lines, epochs)
            for place in places
            if (lines := read_metrics(place))
        ]

    return look


def progress_line(name: str, lines: Sequence[Mapping[str, float]], epochs: int) -> str:
    """How far a training is: the epoch, the metric that decides with its best value, errors in units.

    Args:
        name: of the training, before the line.
        lines: of its ``metrics.jsonl``.
        epochs: how many there are to be at most.
    """
    last = lines[-1]
    errors = [key for key in last if key.startswith("mae ") or " mae (" in key]
    deciding = [key for key in ("scaled mae", "weighted scaled mae", "validation loss") if key in last]
    said = [
        f"{key} {last[key]:.4g} (best {min(line[key] for line in lines if key in line):.4g})"
        for key in deciding or [key for key in last if key.endswith("loss") and not errors][:1]
    ]
    said += [f"{key} {last[key]:.4g}" for key in errors]
    return f"{name}epoch {int(last['epoch']) + 1:,} of {epochs:,}: {', '.join(said)}"
