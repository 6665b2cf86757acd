"""A Gaussian process for crystals of one prototype, that differ by which elements are on which sites.

The property is a sum of what each site, each pair of sites, and so on up to all of them add to it (an
analysis of variance, N. Durrande et al., J. Multivar. Anal. 115, 57 (2013)). Two elements on a site are alike
where their properties are, by a Gaussian kernel of Magpie's table, and a little more where they are the same.
Lengths and variances maximise the marginal likelihood times a broad prior (C. E. Rasmussen, C. K. I.
Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.30); the posterior is eqs. 2.25 and 2.26.
"""

# N labelled crystals, M crystals asked about, S sites, K different occupations of a site, V subsets of sites

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

WIDTH: Final = 1.5
"""Standard deviation of the prior of the logarithms of lengths and variances."""
_STEPS: Final = 20  # of the optimiser, from where the last fit ended
_MOST_SITES: Final = 4  # there are 2^S - 1 subsets


@dataclass(frozen=True, kw_only=True)
class Occupations:
    """Which elements are on which sites.

    Attributes:
        kinds_NS: for each crystal and site the row of its occupation in ``squares`` (N, S).
        squares: for each site squared distances (K, K) between its occupations.
    """

    kinds_NS: Integers
    squares: tuple[Floats, ...]

    def __len__(self) -> int:
        return len(self.kinds_NS)


def occupations(sites: Sequence[Sequence[tuple[int, ...]]]) -> Occupations:
    """Describe the occupations of all crystals there are, labelled or not.

    Args:
        sites: for each crystal and site the atomic numbers on it, in any order.

    Raises:
        InputError: there are no crystals, too many sites, or crystals differ in their number.
    """
    from zonemelt.tasks.featurize.magpie import elements

    counts = {len(one) for one in sites}
    if len(counts) != 1 or not 1 <= (size := counts.pop()) <= _MOST_SITES:
        raise InputError(
            f"crystals of {', '.join(map(str, sorted({len(one) for one in sites}))) or 'no'} sites",
            where="sites",
            remedy=f"give crystals of one prototype, of 1 to {_MOST_SITES} sites",
        )
    _, raw = elements()
    known = np.where(np.isnan(raw), np.nanmean(raw, axis=0), raw)
    columns, squares = [], []
    for site in range(size):
        own = [tuple(sorted(one[site])) for one in sites]
        kinds = sorted(set(own))
        place = {kind: row for row, kind in enumerate(kinds)}
        columns.append([place[kind] for kind in own])
        described = np.array([known[list(kind)].mean(axis=0) for kind in kinds])
        present = known[sorted({number for kind in kinds for number in kind})]
        width = present.std(axis=0)
        described = described[:, width > 0] / width[width > 0] / np.sqrt(max(int((width > 0).sum()), 1))
        squares.append(((described[:, None] - described[None]) ** 2).sum(axis=2))
    return Occupations(kinds_NS=np.array(columns).T, squares=tuple(squares))


@dataclass(frozen=True, kw_only=True)
class SiteProcess:
    """A fitted process; see :func:`fit`."""

    known: Occupations
    rows_N: Integers
    y_N: Floats
    logarithms: Floats

    def predict(self, rows_M: Integers) -> tuple[Floats, Floats]:
        """Mean and standard deviation (M,) of the property of crystals, in its unit, without noise."""
        from scipy.linalg import solve_triangular

        centre, width = float(self.y_N.mean()), float(self.y_N.std()) or 1.0
        kernel = _Kernel(self.known, self.logarithms)
        factor = _factor(kernel, self.rows_N)
        half_NM = solve_triangular(factor, kernel(self.rows_N, rows_M), lower=True)
        half_N = solve_triangular(factor, (self.y_N - centre) / width, lower=True)
        variance_M = float(kernel.variances_V.sum()) - (half_NM**2).sum(axis=0)
        mean_M: Floats = half_NM.T @ half_N * width + centre
        return mean_M, np.sqrt(np.maximum(variance_M, 1e-9)) * width


