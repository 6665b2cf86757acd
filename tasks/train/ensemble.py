"""Several networks that differ by their seed, as one model whose members' disagreement says how sure it is.

The folder has ``ensemble.json`` and a folder for each member. Deep ensembles: B. Lakshminarayanan, A.
Pritzel, C. Blundell, NeurIPS 30, 6402 (2017); all members see all training samples, as there.
"""

# N samples, P properties, M members

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jobflow import job
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.train.heads import AnyHead  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, load_model, versions
from zonemelt.tasks.train.predict import check_elements, graphs_in_turn, said_of_graphs, said_of_rows
from zonemelt.tasks.train.predictor import Predictor
from zonemelt.tasks.train.said import Said, joined_in_turn, of_all_members
from zonemelt.tasks.train.uncertainty import Uncertainty, uncertainty_of
from zonemelt.tasks.whole_files import sha256_of, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.metrics.recalibration import Recalibrations
    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.model_folder import ModelCard

    Loaded = tuple[torch.nn.Module, ModelCard]

ENSEMBLE = "ensemble.json"


class Member(BaseModel):
    """One network of an ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(description="its name in the folder of the ensemble", pattern=r"^[\w.-]*\w[\w.-]*$")
    weights: str = Field(description="SHA-256 of its file of weights")
    card: str = Field(description="SHA-256 of its card")
    seed: int
    metrics: dict[str, float]


class EnsembleCard(BaseModel):
    """What an ensemble is, and how sure it may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[Member, ...] = Field(min_length=1)
    failed: tuple[str, ...] = Field(default=(), description="members that were asked for and are not there")
    head: AnyHead
    properties: tuple[tuple[str, str], ...] = Field(min_length=1, description="name and unit of each")
    elements: tuple[str, ...] = Field(description="that all members were trained on; others it refuses")
    training: dict[str, Any] = Field(description="hashes of the parts of the split")
    metrics: dict[str, float] = Field(
        description="of the ensemble, on validation, or test where they say so; units in their names"
    )
    uncertainty: dict[str, Uncertainty] = Field(description="by property, of the ensemble as a whole")
    versions: dict[str, str]


def assemble(
    folder: Path,
    names: Sequence[str],
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    *,
    failed: Sequence[str] = (),
    recalibration: Recalibrations = "scale",
    device: str = "cpu",
) -> EnsembleCard:
    """Make one model of trained networks: calibrate them together, judge them, and write ``ensemble.json``.

    Args:
        folder: of the ensemble.
        names: of the folders of its members, in that folder.
        labelled: the collection that they were trained on.
        split: that they were trained on: calibrated on ``validation``, judged on ``test`` if there is one.
        failed: members that are not there.
        recalibration: of deviations, see :func:`.recalibrate`.
        device: where to compute.

    Raises:
        InputError: members differ in their properties, heads or edges, or were trained on other samples.
    """
    loaded = [load_model(folder / name) for name in names]
    cards = [card for _, card in loaded]
    _check(names, cards, training_set=labelled.digest(split["train"]))
    judged = {part: split[part] for part in ("validation", "test") if part in split}
    said_M = {
        part: [said_of_rows(model, card, labelled.source, rows, device=device) for model, card in loaded]
        for part, rows in judged.items()
    }
    said = {part: of_all_members(each) for part, each in said_M.items()}
    labels_NP = {part: labelled.values_NP[rows] for part, rows in judged.items()}
    properties = tuple((target.name, target.unit) for target in cards[0].targets)
    uncertainty = {}
    if "validation" in said:
        uncertainty = uncertainty_of(
            said, labels_NP, [name for name, _ in properties], recalibration=recalibration
        )
    card = EnsembleCard(
        members=tuple(_member(folder, name, each) for name, each in zip(names, cards, strict=True)),
        failed=tuple(failed),
        head=cards[0].head,
        properties=properties,
        elements=tuple(sorted(frozenset.intersection(*(frozenset(each.elements) for each in cards)))),
        training={f"{part}_set": labelled.digest(rows) for part, rows in split.items()},
        metrics={
            key: value
            for part in said
            for key, value in _errors(part, said[part], said_M[part], labels_NP[part], properties).items()
        },
        uncertainty=uncertainty,
        versions=versions(),
    )
    write_whole(folder / ENSEMBLE, card.model_dump_json(indent=1).encode() + b"\n")
    return card


