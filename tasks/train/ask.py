"""Ask a model about many structures: what it refuses is told one by one, and the others are predicted."""

# N structures, M of them predicted

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.predictor import Predicted
from zonemelt.tasks.train.said import joined_in_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.predictor import Predictor

_TOGETHER: Final = 256  # structures asked about at once


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of structures.

    Attributes:
        rows_M: which of the structures were predicted, in their order (M,).
        predicted: of these; None where there are none.
        refused: place of a structure → why it was not predicted.
    """

    rows_M: NDArray[np.int64]
    predicted: Predicted | None
    refused: dict[int, str]


def ask_each(predictor: Predictor, crystals: Crystals) -> Answers:
    """Predict all structures that can be predicted.

    Where a batch is refused its halves are asked about, and theirs, until those that spoil it are known.
    """
    parts: list[tuple[NDArray[np.int64], Predicted]] = []
    refused: dict[int, str] = {}
    waiting = [
        np.arange(start, min(start + _TOGETHER, len(crystals)))
        for start in range(0, len(crystals), _TOGETHER)
    ][::-1]
    while waiting:
        rows = waiting.pop()
        try:
            found = predictor.predict(crystals.take(rows))
        except InputError as error:
            if len(rows) == 1:
                refused[int(rows[0])] = error.what
            else:
                waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            continue
        good = np.isfinite(found.mean_NP).all(axis=1)
        refused.update(dict.fromkeys(rows[~good].tolist(), "the model gives no finite number"))
        if good.any():
            parts.append((rows[good], _of(found, np.flatnonzero(good))))
    if not parts:
        return Answers(rows_M=np.empty(0, np.int64), predicted=None, refused=refused)
    return Answers(
        rows_M=np.concatenate([rows for rows, _ in parts]),
        predicted=joined([found for _, found in parts]),
        refused=refused,
    )


def joined(parts: Sequence[Predicted]) -> Predicted:
    """What one model predicts of some structures, then of others: of all of them."""
    deviations = [part.deviation_NP for part in parts if part.deviation_NP is not None]
    return Predicted(
        properties=parts[0].properties,
        mean_NP=np.concatenate([part.mean_NP for part in parts]),
        deviation_NP=np.concatenate(deviations) if deviations else None,
        said=joined_in_turn([part.said for part in parts]),
        uncertainty=parts[0].uncertainty,
    )


def _of(found: Predicted, rows: NDArray[np.int64]) -> Predicted:
    if len(rows) == len(found.mean_NP):
        return found
    return Predicted(
        properties=found.properties,
        mean_NP=found.mean_NP[rows],
        deviation_NP=None if found.deviation_NP is None else found.deviation_NP[rows],
        said=found.said.of(rows),
        uncertainty=found.uncertainty,
    )


def intervals(
    predicted: Predicted, coverage: float
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lower and upper ends of the intervals of each property that was calibrated well enough for them."""
    found = {}
    for column, (name, _) in enumerate(predicted.properties):
        if name not in predicted.uncertainty:
            continue
        try:
            low_M1, high_M1 = _one(predicted, column).interval(coverage)
        except InputError:
            continue  # too few samples to promise so much: it has a deviation, and no interval
        found[name] = (low_M1[:, 0], high_M1[:, 0])
    return found


def _one(predicted: Predicted, column: int) -> Predicted:
    """Of one property only."""
    some = slice(column, column + 1)
    said = predicted.said
    return Predicted(
        properties=predicted.properties[some],
        mean_NP=predicted.mean_NP[:, some],
        deviation_NP=None if predicted.deviation_NP is None else predicted.deviation_NP[:, some],
        said=type(said)(
            mean_NP=said.mean_NP[:, some],
            deviation_NP=None if said.deviation_NP is None else said.deviation_NP[:, some],
            lean_NP=None if said.lean_NP is None else said.lean_NP[:, some],
        ),
        uncertainty=predicted.uncertainty,
    )
