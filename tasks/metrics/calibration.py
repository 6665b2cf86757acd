"""Judge predicted standard deviations against the errors that were made.

A label y is predicted as a mean m with a standard deviation u; the error is r = y - m. Errors and u share
one unit, which ``sharpness`` keeps; the other metrics have none. Means, labels and u must come from data
that the model was not fitted to. :mod:`.recalibration` repairs what is found here.
"""

# N predictions, B bins

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 10  # at most; each holds 5 predictions or more
_FEWEST: Final = 5


def checked(errors_N: Floats, deviations_N: Floats) -> tuple[Floats, Floats]:
    """Errors and standard deviations that can be judged, as arrays of float64.

    Raises:
        InputError: there are none, they differ in number, an error is not finite, or a deviation is not a
            finite number above zero.
    """
    errors_N = np.asarray(errors_N, dtype=np.float64)
    deviations_N = np.asarray(deviations_N, dtype=np.float64)
    if errors_N.ndim != 1 or errors_N.shape != deviations_N.shape or not len(errors_N):
        raise InputError(
            f"errors have the shape {errors_N.shape}, their deviations {deviations_N.shape}",
            where="calibration",
            remedy="give one error and one deviation for each of one or more predictions",
        )
    good_N = np.isfinite(errors_N) & np.isfinite(deviations_N) & (deviations_N > 0)
    if not good_N.all():
        row = int(np.argmin(good_N))
        raise InputError(
            f"error {errors_N[row]} with deviation {deviations_N[row]}",
            where=f"prediction {row}",
            remedy="errors must be finite, deviations finite and above zero",
        )
    return errors_N, deviations_N


def ence(errors_N: Floats, deviations_N: Floats, *, bins: int = BINS) -> float | None:
    """Expected normalised calibration error: how far u is from the error it stands for, where u is alike.

    Predictions are sorted by u into bins of equal number; with RMV = √⟨u²⟩ and RMSE = √⟨r²⟩ in each bin,
    ENCE = (1/B) Σ |RMV - RMSE| / RMV. Source: D. Levi, L. Gispan, N. Giladi, E. Fetaya, Sensors 22, 5540
    (2022). It does not reach 0 for a perfect u: with n predictions in a bin, √(1/πn) is left.

    Returns:
        None where fewer than 10 predictions make no two bins.
    """
    errors_N, deviations_N = checked(errors_N, deviations_N)
    bins = min(bins, len(errors_N) // _FEWEST)
    if bins <= 1:
        return None
    parts = np.array_split(np.argsort(deviations_N, kind="stable"), bins)
    rmv_B = np.array([np.sqrt((deviations_N[part] ** 2).mean()) for part in parts])
    rmse_B = np.array([np.sqrt((errors_N[part] ** 2).mean()) for part in parts])
    return float((np.abs(rmv_B - rmse_B) / rmv_B).mean())


def promised(errors_N: Floats, deviations_N: Floats, scores_K: Floats | None = None) -> Floats:
    """The least probability whose central interval holds the label, for each prediction (N,).

    Args:
        errors_N: label minus prediction.
        deviations_N: standard deviations u.
        scores_K: |r|/u of other predictions, which the intervals are taken from; Gaussian where there are
            none, p = erf(|r| / √2 u).
    """
    from scipy.special import erf

    errors_N, deviations_N = checked(errors_N, deviations_N)
    own_N = np.abs(errors_N) / deviations_N
    if scores_K is None:
        gaussian_N: Floats = erf(own_N / np.sqrt(2))
        return gaussian_N
    return np.searchsorted(np.sort(scores_K), own_N, side="right") / (len(scores_K) + 1)


def area(promised_N: Floats) -> float:
    """Between the fraction of labels inside central intervals and the fraction promised, p.

    The observed fraction is the empirical distribution function of p, and its distance from the diagonal is
    integrated exactly, without a grid. 0 is perfect, 0.5 the worst. Source: V. Kuleshov, N. Fenner, S. Ermon,
    ICML 80, 2796 (2018); K. Tran et al., Mach. Learn.: Sci. Technol. 1, 025006 (2020).
    """
    edges = np.concatenate([[0.0], np.sort(promised_N), [1.0]])
    observed = np.arange(len(promised_N) + 1) / len(promised_N)
    upper, lower = edges[1:] - observed, edges[:-1] - observed
    return float((upper * np.abs(upper) - lower * np.abs(lower)).sum() / 2)


def miscalibration_area(errors_N: Floats, deviations_N: Floats, scores_K: Floats | None = None) -> float:
    """:func:`area` of what is :func:`promised`; 0 is perfect, 0.5 the worst."""
    return area(promised(errors_N, deviations_N, scores_K))


def sharpness(deviations_N: Floats) -> float:
    """√⟨u²⟩, in the unit of u: of two calibrated models the one with less says more.

    Source: K. Tran et al., Mach. Learn.: Sci. Technol. 1, 025006 (2020).
    """
    _, deviations_N = checked(np.zeros(len(deviations_N)), deviations_N)
    return float(np.sqrt((deviations_N**2).mean()))


def negative_log_likelihood(errors_N: Floats, deviations_N: Floats) -> float:
    """⟨½ ln 2πu² + r²/2u²⟩ of Gaussians; depends on the unit of u, so only models of one property compare."""
    errors_N, deviations_N = checked(errors_N, deviations_N)
    terms_N = np.log(2 * np.pi * deviations_N**2) + (errors_N / deviations_N) ** 2
    return float(terms_N.mean() / 2)


def rank_correlation(errors_N: Floats, deviations_N: Floats) -> float | None:
    """Spearman's correlation of |r| and u: whether larger errors are expected where they are made.

    Even a perfect u gives far less than 1, because r is random.

    Returns:
        None where all u, or all errors, are the same: there is no order to compare.
    """
    from scipy.stats import spearmanr

    errors_N, deviations_N = checked(errors_N, deviations_N)
    if np.ptp(deviations_N) == 0 or np.ptp(np.abs(errors_N)) == 0:
        return None
    return float(spearmanr(np.abs(errors_N), deviations_N).statistic)


def coverage(errors_N: Floats, widths_N: Floats) -> float:
    """The fraction of labels within ± ``widths_N`` (the unit of the errors) of the prediction."""
    errors_N, widths_N = checked(errors_N, widths_N)
    return float((np.abs(errors_N) <= widths_N).mean())


def judge_deviations(errors_N: Floats, deviations_N: Floats) -> dict[str, float | None]:
    """All metrics at once.

    Args:
        errors_N: label minus prediction (N,).
        deviations_N: predicted standard deviations (N,), the same unit.

    Returns:
        ``ence``, ``miscalibration_area``, ``sharpness`` (that unit), ``spearman``, ``nll``,
        ``within_1_sigma`` (0.683 is right) and ``within_2_sigma`` (0.954).
    """
    return {
        "ence": ence(errors_N, deviations_N),
        "miscalibration_area": miscalibration_area(errors_N, deviations_N),
        "sharpness": sharpness(deviations_N),
        "spearman": rank_correlation(errors_N, deviations_N),
        "nll": negative_log_likelihood(errors_N, deviations_N),
        "within_1_sigma": coverage(errors_N, deviations_N),
        "within_2_sigma": coverage(errors_N, 2 * np.asarray(deviations_N)),
    }
