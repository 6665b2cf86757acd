"""Train a graph network on properties of crystals."""

# N samples, P properties

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.train.checkpoint import after_epoch, weights_of
from zonemelt.tasks.train.graph_samples import GraphSamples
from zonemelt.tasks.train.heads import head_of
from zonemelt.tasks.train.labelled import check_split
from zonemelt.tasks.train.loop import Outcome, train
from zonemelt.tasks.train.model_folder import (
    ModelCard,
    Target,
    describe_hardware,
    json_of,
    save_model,
    versions,
)
from zonemelt.tasks.train.objective import EveryLabel, MaskedProperties
from zonemelt.tasks.train.predict import said_of_samples
from zonemelt.tasks.train.settings import that_must_stay
from zonemelt.tasks.train.step import DivergedError
from zonemelt.tasks.train.transfer import Pretrained
from zonemelt.tasks.train.uncertainty import uncertainty_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.models.registry import Architecture
    from zonemelt.tasks.train.heads import Head
    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.transfer import Transfer

METRIC = "scaled mae"
_JUDGED = ("validation", "test")
OBJECTIVES: Final = {"property": MaskedProperties, "label": EveryLabel}


def train_properties(
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    architecture: Architecture,
    settings: TrainSettings,
    *,
    ranks: Ranks,
    directory: Path,
    loss: str | Mapping[str, Any] | Head = "mae",
    deadline: float = math.inf,
    transfer: Transfer | None = None,
    weights: Mapping[str, float] | None = None,
    each: Literal["property", "label"] = "property",
) -> tuple[Outcome, ModelCard]:
    """Train one network, or go on with it; when it is finished it is written into the directory.

    Args:
        labelled: the collection.
        split: rows of ``train``; of ``validation``, if the best epoch is to be kept and not the last one,
            and deviations and intervals are to be calibrated; and of ``test``, to be judged at the end.
        architecture: of the network.
        settings: of the training.
        ranks: who trains.
        directory: for checkpoints, metrics and the model.
        loss: and with it what the network tells of a property; see :func:`.head_of`.
        deadline: see :func:`.loop.train`.
        transfer: the trained model to begin from.
        weights: of properties in the loss, by name; 1 where nothing is said.
        each: what weighs the same in a step: every ``property``, or every ``label``, as published for
            multi-property pre-training.

    Returns:
        How it ended, and what the model is.

    Raises:
        InputError: a sample is in both parts of the split, there is nothing to train on, a property has no
            label in it or always the same one, or a label is infinite.
        UnknownKeyError: a weight is of no property.
    """
    import torch

    from zonemelt.tasks.train.joined import label_weights

    if each not in OBJECTIVES:
        raise UnknownKeyError.of(each, OBJECTIVES, where="what weighs the same")
    own_weights = label_weights(labelled, properties=weights)
    check_split(split, labelled.names_N)
    targets = targets_of(labelled, split["train"])
    begun = None if transfer is None else Pretrained.read(transfer)
    if begun is not None:
        targets = begun.targets(targets)
    card = _card(labelled, split, architecture, settings, targets=targets, head=head_of(loss), ranks=ranks)
    card.training.update({"weights": dict(weights or {}), "each": each})
    if begun is not None:
        card = begun.noted(card)
    torch.manual_seed(settings.seed)  # the same initial weights on every rank
    network = architecture.make(outputs=card.outputs)
    if begun is not None:
        begun.give(network, card)
    judged = {part: _samples(labelled, split[part], card, settings) for part in _JUDGED if part in split}
    names = tuple(target.name for target in targets)

    def validate(model: torch.nn.Module) -> dict[str, float]:
        said = said_of_samples(model, card.head, judged["validation"], ranks=ranks)
        return mean_errors(said.mean_NP, judged["validation"].labels_NP, targets)

    outcome = train(
        network,
        OBJECTIVES[each](names=names, weights=own_weights, head=card.head),
        _samples(labelled, split["train"], card, settings),
        validate if "validation" in split else None,
        settings,
        ranks=ranks,
        directory=directory,
        metric=METRIC if "validation" in split else "training loss",
        card={
            "network": json_of(architecture),
            "head": json_of(card.head),
            "training": that_must_stay(card.training),
        },
        deadline=deadline,
        rates=None if begun is None else begun.rates(),
    )
    if not outcome.finished:
        return outcome, card
    ranks.barrier()  # rank 0 has written what the others read now
    kept = outcome.best_epoch if "validation" in split else outcome.epochs - 1
    found = weights_of(after_epoch(directory, kept), averaged=settings.ema is not None)
    network.load_state_dict(found)
    card = judge_network(network, card, judged, ranks=ranks)
    if ranks.writes:
        save_model(directory, found, card)
    ranks.barrier()
    return outcome, card


