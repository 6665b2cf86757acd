"""Rounds of a search for the best of a pool: a model of the property says what is worth a label next."""

# N records, P properties

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.acquire.jobs import acquire as select
from zonemelt.tasks.acquire.jobs import acquiring_of
from zonemelt.tasks.acquire.of_model import SIGNS
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.fit_property import fit_property
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.rounds.judge import Round, round_document
from zonemelt.tasks.train.predictor import open_model
from zonemelt.tasks.train.property_values import read_properties

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zonemelt.tasks.datasets import Dataset

_SHOWN: Final = 10  # of the best, in a round's document
_SHARE: Final = 3  # one label in so many may go to elements that have none yet


def candidates_of(pool: Dataset, without: Collection[str] = ()) -> list[dict[str, Any]]:
    """The structures of a pool; none of its labels is read.

    Raises:
        InputError: two structures have one name.
    """
    names = pool.frame(["identifier"])["identifier"].tolist()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"'{twice}' is there twice", where=str(pool.directory), remedy="name each once")
    left_out, found = set(without), []
    place = 0
    for crystals in pool.crystals():
        for row in range(len(crystals)):
            if (name := names[place]) not in left_out:
                geometry = Geometry.of(crystals.atoms(row)).model_dump(mode="json", exclude_none=True)
                found.append({"identifier": name, "geometry": geometry})
            place += 1
    return found


def elements_of(dataset: Dataset) -> set[str]:
    """Symbols of all elements in a dataset."""
    return {symbol for one in dataset.frame(["elements"])["elements"].unique() for symbol in one.split("-")}


def covering(candidates: Sequence[dict[str, Any]], seen: Collection[str], count: int) -> list[dict[str, Any]]:
    """A few candidates that together have as many elements as possible that were not seen.

    Again and again the one with the most new elements, the first of equals: no model says anything of
    elements that it was not trained on, so these come first.
    """
    known, left = set(seen), list(candidates)
    picked: list[dict[str, Any]] = []
    while left and len(picked) < count:
        news = [len(set(one["geometry"]["symbols"]) - known) for one in left]
        if not max(news):
            break
        picked.append(left.pop(int(np.argmax(news))))
        known |= set(picked[-1]["geometry"]["symbols"])
    return picked


def values_of(dataset: Dataset, target: str) -> dict[str, float]:
    """Identifier → value of the property, of the records that have it.

    Raises:
        InputError: see :func:`.read_properties`.
    """
    found = read_properties(dataset, [target])
    pairs = zip(found.names_N, found.values_NP[:, 0].tolist(), strict=True)
    return {name: value for name, value in pairs if np.isfinite(value)}


@job
def reveal_job(*, identifier: str, dataset: str, version: str) -> dict[str, Any]:
    """Look up one label of a pool that has labels: the record as a document, of nothing else."""
    (record,) = open_dataset(dataset, version).records(where={"identifier": identifier})
    return record.model_dump(mode="json")


@job
def fit_job(
    *, dataset: str, version: str, target: str, model: dict[str, Any], seed: int, directory: str
) -> dict[str, Any]:
    """Fit a model of the property to all that is labelled.

    Args:
        dataset: of the labels.
        version: of it.
        target: the property.
        model: see :class:`.ModelSpec`.
        seed: of its folds and of the model.
        directory: of the model.

    Returns:
        ``folder`` and ``card``.
    """
    found = open_dataset(dataset, version)
    rows = np.flatnonzero(np.isfinite(read_properties(found, [target]).values_NP[:, 0])).tolist()
    fitted = fit_property(found, target, model, {"train": rows}, protocol=Protocol(seed=seed))
    fitted.save(Path(directory))
    return {"folder": directory, "card": fitted.card.model_dump(mode="json")}


@job
def choose_of_pool_job(
    *,
    pool: dict[str, str],
    model: str,
    dataset: str,
    version: str,
    target: str,
    waiting: list[list[dict[str, Any]]],
    without: list[str],
    asked: int,
    most: int | None,
    batch: int,
    acquire: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Choose a batch of a pool.

    Args:
        pool: ``dataset`` and ``version`` of the candidates, whose labels are not read.
        model: folder of a model of the property.
        dataset: of what is labelled.
        version: of it.
        target: the property.
        waiting: what was asked for and is not labelled yet, batch by batch.
        without: identifiers that are never asked for.
        asked: labels asked for so far.
        most: that may be asked for in all; None for no limit.
        batch: how many to choose.
        acquire: see :class:`.Acquiring`.
        seed: of what is drawn.

    Returns:
        ``chosen``; ``asked``: these included; ``summary``: counts, and ``promise``, the largest probability
        that a candidate is among the best.
    """
    found = open_dataset(dataset, version)
    values = values_of(found, target)
    labelled = [
        {"identifier": record.identifier, "geometry": record.geometry, "value": values[record.identifier]}
        for record in sorted(found.records(), key=lambda one: one.identifier)
        if record.identifier in values
    ]
    tried = set(without) | set(found.frame(["identifier"])["identifier"])
    tried |= set(found.quarantine.frame(["identifier"])["identifier"])
    tried |= {one["identifier"] for some in waiting for one in some}
    candidates = candidates_of(open_dataset(pool["dataset"], pool["version"]), tried)
    count = max(0, batch if most is None else min(batch, most - asked))
    settings = acquiring_of({"target": target, **acquire})
    seen = elements_of(found)
    strange = [one for one in candidates if not seen.issuperset(one["geometry"]["symbols"])]
    first = covering(strange, seen, -(-count // _SHARE))
    names = {one["identifier"] for one in strange}
    picked = select(
        open_model(model), [one for one in candidates if one["identifier"] not in names], labelled, settings,
        count=count - len(first), seed=seed,
    )  # fmt: skip
    chances = [row.get("probability_of_best") for row in picked["scores"].values()]
    chosen = [{key: one[key] for key in ("identifier", "geometry")} for one in [*first, *picked["chosen"]]]
    summary = {
        **picked["summary"],
        "asked": count,
        "chosen": len(chosen),
        "explored": {
            "in the pool and not asked for": len(candidates),
            "with elements that have no label yet": len(strange),
        },
        "promise": None if strange else max((one for one in chances if one is not None), default=None),
    }
    return {"chosen": chosen, "asked": asked + len(chosen), "summary": summary}


@job
def judge_screening_job(*, done: dict[str, Any], target: str, wanted: str) -> dict[str, Any]:
    """A round's document, see :func:`.round_document`, with ``best``: the best that are labelled.

    Errors are those on held-out labels whose elements are known, where there are any.

    Args:
        done: a :class:`.Round`.
        target: the property.
        wanted: its lowest values, or its highest.
    """
    this = Round(**done)
    labels, errors = this.labels(), dict[str, float]()
    if (held := this.held()) is not None:
        values = values_of(held, target)
        seen = elements_of(labels)
        records = [
            one
            for one in held.records()
            if one.identifier in values and seen.issuperset(one.geometry.symbols)
        ]
        if records:
            predicted = open_model(this.committee["folder"]).predict(
                Crystals.of(one.geometry for one in records)
            )
            unit = predicted.properties[0][1]
            off = predicted.mean_NP[:, 0] - np.array([values[one.identifier] for one in records])
            errors[f"{target} mae ({unit})"] = float(np.abs(off).mean())
    known = values_of(labels, target)
    sign = SIGNS[wanted]
    best = sorted(known, key=lambda name: (-sign * known[name], name))[:_SHOWN]
    return {**round_document(this, errors), "best": {name: known[name] for name in best}}
