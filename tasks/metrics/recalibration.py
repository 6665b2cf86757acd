"""Repair predicted standard deviations, and turn them into intervals that hold what they promise.

Everything here is fitted to predictions of data that the model has not seen in training, and is then
applied to predictions of other data. Errors, u and interval widths share one unit.
"""

# N predictions, K knots

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.metrics.calibration import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Recalibrations = Literal["scale", "affine", "isotonic"]
KINDS: Final[tuple[Recalibrations, ...]] = ("scale", "affine", "isotonic")

LEAST: Final = 0.05  # of the typical error: the least standard deviation that is believed


@dataclass(frozen=True, kw_only=True)
class Recalibration:
    """A map from predicted to calibrated standard deviations, u → u'.

    Linear between knots, constant outside them; a single knot at 1 stands for a factor, and two at 0 and 1
    for u'² = a² + b²u².

    Attributes:
        kind: ``scale``, ``affine`` or ``isotonic``.
        deviations_K: predicted u at the knots, ascending.
        calibrated_K: u' there, never descending; all above zero.
    """

    kind: str
    deviations_K: tuple[float, ...]
    calibrated_K: tuple[float, ...]

    def __call__(self, deviations_N: Floats) -> Floats:
        """Calibrated standard deviations (N,)."""
        if self.kind == "scale":
            scaled_N: Floats = np.asarray(deviations_N, dtype=np.float64) * self.calibrated_K[0]
            return scaled_N
        if self.kind == "affine":
            none, one = self.calibrated_K
            squared_N = np.asarray(deviations_N, dtype=np.float64) ** 2
            affine_N: Floats = np.sqrt(none**2 + (one**2 - none**2) * squared_N)
            return affine_N
        found_N: Floats = np.interp(deviations_N, self.deviations_K, self.calibrated_K)
        return found_N


def recalibrate(errors_N: Floats, deviations_N: Floats, *, kind: Recalibrations = "scale") -> Recalibration:
    """Learn how u must be changed to fit the errors.

    ``scale`` multiplies u by s = √⟨(r/u)²⟩, the factor with the greatest Gaussian likelihood: M.-H. Laves
    et al., MIDL, PMLR 121, 393 (2020); D. Levi et al., Sensors 22, 5540 (2022). It keeps the order of u and
    needs few data, but a few rows with a tiny u and a large error, of trees that agree and are wrong, make
    all others too wide. ``affine`` is for these: u'² = a² + b²u², of the greatest likelihood, with an error a
    that is there where u is zero. ``isotonic`` fits r² by a function of u that never falls, and takes its
    root; it follows any monotone distortion, but needs hundreds of data. Both stay above 5 % of the typical
    error √⟨r²⟩.

    Raises:
        InputError: all errors are zero, or there is no such kind.
    """
    errors_N, deviations_N = checked(errors_N, deviations_N)
    if not errors_N.any():
        raise InputError(
            "all errors are zero", where="recalibration", remedy="use data the model was not fitted to"
        )
    if kind == "scale":
        factor = math.sqrt(float(((errors_N / deviations_N) ** 2).mean()))
        return Recalibration(kind=kind, deviations_K=(1.0,), calibrated_K=(factor,))
    if kind == "affine":
        return Recalibration(kind=kind, deviations_K=(0.0, 1.0), calibrated_K=_affine(errors_N, deviations_N))
    if kind != "isotonic":
        raise UnknownKeyError.of(kind, KINDS, where="recalibration")
    from sklearn.isotonic import IsotonicRegression

    # Where all errors happened to be zero, the fit would promise certainty.
    least = LEAST * math.sqrt(float((errors_N**2).mean()))
    fitted = IsotonicRegression().fit(deviations_N, errors_N**2)
    calibrated_K = np.maximum(np.sqrt(fitted.y_thresholds_), least)
    return Recalibration(
        kind=kind,
        deviations_K=tuple(fitted.X_thresholds_.tolist()),
        calibrated_K=tuple(calibrated_K.tolist()),
    )


def _affine(errors_N: Floats, deviations_N: Floats) -> tuple[float, float]:
    """u' at 0 and at 1 of the likeliest sum of variances."""
    from scipy.optimize import minimize

    squares_N = errors_N**2
    typical, width = float(squares_N.mean()), float((deviations_N**2).mean())
    scaled_N, wide_N = squares_N / typical, deviations_N**2 / width

    def loss(logarithms: Floats) -> float:
        variance_N = np.exp(logarithms[0]) + np.exp(logarithms[1]) * wide_N
        return float((np.log(variance_N) + scaled_N / variance_N).mean())

    bounds = [(2 * math.log(LEAST), 5.0), (-20.0, 5.0)]
    found = minimize(loss, np.log([0.5, 0.5]), method="L-BFGS-B", bounds=bounds)
    none, slope = (np.exp(found.x) * typical).tolist()
    return math.sqrt(none), math.sqrt(none + slope / width)


def conformal_factor(errors_N: Floats, deviations_N: Floats, *, coverage: float) -> float:
    """The q for which ± qu holds a new label with the probability ``coverage``, whatever the distribution.

    Normalised split conformal prediction: with scores |r|/u of n calibration data exchangeable with the new
    one, q is their ⌈(n + 1) coverage⌉-th smallest. The probability is at least ``coverage`` and, without
    ties, at most 1/(n + 1) more. Source: J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman,
    J. Am. Stat. Assoc. 113, 1094 (2018), Theorem 2.2 and section 5.2. Equal u give the plain method.

    Raises:
        InputError: ``coverage`` is not between 0 and 1, or n is too small for it: no finite q is enough.
    """
    return conformal_factors(errors_N, deviations_N, coverages=[coverage])[0]


def conformal_factors(
    errors_N: Floats, deviations_N: Floats, *, coverages: Sequence[float]
) -> tuple[float, ...]:
    """As :func:`conformal_factor`, for several coverages."""
    errors_N, deviations_N = checked(errors_N, deviations_N)
    scores_N = np.sort(np.abs(errors_N) / deviations_N)
    return tuple(float(scores_N[place_of(len(scores_N), coverage) - 1]) for coverage in coverages)


def place_of(count: int, coverage: float) -> int:
    """Which of ``count`` scores, in ascending order, promises the coverage; from 1.

    Raises:
        InputError: the coverage is not between 0 and 1, or ``count`` is too small for it.
    """
    if not 0 < coverage < 1:
        raise InputError(
            f"a coverage of {coverage}", where="coverage", remedy="give a probability such as 0.9"
        )
    place = math.ceil((count + 1) * coverage - 1e-9)  # 10 * 0.9 is a little more than 9 in binary
    if place > count:
        raise InputError(
            f"{count} calibration data cannot promise a coverage of {coverage}",
            where="coverage",
            remedy=f"give {math.ceil(coverage / (1 - coverage) - 1e-9)} data or more, or ask for less",
        )
    return place
