"""Predictions with standard deviations, calibrated on rows that the model had not seen."""

# N training rows left out in turn, M test rows, F columns, T trees

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.metrics.calibration import coverage as held
from zonemelt.tasks.metrics.calibration import judge_deviations
from zonemelt.tasks.metrics.recalibration import conformal_factor, recalibrate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.metrics.recalibration import Recalibrations

    Floats = NDArray[np.float64]

_LEAST: Final = 0.02  # of the typical error: trees that agree to the last digit are not certain


def predict(model: Any, x_MF: Floats, *, kind: str) -> tuple[Floats, Floats | None]:
    """Means and standard deviations (M), in the unit of the target.

    Args:
        model: a fitted pipeline, as :meth:`.ModelSpec.pipeline` makes it.
        x_MF: features.
        kind: ``trees`` for the spread of the trees of a forest, ``posterior`` for that of a Gaussian process
            with its noise, ``residuals`` for a model that has none: then there are no deviations.
    """
    mean_M: Floats = model.predict(x_MF).astype(np.float64)
    if kind == "residuals":
        return mean_M, None
    steps = model.regressor_
    scaled_MF = steps[:-1].transform(x_MF)
    if kind == "trees":
        predicted_TM = np.array([tree.predict(scaled_MF) for tree in steps[-1].estimators_])
        deviations_M = predicted_TM.std(axis=0)
    else:
        deviations_M = steps[-1].predict(scaled_MF, return_std=True)[1]
    return mean_M, deviations_M * float(model.transformer_.scale_[0])


def floored(deviations_M: Floats | None, errors_N: Floats, *, size: int) -> Floats:
    """Deviations that are never zero; those of a model that has none are all the typical error.

    Args:
        deviations_M: of the model, or None.
        errors_N: on rows that the model had not seen.
        size: M.

    Returns:
        Deviations (M), at least 2 % of the root mean square of the errors (normalised conformal intervals
        want such a floor: H. Papadopoulos, A. Gammerman, V. Vovk, Proc. AIA, 64 (2008)).
    """
    typical = float(np.sqrt((errors_N**2).mean()))
    if deviations_M is None:
        return np.full(size, max(typical, np.finfo(float).tiny))
    return np.maximum(deviations_M, max(_LEAST * typical, np.finfo(float).tiny))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a model says of rows that it has not seen.

    Attributes:
        rows_N: their places in the table.
        true_N: their labels.
        mean_N: predictions.
        raw_N: standard deviations as the model has them; None for a model without.
    """

    rows_N: NDArray[np.int64]
    true_N: Floats
    mean_N: Floats
    raw_N: Floats | None


def judged(
    left_out: Asked, tested: Asked, *, coverage: float, recalibration: Recalibrations = "scale"
) -> dict[str, Any]:
    """Calibrate deviations on training rows that were left out in turn, and judge the test rows.

    The intervals are those of cross-conformal prediction: their width comes from the left-out rows of all
    inner folds together, so the promise is approximate (V. Vovk, Ann. Math. Artif. Intell. 74, 9 (2015));
    the models that set it saw fewer rows than the one that is tested, which makes them wider, not narrower.

    Args:
        left_out: the training rows, each predicted by a model that had not seen it.
        tested: the test rows.
        coverage: that the intervals promise.
        recalibration: of the deviations, see :func:`.recalibrate`.

    Returns:
        ``mae``, ``rmse``, ``r2``, ``predictions``, ``left_out`` and ``uncertainty``.
    """
    errors_N, errors_M = left_out.true_N - left_out.mean_N, tested.true_N - tested.mean_N
    raw_N = floored(left_out.raw_N, errors_N, size=len(errors_N))
    raw_M = floored(tested.raw_N, errors_N, size=len(errors_M))
    calibrate = recalibrate(errors_N, raw_N, kind=recalibration)
    width_M = conformal_factor(errors_N, raw_N, coverage=coverage) * raw_M
    return {
        **scores(tested.true_N, tested.mean_N),
        "predictions": {
            "rows": tested.rows_N.tolist(),
            "mean": tested.mean_N.tolist(),
            "deviation": calibrate(raw_M).tolist(),
            "width": width_M.tolist(),
        },
        "left_out": {
            "rows": left_out.rows_N.tolist(),
            "mean": left_out.mean_N.tolist(),
            "deviation": calibrate(raw_N).tolist(),
        },
        "uncertainty": {
            **judge_deviations(errors_M, calibrate(raw_M)),
            "coverage": held(errors_M, width_M),
            "promised": coverage,
            "mean_width": float(width_M.mean()),
            "raw": judge_deviations(errors_M, raw_M),
        },
    }


def scores(true_M: Floats, mean_M: Floats) -> dict[str, float | None]:
    """``mae`` and ``rmse`` in the unit of the property, and ``r2``; None where all labels are the same."""
    errors_M = true_M - mean_M
    width = float(((true_M - true_M.mean()) ** 2).mean())
    squared = float((errors_M**2).mean())
    return {
        "mae": float(np.abs(errors_M).mean()),
        "rmse": squared**0.5,
        "r2": 1 - squared / width if width else None,
    }
