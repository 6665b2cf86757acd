"""Batches whose members tell different things: greedy choices that look at what is chosen already."""

# N candidates, M known rows, F features, K weights of a linear model, R rows of a candidate

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.acquire.likeness import Covariance

    Floats = NDArray[np.float64]


_FRESH = 25  # gains of each round of v_optimal that are computed anew at least


def farthest_points(features_NF: Floats, *, count: int, known_MF: Floats | None = None) -> list[int]:
    """Pick again and again what is farthest from all that is known or picked.

    The largest distance of any candidate to its nearest pick is at most twice the least possible: T. F.
    Gonzalez, Theor. Comput. Sci. 38, 293 (1985). With nothing known, the one nearest to the mean is first.

    Args:
        features_NF: of the candidates; distances are Euclidean.
        count: how many to pick.
        known_MF: features of what is labelled.
    """
    from zonemelt.tasks.acquire.scores import distances

    count = min(count, len(features_NF))
    if count <= 0:
        return []
    if known_MF is None or not len(known_MF):
        away_N = np.linalg.norm(features_NF - features_NF.mean(axis=0), axis=1)
        picked = [int(away_N.argmin())]
        nearest_N = np.linalg.norm(features_NF - features_NF[picked[0]], axis=1)
    else:
        picked, nearest_N = [], distances(features_NF, known_MF)
    nearest_N[picked] = -1.0
    while len(picked) < count:
        best = int(nearest_N.argmax())
        picked.append(best)
        nearest_N = np.minimum(nearest_N, np.linalg.norm(features_NF - features_NF[best], axis=1))
        nearest_N[picked] = -1.0
    return picked


def conditional_variance(covariance_NN: Covariance, *, noise: float, count: int) -> list[int]:
    """Pick the candidate of largest variance, condition on its label, and pick again.

    The variance of a Gaussian does not depend on the label, so conditioning is exact before it is known. A
    pivoted Cholesky decomposition: each pick costs one row of it.

    Args:
        covariance_NN: of the candidates' predictions; a matrix will do.
        noise: standard deviation of a label, in the unit of the predictions.
        count: how many to pick.
    """
    count = min(count, len(covariance_NN))
    variance_N: Floats = np.array(covariance_NN.diagonal(), dtype=np.float64)
    least = 1e-15 * float(variance_N.max(initial=0.0))
    factor_PN = np.zeros((count, len(variance_N)))
    picked: list[int] = []
    for place in range(count):
        open_N = variance_N.copy()
        open_N[picked] = -np.inf
        best = int(open_N.argmax())
        picked.append(best)
        row_N = covariance_NN[best] - factor_PN[:place, best] @ factor_PN[:place]
        factor_PN[place] = row_N / np.sqrt(max(variance_N[best], 0.0) + noise**2 + least + 1e-300)
        variance_N -= factor_PN[place] ** 2
    return picked


def d_optimal(blocks: Sequence[Floats], known_KK: Floats, *, count: int) -> list[int]:
    """Pick what shrinks the volume of a linear model's possible weights most: the determinant grows.

    The gain of a candidate is ln det(A + X'X) - ln det A. It only shrinks as others are picked (it is
    submodular), so that a gain computed earlier is a bound and most need not be computed again (M. Minoux,
    1978), and the greedy batch has at least 1 - 1/e of the best gain (G. L. Nemhauser, L. A. Wolsey, M. L.
    Fisher, Math. Program. 14, 265 (1978)).

    Args:
        blocks: the rows X (R, K) of each candidate: what weights are multiplied with to give its labels, in
            units of the labels' noise.
        known_KK: A, the sum of X'X over what is labelled, with the prior (a ridge): positive definite.
        count: how many to pick.
    """
    information = np.array(known_KK, dtype=np.float64)
    inverse = _inverse(information)
    heap = [(-gain(block, information, inverse), place) for place, block in enumerate(blocks)]
    heapq.heapify(heap)
    picked: list[int] = []
    fresh: set[int] = {place for _, place in heap}
    while heap and len(picked) < count:
        _, place = heapq.heappop(heap)
        if place in fresh:
            picked.append(place)
            information += blocks[place].T @ blocks[place]
            inverse = _inverse(information)
            fresh = set()
        else:
            heapq.heappush(heap, (-gain(blocks[place], information, inverse), place))
            fresh.add(place)
    return picked


def v_optimal(blocks: Sequence[Floats], known_KK: Floats, target_KK: Floats, *, count: int) -> list[int]:
    """Pick what lowers the mean variance of a linear model most, over all that it is to predict.

    V-optimality (A. C. Atkinson, A. N. Donev, R. D. Tobias, Optimum Experimental Designs, with SAS, 2007):
    the trace of (A + X'X)⁻¹ S falls most. A determinant weighs all directions alike, and spends labels on
    those that hardly anything points in; here they count as much as they occur. Of each round at least 25
    gains are computed anew, the largest of the round before first; the others stand.

    Args:
        blocks: see :func:`d_optimal`.
        known_KK: A, see there.
        target_KK: S, the sum of squares of the rows of what is to be predicted.
        count: how many to pick.
    """
    information = np.array(known_KK, dtype=np.float64)
    bounds = np.full(len(blocks), np.inf)
    picked: list[int] = []
    while len(picked) < min(count, len(blocks)):
        inverse = _inverse(information)
        inside = inverse @ target_KK @ inverse
        best, worth = -1, -np.inf
        for looked, place in enumerate(np.argsort(-bounds, kind="stable").tolist()):
            if bounds[place] == -np.inf or (looked >= _FRESH and bounds[place] <= worth):
                break
            block = blocks[place]
            smaller = np.eye(len(block)) + block @ inverse @ block.T
            bounds[place] = float(np.trace(np.linalg.solve(smaller, block @ inside @ block.T)))
            if bounds[place] > worth:
                best, worth = place, float(bounds[place])
        picked.append(best)
        bounds[best] = -np.inf
        information += blocks[best].T @ blocks[best]
    return picked


def gain(block_RK: Floats, information_KK: Floats, inverse_KK: Floats | None = None) -> float:
    """ln det(A + X'X) - ln det A: twice the information, in nats, of the labels of X on the weights."""
    if len(block_RK) >= len(information_KK):
        after = np.linalg.slogdet(information_KK + block_RK.T @ block_RK)[1]
        return float(after - np.linalg.slogdet(information_KK)[1])
    inverse_KK = _inverse(information_KK) if inverse_KK is None else inverse_KK
    inside = np.eye(len(block_RK)) + block_RK @ inverse_KK @ block_RK.T
    return float(np.linalg.slogdet(inside)[1])


def _inverse(matrix_KK: Floats) -> Floats:
    raw_KK = np.linalg.inv(matrix_KK)
    found: Floats = 0.5 * (raw_KK + raw_KK.T)
    return found
