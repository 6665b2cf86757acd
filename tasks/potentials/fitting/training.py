"""Train an equivariant network to be a potential, with the trainer of all models."""

# N samples, P numbers of a label

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.card import PotentialCard
from zonemelt.tasks.potentials.fitting.labels import read_labels, reference_energies
from zonemelt.tasks.potentials.fitting.mean_errors import METRIC, mean_errors
from zonemelt.tasks.potentials.fitting.objective import PotentialObjective
from zonemelt.tasks.potentials.fitting.start import start_of
from zonemelt.tasks.train.checkpoint import after_epoch, weights_of
from zonemelt.tasks.train.graph_samples import GraphSamples
from zonemelt.tasks.train.labelled import check_split
from zonemelt.tasks.train.loop import Outcome, train
from zonemelt.tasks.train.model_folder import describe_hardware, json_of, save_model, versions
from zonemelt.tasks.train.settings import that_must_stay
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.architecture import PotentialArchitecture
    from zonemelt.tasks.potentials.equivariant import Equivariant
    from zonemelt.tasks.potentials.fitting.labels import Labels
    from zonemelt.tasks.potentials.fitting.objective import Terms
    from zonemelt.tasks.potentials.fitting.start import Start
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings

ENERGIES: Final = "energies.json"
"""What was taken off the energies before training began: a training that goes on uses the same."""
_JUDGED = ("validation", "test")


def train_potential(
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    architecture: PotentialArchitecture,
    settings: TrainSettings,
    terms: Terms,
    *,
    theory: Theory,
    ranks: Ranks,
    directory: Path,
    start: str = "",
    double: bool = False,
    deadline: float = math.inf,
) -> tuple[Outcome, PotentialCard]:
    """Train one potential, or go on with it; when it is finished it is written into the directory.

    Energies are learnt without reference energies of the elements, which are fitted to the training rows by
    least squares, and all labels in units of the root mean square of the training forces.

    Args:
        labelled: the collection, with energies, forces and stresses in its shards.
        split: rows of ``train``; of ``validation``, if the best epoch is to be kept and not the last one; and
            of ``test``, to be judged at the end.
        architecture: of the network; ignored but for its cutoff where there is a ``start``.
        settings: of the training.
        terms: the loss.
        theory: of the labels.
        ranks: who trains.
        directory: for checkpoints, metrics and the potential.
        start: see :func:`.start_of`; empty for random weights.
        double: whether to validate and test in double precision.
        deadline: see :func:`.loop.train`.

    Returns:
        How it ended, and what the potential is.

    Raises:
        InputError: a sample is in both parts of the split, there is nothing to train on, no sample has a
            label that is to be learnt, or ``start`` cannot be used.
    """
    check_split(split, labelled.names_N)
    if settings.precision == "bf16":
        raise InputError(
            "bf16", where="train settings: precision", remedy="forces need more digits: give fp32 or fp64"
        )
    labels = {part: read_labels(labelled, rows) for part, rows in split.items()}
    _check(labels["train"], terms)
    if "validation" in labels:
        _check_judged(labels["validation"], terms)
    scale = labels["train"].scale
    begun = start_of(start) if start else None
    network, architecture = _network(
        labelled, labels["train"], architecture, seed=settings.seed, start=begun, scale=scale
    )
    references = _references(
        labelled, labels["train"], network, start=begun, scale=scale, ranks=ranks, directory=directory
    )
    card = PotentialCard(
        network=architecture,
        scale=scale,
        references=references,
        theory=theory,
        start=start,
        licence=begun.licence if begun is not None else "",
        training=_about(labelled, split, settings, terms) | {"start": start},
        versions={**versions(), **_versions()},
        hardware=describe_hardware(ranks.device),
    )
    _check_elements(labels, card)

    def samples(part: str, dtype: str) -> GraphSamples:
        return _samples(labelled, labels[part], card, settings, dtype=dtype)

    own = "float64" if settings.precision == "fp64" else "float32"
    judged = {part: samples(part, "float64" if double else own) for part in _JUDGED if part in split}

    def judge(model: torch.nn.Module, part: str) -> dict[str, float]:
        return mean_errors(
            model, judged[part],
            scale=card.scale, weights=terms.weights_at(1.0), together=settings.batch_size,
            double=double, ranks=ranks,
        )  # fmt: skip

    outcome = train(
        network,
        PotentialObjective(terms=terms, scale=card.scale, epochs=settings.epochs),
        samples("train", own),
        (lambda model: judge(model, "validation")) if "validation" in split else None,
        settings,
        ranks=ranks,
        directory=directory,
        metric=METRIC if "validation" in split else "training loss",
        card={"network": json_of(architecture), "training": that_must_stay(card.training)},
        deadline=deadline,
    )
    if not outcome.finished:
        return outcome, card
    ranks.barrier()  # rank 0 has written what the others read now
    kept = outcome.best_epoch if "validation" in split else outcome.epochs - 1
    network.load_state_dict(weights_of(after_epoch(directory, kept), averaged=settings.ema is not None))
    metrics: dict[str, float] = {}
    for part, prefix in zip(_JUDGED, ("", "test "), strict=True):
        if part in judged:
            metrics |= {f"{prefix}{name}": value for name, value in judge(network, part).items()}
    card = card.model_copy(update={"metrics": metrics})
    if ranks.writes:
        save_model(directory, network.weights(), card)
    ranks.barrier()
    return outcome, card


