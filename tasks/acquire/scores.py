"""How much a label is worth: for finding the best, from predicted means and standard deviations.

``sign`` is -1 where the lowest values are wanted and +1 where the highest are. All scores grow with the worth
of a label. Means, deviations and labels share one unit.
"""

# N candidates, L labels

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _standardised(mean_N: Floats, deviation_N: Floats, limit: float, sign: int) -> Floats:
    """By how many deviations each is better than a limit; what has no deviation is certain."""
    ahead_N = sign * (np.asarray(mean_N, float) - limit)
    certain_N = np.where(ahead_N == 0, 0.0, np.copysign(np.inf, ahead_N))
    found: Floats = np.divide(ahead_N, deviation_N, out=certain_N, where=np.asarray(deviation_N) > 0)
    return found


def expected_improvement(mean_N: Floats, deviation_N: Floats, *, best: float, sign: int = -1) -> Floats:
    """By how much a label is expected to be better than the best one known, in its unit (N,).

    u φ(z) + (better) Φ(z) with z = better / u: D. R. Jones, M. Schonlau, W. J. Welch, J. Global Optim. 13,
    455 (1998), eq. 15.
    """
    from scipy.stats import norm

    ahead_N = sign * (np.asarray(mean_N, float) - best)
    z_N = _standardised(mean_N, deviation_N, best, sign)
    found: Floats = ahead_N * norm.cdf(z_N) + deviation_N * norm.pdf(z_N)
    return found


def confidence_bound(mean_N: Floats, deviation_N: Floats, *, beta: float = 1.0, sign: int = -1) -> Floats:
    """What a candidate may be worth if one is optimistic by ``beta`` deviations (N,), times the sign.

    Upper confidence bounds: N. Srinivas et al., ICML 27, 1015 (2010), eq. 6 with a constant β.
    """
    bound_N: Floats = sign * np.asarray(mean_N, float) + beta * np.asarray(deviation_N, float)
    return bound_N


def probability_beyond(mean_N: Floats, deviation_N: Floats, *, limit: float, sign: int = -1) -> Floats:
    """The probability that a label is better than a limit (N,): of stability, for energies above the hull."""
    from scipy.stats import norm

    found: Floats = norm.cdf(_standardised(mean_N, deviation_N, limit, sign))
    return found


def limit_of_best(mean_N: Floats, labels_L: Floats, *, fraction: float, sign: int = -1) -> float:
    """Where the best fraction of all begins: known labels as they are, the others at their means."""
    every = np.sort(sign * np.concatenate([mean_N, labels_L]))[::-1]
    count = max(1, round(fraction * len(every)))
    return float(sign * every[count - 1])


def probability_of_best(
    mean_N: Floats, deviation_N: Floats, labels_L: Floats, *, fraction: float, sign: int = -1
) -> Floats:
    """The probability of being among the best fraction of all candidates, labelled or not (N,)."""
    limit = limit_of_best(mean_N, labels_L, fraction=fraction, sign=sign)
    return probability_beyond(mean_N, deviation_N, limit=limit, sign=sign)


def distances(features_NF: Floats, known_MF: Floats) -> Floats:
    """Euclidean distance of each row to the nearest known one (N,); infinite where none is known."""
    from scipy.spatial import cKDTree

    if not len(known_MF):
        return np.full(len(features_NF), np.inf)
    found: Floats = cKDTree(known_MF).query(features_NF)[0]
    return found


def leverages(rows_NF: Floats, known_FF: Floats, *, ridge: float = 1e-8) -> Floats:
    """x' (A + λ)⁻¹ x of each row (N,): the variance of a linear model there, without the noise's.

    Args:
        rows_NF: features.
        known_FF: A, the sum of x x' over what is labelled.
        ridge: λ, in units of the mean of the diagonal of A.
    """
    scale = float(np.trace(known_FF)) / len(known_FF) or 1.0
    factor = np.linalg.cholesky(known_FF + ridge * scale * np.eye(len(known_FF)))
    solved = np.linalg.solve(factor, rows_NF.T)
    found: Floats = (solved**2).sum(axis=0)
    return found


def ranks(values_N: Floats) -> Floats:
    """Ranks from 0 for the smallest to 1 for the largest (N,): scores of different units side by side."""
    from scipy.stats import rankdata

    ranks_N: Floats = rankdata(values_N, method="average")
    return (ranks_N - 1) / max(len(values_N) - 1, 1)
