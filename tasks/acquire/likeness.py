"""How unsure a model is of two candidates that are alike: a covariance whose rows are made when asked for."""

# N candidates, F features

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LOOKED_AT: Final = 2000  # candidates whose distances are looked at for the usual one: 16 MB


class Covariance(Protocol):
    """What is asked of a covariance: its size, its diagonal, and one row after the other."""

    def __len__(self) -> int:
        """N."""

    def diagonal(self) -> Floats:
        """The variances (N,)."""

    def __getitem__(self, row: int, /) -> Floats:
        """One row (N,)."""


@dataclass(frozen=True, kw_only=True)
class SpreadKernel:
    """Spread times spread times likeness: large where a committee is unsure of two that are alike.

    Choosing by its conditional variance weighs the worth of candidates against their likeness as a
    determinantal point process does (A. Kulesza, B. Taskar, Found. Trends Mach. Learn. 5, 123 (2012),
    section 3.1). The likeness is a Gaussian of the distance.

    Attributes:
        spread_N: of each candidate.
        features_NF: distances between rows are meaningful.
        length: of the Gaussian, in the unit of the features.
    """

    spread_N: Floats
    features_NF: Floats
    length: float

    def __len__(self) -> int:
        return len(self.spread_N)

    def diagonal(self) -> Floats:
        """The variances (N,): the squares of the spreads."""
        return self.spread_N**2

    def __getitem__(self, row: int) -> Floats:
        """One row (N,)."""
        away_N = np.linalg.norm(self.features_NF - self.features_NF[row], axis=1)
        found: Floats = self.spread_N[row] * np.exp(-0.5 * (away_N / self.length) ** 2) * self.spread_N
        return found

    def take(self, rows: NDArray[np.int64]) -> SpreadKernel:
        """That of some of the candidates, in this order."""
        return SpreadKernel(
            spread_N=self.spread_N[rows], features_NF=self.features_NF[rows], length=self.length
        )


def kernel_of_spread(spread_N: Floats, features_NF: Floats) -> SpreadKernel:
    """The kernel whose length is the median distance; of many candidates that of some, evenly chosen.

    Args:
        spread_N: what is no number counts as 0.
        features_NF: of the candidates.
    """
    from scipy.spatial.distance import pdist

    step = max(1, -(-len(features_NF) // _LOOKED_AT))
    flat = pdist(features_NF[::step])
    length = float(np.median(flat)) if len(flat) else 1.0
    return SpreadKernel(spread_N=np.nan_to_num(spread_N), features_NF=features_NF, length=length or 1.0)


def taken(covariance: Covariance, rows: Sequence[int] | NDArray[np.int64]) -> Covariance:
    """A covariance of some of the candidates, in this order."""
    index = np.asarray(rows, np.int64)
    if isinstance(covariance, np.ndarray):
        found: Floats = covariance[np.ix_(index, index)]
        return found
    assert isinstance(covariance, SpreadKernel)
    return covariance.take(index)