def fit(
    known: Occupations, rows_N: Integers, y_N: Floats, *, start: SiteProcess | None = None, most: int = 400
) -> SiteProcess:
    """Learn lengths and variances from labels.

    Args:
        known: the occupations of all crystals there are.
        rows_N: which of them are labelled.
        y_N: their labels.
        start: an earlier fit to begin from.
        most: labels that lengths and variances are learned from: the last; the posterior has all.

    Raises:
        InputError: there are fewer than two labels, or one is not finite.
    """
    from scipy.optimize import minimize

    y_N = np.asarray(y_N, dtype=np.float64)
    if len(y_N) < 2 or not np.isfinite(y_N).all():  # noqa: PLR2004  one has no variance
        raise InputError(
            f"{len(y_N)} labels, of which {int(np.isfinite(y_N).sum())} are finite", where="labels",
            remedy="give two or more that are",
        )  # fmt: skip
    prior = _prior(known.kinds_NS.shape[1])
    some = slice(-most, None)
    scaled = (y_N[some] - y_N[some].mean()) / (y_N[some].std() or 1.0)

    def loss(logarithms: Floats) -> float:
        from scipy.linalg import solve_triangular

        try:
            factor = _factor(_Kernel(known, logarithms), rows_N[some])
        except np.linalg.LinAlgError:
            return 1e10
        half = solve_triangular(factor, scaled, lower=True)
        away = float((((logarithms - prior) / WIDTH) ** 2).sum())
        return float(0.5 * half @ half + np.log(factor.diagonal()).sum() + 0.5 * away)

    begun = prior if start is None else start.logarithms
    found: Any = minimize(loss, begun, method="L-BFGS-B", options={"maxiter": _STEPS})
    return SiteProcess(known=known, rows_N=rows_N, y_N=y_N, logarithms=found.x)


class _Kernel:
    """The covariance of crystals, from the logarithms of its parameters."""

    def __init__(self, known: Occupations, logarithms: Floats) -> None:
        sites = len(known.squares)
        values = np.exp(logarithms)
        self.kinds_NS = known.kinds_NS
        self.subsets = _subsets(sites)
        self.variances_V, self.noise = values[2 * sites : -1], float(values[-1])
        self.tables = [
            (np.exp(-0.5 * squares / values[site] ** 2) + values[sites + site] * np.eye(len(squares)))
            / (1 + values[sites + site])
            for site, squares in enumerate(known.squares)
        ]

    def __call__(self, rows_N: Integers, rows_M: Integers) -> Floats:
        """Covariances (N, M), in units of the variance of the labels."""
        alike = [
            table[np.ix_(self.kinds_NS[rows_N, site], self.kinds_NS[rows_M, site])]
            for site, table in enumerate(self.tables)
        ]
        total: Floats = np.zeros((len(rows_N), len(rows_M)))
        for variance, subset in zip(self.variances_V, self.subsets, strict=True):
            product = variance * alike[subset[0]]
            for site in subset[1:]:
                product *= alike[site]
            total += product
        return total


def _factor(kernel: _Kernel, rows_N: Integers) -> Floats:
    noisy = kernel(rows_N, rows_N) + kernel.noise * np.eye(len(rows_N))
    return np.asarray(np.linalg.cholesky(noisy), dtype=np.float64)


def _subsets(sites: int) -> list[tuple[int, ...]]:
    return [some for size in range(1, sites + 1) for some in combinations(range(sites), size)]


def _prior(sites: int) -> Floats:
    """Lengths of 1, the same element 0.3 nearer than that, variances of 0.3 each, noise of 0.01."""
    subsets = len(_subsets(sites))
    found: Floats = np.log(np.array([1.0] * sites + [0.3] * (sites + subsets) + [0.01]))
    return found
