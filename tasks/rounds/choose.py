"""Choose what is labelled next among what the explorers of a round have found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.acquire.jobs import acquire as select
from zonemelt.tasks.acquire.jobs import acquiring_of
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.explore.candidate import joined
from zonemelt.tasks.potentials.load import load_potential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def new_candidates(
    found: Sequence[Mapping[str, Any] | None], waiting: Sequence[Sequence[Mapping[str, Any]]], known: set[str]
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What several explorers found, without what is labelled or asked for; and how many of what.

    Args:
        found: what explorers returned; None of one that failed.
        waiting: structures that were asked for.
        known: identifiers of structures that have labels.
    """
    both = joined([dict(one) for one in found if one is not None])
    asked = known | {one["identifier"] for some in waiting for one in some}
    new = [one for one in both["candidates"] if one["identifier"] not in asked]
    counts = {**both["counts"], "refused: asked for already": len(both["candidates"]) - len(new)}
    if lost := sum(one is None for one in found):
        counts["explorers that failed"] = lost
    return new, counts


@job
def choose_job(
    *,
    found: list[dict[str, Any] | None],
    committee: str,
    dataset: str,
    version: str,
    waiting: list[list[dict[str, Any]]],
    without: list[str],
    asked: int,
    most: int | None,
    batch: int,
    acquire: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Choose a batch.

    Args:
        found: see :func:`new_candidates`.
        committee: folder of what the choice goes by.
        dataset: of what is labelled.
        version: of it.
        waiting: see :func:`new_candidates`.
        without: identifiers that are never asked for.
        asked: labels asked for so far.
        most: that may be asked for in all; None for no limit.
        batch: how many to choose.
        acquire: see :class:`.Acquiring`.
        seed: of what is drawn.

    Returns:
        ``chosen``: candidates; ``asked``: labels asked for, these included; ``summary``: counts, and
        ``deviation_95``: of 95 of 100 candidates the largest deviation of a force is smaller, eV/Å.
    """
    labelled: list[dict[str, Any]] = [
        {"identifier": record.identifier, "geometry": record.geometry}
        for record in sorted(open_dataset(dataset, version).records(), key=lambda one: one.identifier)
    ]
    known = {one["identifier"] for one in labelled}
    candidates, counts = new_candidates(found, waiting, known | set(without))
    count = max(0, batch if most is None else min(batch, most - asked))
    picked = select(
        load_potential(committee, dtype="float64"),
        candidates,
        [*labelled, *(one for some in waiting for one in some)],
        acquiring_of(acquire),
        count=count,
        seed=seed,
    )
    spreads = [
        one["force_spread"] for one in picked["scores"].values() if one.get("force_spread") is not None
    ]
    summary = {
        **picked["summary"],
        "explored": counts,
        "deviation_95": float(np.quantile(spreads, 0.95)) if spreads else None,
    }
    return {"chosen": picked["chosen"], "asked": asked + len(picked["chosen"]), "summary": summary}
