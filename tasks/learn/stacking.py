"""Combine models of one fold, by what they say of training rows that were left out in turn.

The outer test rows are not looked at: weights and choice come from the left-out predictions of the training
rows alone. Source: L. Breiman, Machine Learning 24, 49 (1996), with weights that are not negative and sum
to one, chosen for the least mean absolute error.
"""

# N training rows left out in turn, K models, M test rows

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.metrics.deviations import Asked, judged
from zonemelt.tasks.metrics.leaderboard import STACKED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.metrics.recalibration import Recalibrations

    Floats = NDArray[np.float64]
    Result = Mapping[str, Any]


def weights_of(true_N: Floats, mean_KN: Floats) -> Floats:
    """Weights (K), not negative and of sum one, of the least mean absolute error.

    A linear programme: minimise Σ e over w and e with -e ≤ y - Σ w m ≤ e.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    models, rows = mean_KN.shape
    means, slack = csr_array(mean_KN.T), eye_array(rows)
    found = linprog(
        np.concatenate([np.zeros(models), np.ones(rows)]),
        A_ub=vstack([hstack([-means, -slack]), hstack([means, -slack])]),
        b_ub=np.concatenate([-true_N, true_N]),
        A_eq=np.concatenate([np.ones(models), np.zeros(rows)])[None, :],
        b_eq=[1.0],
        bounds=(0, None),
        method="highs",
    )
    weights_K: Floats = np.clip(found.x[:models], 0.0, None)
    weights_K /= weights_K.sum()
    return weights_K


def stack_fold(
    table: PropertyTable,
    results: Sequence[Result],
    *,
    coverage: float,
    recalibration: Recalibrations = "scale",
) -> dict[str, Any]:
    """A weighted mean of the models of one fold and seed.

    Args:
        table: that they were made from.
        results: what :func:`.evaluate_fold` gave for each model.
        coverage: that the conformal intervals promise.
        recalibration: of the deviations, see :func:`.recalibrate`.

    Returns:
        A document of the same form, whose ``settings`` are the weights.

    Raises:
        InputError: they are not of one fold and seed, or there are fewer than two.
    """
    if len(results) <= 1 or len({(one["fold"], one["seed"]) for one in results}) > 1:
        raise InputError(
            f"{len(results)} results of several folds or seeds, or too few", where="stacking",
            remedy="give two or more models of one fold and one seed",
        )  # fmt: skip
    first = results[0]
    train_N, test_M = table.parts(first["fold"])
    if any(one["left_out"]["rows"] != train_N.tolist() for one in results):
        raise InputError("the results are of another table", where="stacking", remedy="give their own table")
    left_KN = np.array([one["left_out"]["mean"] for one in results])
    weights_K = weights_of(table.target_N[train_N], left_KN)

    def together(part: str, key: str) -> Floats:
        mixed: Floats = weights_K @ np.array([one[part][key] for one in results])
        return mixed

    return {
        "model": STACKED,
        "family": STACKED,
        "fold": first["fold"],
        "seed": first["seed"],
        "settings": {one["model"]: float(weight) for one, weight in zip(results, weights_K, strict=True)},
        "inner_mae": float(np.abs(table.target_N[train_N] - weights_K @ left_KN).mean()),
        **judged(
            Asked(
                rows_N=train_N, true_N=table.target_N[train_N],
                mean_N=together("left_out", "mean"), raw_N=together("left_out", "deviation"),
            ),
            Asked(
                rows_N=test_M, true_N=table.target_N[test_M],
                mean_N=together("predictions", "mean"), raw_N=together("predictions", "deviation"),
            ),
            coverage=coverage,
            recalibration=recalibration,
        ),
        "strange_rows": sorted({row for one in results for row in one["strange_rows"]}),
        "warnings": {},
        "fits": 0,
        "cpu_seconds": sum(one["cpu_seconds"] for one in results),
    }  # fmt: skip


@job
def stack_job(
    *, table: dict[str, Any], results: list[dict[str, Any]], coverage: float, recalibration: Recalibrations
) -> dict[str, Any]:
    """Combine the models of one fold; see :func:`stack_fold`."""
    return stack_fold(PropertyTable.of(table), results, coverage=coverage, recalibration=recalibration)
