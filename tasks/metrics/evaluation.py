"""How a model does on records with labels: errors in their unit, where they are large, calibration."""

# N records

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.calibration import judge_deviations

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LARGEST: Final = 10  # errors that are shown


def evaluate(
    labels_N: Floats,
    predicted_N: Floats,
    *,
    names_N: Sequence[str],
    elements_N: Sequence[Collection[str]],
    deviations_N: Floats | None = None,
    low_N: Floats | None = None,
    high_N: Floats | None = None,
) -> dict[str, Any]:
    """Judge the predictions of one property.

    Args:
        labels_N: finite numbers (N,).
        predicted_N: what the model says (N,), the same unit.
        names_N: of the records (N,).
        elements_N: symbols of the elements in each (N,).
        deviations_N: predicted standard deviations (N,), the same unit.
        low_N: lower ends of intervals (N,); together with
        high_N: their upper ends (N,).

    Returns:
        ``records``; ``mae``, ``rmse``, ``bias`` (mean of prediction minus label) and ``label_spread``
        (standard deviation of the labels), in the unit of the labels; ``r2`` and ``spearman``, None where
        all labels or all predictions are the same; ``elements`` (``element``, ``records``, ``mae``), the
        worst first; ``largest`` (``record``, ``label``, ``predicted``, ``error``); ``uncertainty``, see
        :func:`.calibration.judge_deviations`, and ``intervals`` (``held``: the fraction of labels inside,
        ``mean_width``), None where there are none.

    Raises:
        InputError: there are no records, or a number is not finite.
    """
    labels_N, predicted_N = np.asarray(labels_N, float), np.asarray(predicted_N, float)
    _check(labels_N, predicted_N, names_N)
    errors_N = predicted_N - labels_N
    squares = float((errors_N**2).sum())
    spread = float(((labels_N - labels_N.mean()) ** 2).sum())
    worst = np.argsort(-np.abs(errors_N), kind="stable")[:LARGEST].tolist()
    return {
        "records": len(labels_N),
        "mae": float(np.abs(errors_N).mean()),
        "rmse": float(np.sqrt(squares / len(labels_N))),
        "bias": float(errors_N.mean()),
        "label_spread": float(labels_N.std()),
        "r2": 1 - squares / spread if spread > 0 else None,
        "spearman": _rank_correlation(labels_N, predicted_N),
        "elements": _by_element(np.abs(errors_N), elements_N),
        "largest": [
            {
                "record": names_N[row],
                "label": float(labels_N[row]),
                "predicted": float(predicted_N[row]),
                "error": float(errors_N[row]),
            }
            for row in worst
        ],
        "uncertainty": None if deviations_N is None else judge_deviations(-errors_N, deviations_N),
        "intervals": None if low_N is None or high_N is None else _intervals(labels_N, low_N, high_N),
    }


def _check(labels_N: Floats, predicted_N: Floats, names_N: Sequence[str]) -> None:
    if not len(labels_N):
        raise InputError("no record has a label", where="evaluation", remedy="give records with labels")
    for what, values_N in (("label", labels_N), ("prediction", predicted_N)):
        if not (good_N := np.isfinite(values_N)).all():
            row = int(np.argmin(good_N))
            raise InputError(
                f"the {what} is {values_N[row]}",
                where=f"record {names_N[row]}",
                remedy="leave the record out, or mend the value",
            )


def _rank_correlation(labels_N: Floats, predicted_N: Floats) -> float | None:
    from scipy.stats import spearmanr

    if np.ptp(labels_N) == 0 or np.ptp(predicted_N) == 0:
        return None
    return float(spearmanr(labels_N, predicted_N).statistic)


def _by_element(distances_N: Floats, elements_N: Sequence[Collection[str]]) -> list[dict[str, Any]]:
    """The mean distance of the records with each element; a record counts for all of its elements."""
    found: dict[str, list[float]] = defaultdict(list)
    for distance, elements in zip(distances_N.tolist(), elements_N, strict=True):
        for element in elements:
            found[element].append(distance)
    lines = [
        {"element": element, "records": len(own), "mae": float(np.mean(own))}
        for element, own in found.items()
    ]
    return sorted(lines, key=lambda line: (-line["mae"], line["element"]))


def _intervals(labels_N: Floats, low_N: Floats, high_N: Floats) -> dict[str, float]:
    low_N, high_N = np.asarray(low_N), np.asarray(high_N)
    return {
        "held": float(((low_N <= labels_N) & (labels_N <= high_N)).mean()),
        "mean_width": float((high_N - low_N).mean()),
    }
