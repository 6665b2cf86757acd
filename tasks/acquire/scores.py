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
    """By how many deviations each is better than a limit; what has none is certain, NaN stays NaN."""
    ahead_N = sign * (np.asarray(mean_N, float) - limit)
    certain_N = np.where(ahead_N == 0, 0.0, np.copysign(np.inf, ahead_N))
    found: Floats = np.divide(ahead_N, deviation_N, out=certain_N, where=~(np.asarray(deviation_N) <= 0))
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
    """Where the best fraction of all begins: known labels as they are, the others at their means.

    What is no number takes no part; where nothing is one, neither is the limit.
    """
    every = sign * np.concatenate([mean_N, labels_L])
    every = np.sort(every[~np.isnan(every)])[::-1]
    if not len(every):
        return float("nan")
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
