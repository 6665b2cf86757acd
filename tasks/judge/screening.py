"""Predict the candidates that were never labelled, and place everything on the hull."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.judge.hull import Phase, above_hull, hull_vertices
from zonemelt.tasks.learn.jobs import rows, train

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def phases(candidates: Iterable[Mapping[str, Any]], energies: Mapping[str, float]) -> list[Phase]:
    """The candidates that have an energy, as phases."""
    return [
        Phase(c["identifier"], Counter(c["geometry"]["symbols"]), energies[c["identifier"]])
        for c in candidates
        if c["identifier"] in energies
    ]


def placed(
    listed: Iterable[Phase], above: Mapping[str, float], element: str, deviations: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Rows of the hull diagram; fractions are of ``element``, energies eV/atom."""
    return [
        {
            "identifier": phase.identifier,
            "fraction": phase.composition.get(element, 0) / sum(phase.composition.values()),
            "formation_energy": phase.energy,
            "above_hull": above[phase.identifier],
            "deviation": deviations.get(phase.identifier),
        }
        for phase in listed
    ]


@job
def predict_job(
    *,
    plan: dict[str, Any],
    features: dict[str, Any],
    labels: dict[str, Any],
    base: list[str],
    elements: list[str],
    confirm: int,
    seed: int,
) -> dict[str, Any]:
    """Train on every label but the held-out ones, predict what has no label, and pick what to confirm.

    Returns:
        ``predictions``: identifier → mean and standard deviation (eV/atom); ``wanted``: the ``confirm``
        unlabelled candidates predicted lowest above the hull of the labels.
    """
    energies = labels["energies"]
    training = [*base, *(name for name in plan["pool"] if name in energies)]
    model = train(features, energies, training, seed=seed)
    unknown = [name for name in plan["pool"] if name not in energies and name not in labels["rejected"]]
    if not unknown:
        return {"predictions": {}, "wanted": []}
    mean, deviation = model.predict(rows(features, unknown))
    predicted = dict(zip(unknown, mean.tolist(), strict=True))
    above = above_hull(phases(plan["candidates"], predicted), phases(plan["candidates"], energies), elements)
    return {
        "predictions": {
            name: [predicted[name], float(spread)] for name, spread in zip(unknown, deviation, strict=True)
        },
        "wanted": sorted(above, key=lambda name: (above[name], name))[:confirm],
    }


@job
def hull_job(
    *, plan: dict[str, Any], labels: dict[str, Any], prediction: dict[str, Any], elements: list[str]
) -> dict[str, Any]:
    """Place labelled and predicted candidates on the convex hull of the labels.

    Returns:
        ``labelled``, ``predicted`` and ``confirmed`` rows (see :func:`placed`); ``vertices``:
        identifiers on the hull; fractions are those of the second element.
    """
    energies = labels["energies"]
    known = phases(plan["candidates"], energies)
    predictions = prediction["predictions"]
    left = {name: row[0] for name, row in predictions.items() if name not in energies}
    unknown = phases(plan["candidates"], left)
    above = above_hull([*known, *unknown], known, elements)
    deviations = {name: predictions[name][1] for name in left}
    rows_known = placed(known, above, elements[1], {})
    return {
        "labelled": rows_known,
        "predicted": placed(unknown, above, elements[1], deviations),
        "vertices": hull_vertices(known, elements),
        "confirmed": [
            {**row, "predicted": predictions[row["identifier"]][0]}
            for row in rows_known
            if row["identifier"] in prediction["wanted"]
        ],
    }
