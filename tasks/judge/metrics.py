"""How far predictions are from labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def errors(predicted_N: NDArray[Any], true_N: NDArray[Any], deviation_N: NDArray[Any]) -> dict[str, float]:
    """Error metrics of N predictions with their standard deviations.

    Args:
        predicted_N: predictions, eV/atom.
        true_N: labels, eV/atom.
        deviation_N: predicted standard deviations, eV/atom.

    Returns:
        ``mae`` and its standard error over the structures, ``rmse`` (all eV/atom), and ``coverage``: the
        fraction of labels within two predicted standard deviations (0.95 when well calibrated).
    """
    difference = np.abs(predicted_N - true_N)
    return {
        "mae": float(difference.mean()),
        "mae_error": float(difference.std(ddof=1) / np.sqrt(len(difference))),
        "rmse": float(np.sqrt((difference**2).mean())),
        "coverage": float((difference <= 2 * deviation_N).mean()),
    }


def spread(values: list[float]) -> dict[str, float | None]:
    """Mean and standard deviation over repetitions; None where one repetition tells no spread."""
    array = np.array(values)
    return {"mean": float(array.mean()), "std": float(array.std(ddof=1)) if len(array) > 1 else None}
