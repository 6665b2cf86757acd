"""Train a graph network on properties of crystals."""

# N samples, P properties

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.splits import repeated
from zonemelt.tasks.train.checkpoint import after_epoch, weights_of
from zonemelt.tasks.train.graph_samples import GraphSamples
from zonemelt.tasks.train.loop import Outcome, train
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.tasks.train.model_folder import (
    ModelCard,
    Target,
    describe_hardware,
    json_of,
    save_model,
    versions,
)
from zonemelt.tasks.train.objective import MaskedProperties
from zonemelt.tasks.train.predict import scaled_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.models.registry import Architecture
    from zonemelt.tasks.train.graph_samples import GraphSource
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings

METRIC = "scaled mae"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Graphs with their properties.

    Attributes:
        source: of the graphs.
        names_N: what each is called (N,).
        costs_N: edges of each (N,).
        elements_N: symbols of the elements in each (N,).
        values_NP: properties (N, P), in their units; NaN where one is not known.
        properties: name and unit of each.
    """

    source: GraphSource
    names_N: Sequence[str]
    costs_N: NDArray[Any]
    elements_N: Sequence[frozenset[str]]
    values_NP: NDArray[np.float64]
    properties: tuple[tuple[str, str], ...]

    def digest(self, rows: NDArray[np.int64]) -> str:
        """A hash of some samples: their names and values, in any order."""
        lines = sorted(f"{self.names_N[row]} {self.values_NP[row].tolist()}" for row in rows.tolist())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def train_properties(
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    architecture: Architecture,
    settings: TrainSettings,
    *,
    ranks: Ranks,
    directory: Path,
    loss: str = "mae",
    deadline: float = math.inf,
) -> tuple[Outcome, ModelCard]:
    """Train one network, or go on with it; when it is finished it is written into the directory.

    Args:
        labelled: the collection.
        split: rows of ``train`` and, if the best epoch is to be kept and not the last one, of
            ``validation``.
        architecture: of the network.
        settings: of the training.
        ranks: who trains.
        directory: for checkpoints, metrics and the model.
        loss: ``mae``, ``mse`` or ``huber``.
        deadline: see :func:`.loop.train`.

    Returns:
        How it ended, and what the model is.

    Raises:
        InputError: a sample is in both parts of the split, there is nothing to train on, a property has no
            label in it or always the same one, or a label is infinite.
    """
    import torch

    check_split(split, labelled.names_N)
    train_N, judged_N = split["train"], split.get("validation", split["train"])
    targets = targets_of(labelled, train_N)
    card = _card(
        labelled, (train_N, judged_N), architecture, settings, targets=targets, loss=loss, ranks=ranks
    )
    torch.manual_seed(settings.seed)  # the same initial weights on every rank
    network = architecture.make(outputs=len(targets))
    samples = _samples(labelled, train_N, card, settings)
    judged = _samples(labelled, judged_N, card, settings)
    names = tuple(target.name for target in targets)

    def validate(model: torch.nn.Module) -> dict[str, float]:
        predicted_NP = scaled_predictions(model, judged, ranks=ranks)
        found_P = np.nanmean(np.abs(predicted_NP - judged.labels_NP), axis=0)
        own = {
            f"mae {t.name} ({t.unit or '1'})": float(found * t.scale)
            for t, found in zip(targets, found_P, strict=True)
        }
        return {METRIC: float(np.nanmean(found_P)), **own}

    outcome = train(
        network,
        MaskedProperties(names=names, weights=dict.fromkeys(names, 1.0), kind=loss),
        samples,
        validate if "validation" in split else None,
        settings,
        ranks=ranks,
        directory=directory,
        metric=METRIC,
        card={"network": json_of(architecture), "training": card.training},
        deadline=deadline,
    )
    if not outcome.finished:
        return outcome, card
    ranks.barrier()  # rank 0 has written what the others read now
    kept = outcome.best_epoch if "validation" in split else outcome.epochs - 1
    line = read_metrics(directory)[kept]
    metrics = {name: value for name, value in line.items() if name.startswith(("mae ", METRIC))}
    card = card.model_copy(update={"metrics": metrics})
    if ranks.writes:
        averaged = settings.ema is not None
        save_model(directory, weights_of(after_epoch(directory, kept), averaged=averaged), card)
    ranks.barrier()
    return outcome, card


def check_split(split: Mapping[str, NDArray[np.int64]], names_N: Sequence[str]) -> None:
    """Refuse a split in which a sample is twice.

    Raises:
        InputError: with the samples.
    """
    for row, parts in repeated({part: rows.tolist() for part, rows in split.items()}).items():
        where = " and in ".join(f"'{part}'" for part in parts)
        raise InputError(
            f"'{names_N[row]}' is in {where}",
            where="split",
            remedy="a sample belongs into one part, once",
        )


def targets_of(labelled: Labelled, rows: NDArray[np.int64]) -> tuple[Target, ...]:
    """The properties, to be scaled to mean 0 and standard deviation 1 over the training samples.

    Raises:
        InputError: a property has no label among them, or always the same one.
    """
    values_NP = labelled.values_NP[rows]
    targets = []
    for column, (name, unit) in enumerate(labelled.properties):
        known = values_NP[np.isfinite(values_NP[:, column]), column]
        if len(known) == 0 or known.std() == 0:
            raise InputError(
                "no training sample has it" if len(known) == 0 else f"it is {known[0]:g} in every sample",
                where=f"property '{name}'",
                remedy="leave it out, or give samples that differ in it",
            )
        targets.append(Target(name=name, unit=unit, shift=float(known.mean()), scale=float(known.std())))
    return tuple(targets)


def _samples(
    labelled: Labelled, rows: NDArray[np.int64], card: ModelCard, settings: TrainSettings
) -> GraphSamples:
    shift_P, scale_P = np.array([[t.shift, t.scale] for t in card.targets]).T
    return GraphSamples(
        labelled.source,
        card.network,
        rows_N=rows,
        labels_NP=(labelled.values_NP[rows] - shift_P) / scale_P,
        costs_N=labelled.costs_N[rows],
        names_N=[labelled.names_N[row] for row in rows.tolist()],
        batch_size=settings.batch_size,
        planned_ranks=settings.planned_ranks,
        seed=settings.seed,
        dtype="float64" if settings.precision == "fp64" else "float32",
    )


def _card(
    labelled: Labelled,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    architecture: Any,
    settings: TrainSettings,
    *,
    targets: tuple[Target, ...],
    loss: str,
    ranks: Ranks,
) -> ModelCard:
    train_N, judged_N = rows
    elements = frozenset[str]().union(*(labelled.elements_N[row] for row in train_N.tolist()))
    return ModelCard(
        network=architecture,
        targets=targets,
        elements=tuple(sorted(elements)),
        training={
            **json_of(settings),
            "loss": loss,
            "samples": len(train_N),
            "training_set": labelled.digest(train_N),
            "validation_set": labelled.digest(judged_N),
        },
        versions=versions(),
        hardware=describe_hardware(ranks.device),
    )