def mean_errors(
    mean_NP: NDArray[np.float64], labels_NP: NDArray[np.float64], targets: Sequence[Target]
) -> dict[str, float]:
    """Mean absolute errors: the scaled one over the properties, and each in its unit.

    Properties without a label among these samples are left out. A prediction that is no number makes its
    error none.

    Args:
        mean_NP: predictions, scaled.
        labels_NP: scaled; NaN where there is none.
        targets: the properties.
    """
    found = {}
    for target, said_N, labels_N in zip(targets, mean_NP.T, labels_NP.T, strict=True):
        if (known := np.isfinite(labels_N)).any():
            found[target] = float(np.abs(said_N - labels_N)[known].mean())
    own = {f"mae {t.name} ({t.unit or '1'})": error * t.scale for t, error in found.items()}
    return {METRIC: float(np.mean(list(found.values()))), **own}


def judge_network(
    network: torch.nn.Module, card: ModelCard, judged: Mapping[str, GraphSamples], *, ranks: Ranks
) -> ModelCard:
    """Add to a card how well its network does, and how sure it may be; every rank calls it.

    Args:
        network: with its final weights, on the device of the rank.
        card: of the network.
        judged: samples of ``validation`` and ``test``, with scaled labels; either may be missing.
        ranks: who computes.

    Raises:
        DivergedError: what it says of a sample is no number.
    """
    said = {part: said_of_samples(network, card.head, found, ranks=ranks) for part, found in judged.items()}
    for part, one in said.items():
        if (lost := np.flatnonzero(~np.isfinite(one.mean_NP).all(axis=1))).size:
            raise DivergedError(
                f"it gives no number for {lost.size} of {len(one)} samples of '{part}'",
                where=f"sample {judged[part].name(int(lost[0]))}",
                remedy="look at these structures; train with a lower learning_rate or clip_norm",
            )
    metrics: dict[str, float] = {}
    for part, prefix in zip(_JUDGED, ("", "test "), strict=True):
        if part in said:
            errors = mean_errors(said[part].mean_NP, judged[part].labels_NP, card.targets)
            metrics |= {f"{prefix}{name}": value for name, value in errors.items()}
    uncertainty = {}
    if "validation" in said:
        scale_P, shift_P = card.scale_P, card.shift_P
        uncertainty = uncertainty_of(
            {part: each.times(scale_P, plus=shift_P) for part, each in said.items()},
            {part: found.labels_NP * scale_P + shift_P for part, found in judged.items()},
            [target.name for target in card.targets],
        )
    return card.model_copy(update={"metrics": metrics, "uncertainty": uncertainty})


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
    return GraphSamples(
        labelled.source,
        card.network,
        rows_N=rows,
        labels_NP=(labelled.values_NP[rows] - card.shift_P) / card.scale_P,
        costs_N=labelled.costs_N[rows],
        names_N=[labelled.names_N[row] for row in rows.tolist()],
        batch_size=settings.batch_size,
        planned_ranks=settings.planned_ranks,
        seed=settings.seed,
        dtype="float64" if settings.precision == "fp64" else "float32",
    )


def _card(
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    architecture: Any,
    settings: TrainSettings,
    *,
    targets: tuple[Target, ...],
    head: Any,
    ranks: Ranks,
) -> ModelCard:
    train_N = split["train"]
    elements = frozenset[str]().union(*(labelled.elements_N[row] for row in train_N.tolist()))
    return ModelCard(
        network=architecture,
        head=head,
        targets=targets,
        elements=tuple(sorted(elements)),
        training={
            **json_of(settings),
            "samples": len(train_N),
            "training_set": labelled.digest(train_N),
            **{f"{part}_set": labelled.digest(split[part]) for part in _JUDGED if part in split},
        },
        versions=versions(),
        hardware=describe_hardware(ranks.device),
    )