def _check(labels: Labels, terms: Terms) -> None:
    """Refuse to learn what nothing is known of.

    Raises:
        InputError: naming the term.
    """
    for name in terms.weights:
        if name not in _known(labels):
            raise InputError(
                f"no training sample has a label for '{name}'",
                where="weights of the loss",
                remedy="leave it out of the weights, or give structures that have it",
            )


def _check_judged(labels: Labels, terms: Terms) -> None:
    """Refuse a validation part by which no epoch could be chosen.

    Raises:
        InputError: it has no label of what counts in the end.
    """
    counting = {name for name, weight in terms.weights_at(1.0).items() if weight}
    if not counting & _known(labels):
        raise InputError(
            f"none of its samples has a label for {' or '.join(sorted(counting))}",
            where="part 'validation' of the split",
            remedy="move samples that have one there, or leave the part out",
        )


def _known(labels: Labels) -> set[str]:
    """The terms that some sample has a label for."""
    there = {"energy": labels.energies_N, "forces": labels.forces_N, "stress": labels.stress_N}
    return {name for name, values_N in there.items() if np.isfinite(values_N).any()}


def _check_elements(labels: Mapping[str, Labels], card: PotentialCard) -> None:
    for part, found in labels.items():
        if strange := sorted(set(found.elements) - set(card.references)):
            raise InputError(
                f"{', '.join(strange)} in '{part}', and not in 'train'",
                where="split",
                remedy="a potential knows what it was trained on: move samples, or leave them out",
            )


def _network(
    labelled: Labelled,
    labels: Labels,
    architecture: PotentialArchitecture,
    *,
    seed: int,
    start: Start | None,
    scale: float,
) -> tuple[Equivariant, PotentialArchitecture]:
    """The network with its first weights, the same on every rank, and its architecture, complete."""
    import torch

    if start is not None:
        start.check(labels.elements)
        if architecture.edges != start.architecture.edges:
            raise InputError(
                f"the cutoff is {architecture.cutoff} Å, that of {start.name} {start.architecture.cutoff} Å",
                where="architecture",
                remedy="give the same cutoff, and shards with it",
            )
        network = start.architecture.make()
        network.give(start.weights)
        network.multiply(start.scale / scale)
        return network, start.architecture
    if strange := sorted(set(labels.elements) - set(architecture.elements or labels.elements)):
        raise InputError(
            f"{', '.join(strange)} in the training set, and not among its elements",
            where="architecture: elements",
            remedy="add them, or leave the elements out: then they are those of the training set",
        )
    edges = float(np.sum(labelled.costs_N[labels.rows_N])) / float(labels.sizes_N.sum())
    complete = architecture.model_copy(
        update={
            "elements": tuple(sorted(architecture.elements)) or labels.elements,
            "neighbours": architecture.neighbours or round(math.sqrt(max(edges, 1.0)), 6),
        }
    )
    torch.manual_seed(seed)
    return complete.make(), complete


def _references(
    labelled: Labelled,
    labels: Labels,
    network: Equivariant,
    *,
    start: Start | None,
    scale: float,
    ranks: Ranks,
    directory: Path,
) -> dict[str, float]:
    """Reference energies by symbol, eV, as rank 0 has worked them out when the training began."""
    about = {"training_set": labelled.digest(labels.rows_N), "start": start.name if start else ""}
    path = directory / ENERGIES
    found: dict[str, Any] | None = None
    if ranks.writes:
        there = json.loads(path.read_text()) if path.is_file() else {}
        if {key: there.get(key) for key in about} == about:
            found = there
        elif start is None:
            energies_Z = reference_energies(labels.counts_NZ, labels.energies_N).tolist()
            found = {**about, "references": dict(zip(labels.elements, energies_Z, strict=True))}
        else:
            references = start.references_for(network, scale, labelled, labels, device=ranks.device)
            found = {**about, "references": references}
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found, indent=1).encode() + b"\n")
    taken: dict[str, float] = ranks.gather(found)[0]["references"]
    return taken


def _samples(
    labelled: Labelled, labels: Labels, card: PotentialCard, settings: TrainSettings, *, dtype: str
) -> GraphSamples:
    """Structures with the energy per atom that is left to learn, scaled.

    The other columns of the labels say how large forces and stresses are, NaN where there are none: so a
    structure without any label is refused. Forces and stresses themselves come with the graphs.
    """
    energies_N = labels.without(card.references) / labels.sizes_N / card.scale
    return GraphSamples(
        labelled.source,
        card.network,
        rows_N=labels.rows_N,
        labels_NP=np.stack([energies_N, labels.forces_N, labels.stress_N], axis=1),
        costs_N=labelled.costs_N[labels.rows_N],
        names_N=[labelled.names_N[row] for row in labels.rows_N.tolist()],
        batch_size=settings.batch_size,
        planned_ranks=settings.planned_ranks,
        seed=settings.seed,
        dtype=dtype,
    )


def _about(
    labelled: Labelled, split: Mapping[str, NDArray[np.int64]], settings: TrainSettings, terms: Terms
) -> dict[str, Any]:
    """What the card says of the training."""
    sets = {
        f"{'training' if part == 'train' else part}_set": labelled.digest(rows)
        for part, rows in split.items()
    }
    return {**json_of(settings), "loss": json_of(terms), "samples": len(split["train"]), **sets}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("sevenn", "e3nn")}
