"""Learn how large the errors of a model are, from whatever is known before the label.

A spread of trees, a distance to the training rows, how much labels nearby differ: each says something of the
error to come, and none is in its unit. A forest learns the squared errors of rows that the model had not
seen, as D. A. Nix and A. S. Weigend (Proc. ICNN 1, 55 (1994)) estimate a variance beside a mean; its own
left-out rows then say by which factor it is too narrow or too wide.
"""

# N rows with known errors, M rows asked about, S signals, F columns, T trees

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.recalibration import LEAST, conformal_factor, recalibrate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.metrics.recalibration import Recalibration

    Floats = NDArray[np.float64]

FEWEST: Final = 50
"""Errors that it can be learned from."""
_NEAR: Final = 1e-3  # of the width of all features: nearer rows are the same
_TREES, _LEAF, _LEAVES = 100, 10, 80  # a leaf has so many rows at least, and there are about so many


@dataclass(frozen=True, kw_only=True)
class ErrorModel:
    """Signals → standard deviation of the error, and intervals; see :func:`fit`.

    Attributes:
        forest: signals → squared error.
        recalibration: of the root of that.
        scores_N: absolute error over deviation of the rows it was fitted to, each left out; ascending.
    """

    forest: Any
    recalibration: Recalibration
    scores_N: Floats

    def __call__(self, signals_MS: Floats) -> Floats:
        """Standard deviations (M,), in the unit of the errors."""
        squared_M: Floats = self.forest.predict(signals_MS)
        return self.recalibration(np.sqrt(np.maximum(squared_M, 0.0)))

    def widths(self, signals_MS: Floats, *, coverage: float) -> Floats:
        """Half widths (M,) of the intervals that hold a label with the probability ``coverage``.

        Raises:
            InputError: the coverage cannot be promised; see :func:`.conformal_factor`.
        """
        return conformal_factor(self.scores_N, np.ones_like(self.scores_N), coverage=coverage) * self(
            signals_MS
        )


def fit(errors_N: Floats, signals_NS: Floats, *, seed: int = 0) -> ErrorModel:
    """Learn from the errors of rows that the model had not seen.

    The forest's own left-out rows give a deviation that never falls with what the forest says, and whose
    square is the mean square of the errors (``isotonic`` of :func:`.recalibrate`), and the distribution of
    errors about it, which the intervals come from.

    Args:
        errors_N: label minus prediction.
        signals_NS: what was known before the label, at least one column.
        seed: of the forest.

    Raises:
        InputError: there are fewer than 50 errors, all are zero, or something is not finite.
    """
    from sklearn.ensemble import RandomForestRegressor

    errors_N, signals_NS = np.asarray(errors_N, float), np.asarray(signals_NS, float)
    if len(errors_N) < FEWEST or len(signals_NS) != len(errors_N):
        raise InputError(
            f"{len(errors_N)} errors and {len(signals_NS)} rows of signals",
            where="error model",
            remedy=f"give {FEWEST} or more of both, or recalibrate by 'affine'",
        )
    if not np.isfinite(errors_N).all() or not np.isfinite(signals_NS).all() or not errors_N.any():
        raise InputError(
            "errors that are all zero, or numbers that are none",
            where="error model",
            remedy="use data that the model was not fitted to, and leave out what it refused",
        )
    forest = RandomForestRegressor(
        _TREES, min_samples_leaf=max(_LEAF, len(errors_N) // _LEAVES), max_features=0.5, oob_score=True,
        random_state=seed,
    ).fit(signals_NS, errors_N**2)  # fmt: skip
    least = LEAST * float(np.sqrt((errors_N**2).mean()))
    left_out_N = np.maximum(np.sqrt(np.maximum(forest.oob_prediction_, 0.0)), least)
    recalibration = recalibrate(errors_N, left_out_N, kind="isotonic")
    scores_N = np.sort(np.abs(errors_N) / recalibration(left_out_N))
    return ErrorModel(forest=forest, recalibration=recalibration, scores_N=scores_N)


def forest_signals(forest: Any, seen_NF: Floats, labels_N: Floats, asked_MF: Floats, *, k: int = 6) -> Floats:
    """What a forest and its training rows say of rows before their labels (M, S).

    Logarithms of the spread of the trees and of two ranges of theirs; their mean; logarithms of the distance
    to the nearest training row and of the mean to ``k``; how much the labels of those differ, and how far the
    prediction is from their mean and from the nearest.

    Args:
        forest: fitted to the training rows, with ``estimators_``.
        seen_NF: the training rows.
        labels_N: their labels.
        asked_MF: the rows asked about.
        k: neighbours.
    """
    from sklearn.neighbors import NearestNeighbors

    each_TM = np.array([tree.predict(asked_MF.astype(np.float32)) for tree in forest.estimators_])
    mean_M, small = each_TM.mean(axis=0), 0.01 * float(labels_N.std()) + 1e-12
    low, lower, upper, high = np.quantile(each_TM, [0.1, 0.25, 0.75, 0.9], axis=0)
    width_F = seen_NF.std(axis=0)
    scaled = np.where(width_F > 0, 1 / np.where(width_F > 0, width_F, 1.0), 0.0)
    search = NearestNeighbors(n_neighbors=min(k, len(seen_NF)), algorithm="brute").fit(seen_NF * scaled)
    away_MK, near_MK = search.kneighbors(asked_MF * scaled)
    local_MK = labels_N[near_MK]
    ranges = (each_TM.std(axis=0), upper - lower, high - low, local_MK.std(axis=1))
    return np.column_stack(
        [
            mean_M,
            *(np.log(one + small) for one in ranges),
            *(np.log(one + _NEAR) for one in (away_MK[:, 0], away_MK.mean(axis=1))),
            np.abs(mean_M - local_MK.mean(axis=1)),
            np.abs(mean_M - local_MK[:, 0]),
        ]
    )