def open_ensemble(folder: Path, *, device: str) -> Predictor:
    """Open an ensemble; see :func:`.open_model`.

    Raises:
        InputError: it is damaged, or a member is not the one that it was calibrated with.
    """
    place = Path(folder)
    try:
        card = EnsembleCard.model_validate_json((place / ENSEMBLE).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        said = " ".join(str(error).splitlines()[:3])
        raise InputError(
            f"it is no ensemble of ours: {said}", where=str(place / ENSEMBLE), remedy="put it together again"
        ) from None
    loaded = [_load(place, member) for member in card.members]

    def said_of(crystals: Crystals) -> Said:
        check_elements(crystals, card.elements)
        return joined_in_turn([
            of_all_members([said_of_graphs(model, each, graphs, device=device) for model, each in loaded])
            for graphs in graphs_in_turn(crystals, loaded[0][1].network.edges)
        ])  # fmt: skip

    return Predictor(card=card, properties=card.properties, uncertainty=card.uncertainty, said_of=said_of)


def _load(folder: Path, member: Member) -> Loaded:
    found = load_model(folder / member.folder)
    if _hashes(folder / member.folder) != {"weights": member.weights, "card": member.card}:
        raise InputError(
            "it is not the member that the ensemble was calibrated with",
            where=str(folder / member.folder),
            remedy="put the ensemble together again",
        )
    return found


def _member(folder: Path, name: str, card: ModelCard) -> Member:
    return Member(folder=name, seed=card.training["seed"], metrics=card.metrics, **_hashes(folder / name))


def _hashes(folder: Path) -> dict[str, str]:
    return {"weights": sha256_of(folder / WEIGHTS), "card": sha256_of(folder / CARD)}


def _check(names: Sequence[str], cards: Sequence[ModelCard], *, training_set: str) -> None:
    first = cards[0]
    for name, card in zip(names, cards, strict=True):
        for what, own, others in (
            ("properties", _properties(card), _properties(first)),
            ("head", card.head, first.head),
            ("edges", card.network.edges, first.network.edges),
            ("training set", card.training["training_set"], training_set),
        ):
            if own != others:
                raise InputError(
                    f"its {what} {own} is not {others}",
                    where=f"member '{name}'",
                    remedy="give networks trained on the same samples and properties, with the same loss",
                )


def _properties(card: ModelCard) -> list[tuple[str, str]]:
    return [(target.name, target.unit) for target in card.targets]


def _errors(
    part: str,
    said: Said,
    said_M: Sequence[Said],
    labels_NP: NDArray[np.float64],
    properties: Sequence[tuple[str, str]],
) -> dict[str, float]:
    """Mean absolute errors of the ensemble, and of its members on the mean, where there are labels."""
    found = {}
    for column, (name, unit) in enumerate(properties):
        labels_N = labels_NP[:, column]
        rows = np.flatnonzero(np.isfinite(labels_N))
        if not len(rows):
            continue
        errors_M = [np.abs(each.mean_NP[rows, column] - labels_N[rows]).mean() for each in (said, *said_M)]
        prefix = "test " if part == "test" else ""
        found[f"{prefix}mae {name} ({unit or '1'})"] = float(errors_M[0])
        found[f"{prefix}mae of a member {name} ({unit or '1'})"] = float(np.mean(errors_M[1:]))
    return found


@job
def assemble_job(
    *,
    members: list[dict[str, Any] | None],
    names: list[str],
    collection: dict[str, Any] | None,
    split: dict[str, Any] | None,
    directory: str,
    least: int,
    recalibration: Recalibrations = "scale",
    device: str = "auto",
) -> dict[str, Any]:
    """Put an ensemble together, of the members that are there.

    Args:
        members: what their trainings returned; None for one that failed for good.
        names: of their folders.
        collection: see :func:`.read_collection`.
        split: see :func:`.split_of`.
        directory: of the ensemble, absolute.
        least: members that must be there.
        recalibration: of deviations.
        device: where to compute.

    Returns:
        ``folder``, ``card`` and ``metrics``.

    Raises:
        JobError: too few members are there, or what they were trained on is not.
    """
    from zonemelt.tasks.train.collection import read_collection, split_of
    from zonemelt.tasks.train.ranks import joined

    there = [name for name, found in zip(names, members, strict=True) if found is not None]
    failed = [name for name in names if name not in there]
    if len(there) < least or collection is None or split is None:
        raise JobError(
            f"{len(there)} of {len(names)} members are there"
            if collection is not None and split is not None
            else "the collection or its split is not there",
            where=directory,
            remedy=f"see why {', '.join(failed)} failed; the ensemble needs {least} members",
        )
    labelled = read_collection(collection)
    with joined(device=device, environment={}) as ranks:
        card = assemble(
            Path(directory), there, labelled, split_of(split, labelled),
            failed=failed, recalibration=recalibration, device=str(ranks.device),
        )  # fmt: skip
    return {"folder": directory, "card": card.model_dump(mode="json"), "metrics": card.metrics}
