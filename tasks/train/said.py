"""What a model says of samples: a mean, and where it has one a standard deviation."""

# N samples, P properties, M models

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Said:
    """Predictions as the model makes them, before any calibration.

    Attributes:
        mean_NP: predictions (N, P).
        deviation_NP: standard deviations (N, P), above zero; None where the model has none.
        lean_NP: how lopsided they are (N, P), between -1 and 1: upwards a label is ``deviation * (1 + lean)``
            away, downwards ``deviation * (1 - lean)``; None where both are the same.
    """

    mean_NP: Floats
    deviation_NP: Floats | None = None
    lean_NP: Floats | None = None

    def __len__(self) -> int:
        return len(self.mean_NP)

    def times(self, scale_P: Floats, *, plus: Floats) -> Said:
        """The same in another unit: a mean m becomes m * scale + plus."""
        deviation_NP = None if self.deviation_NP is None else self.deviation_NP * scale_P
        return Said(mean_NP=self.mean_NP * scale_P + plus, deviation_NP=deviation_NP, lean_NP=self.lean_NP)

    def of(self, rows_N: NDArray[np.int64]) -> Said:
        """What is said of some of the samples."""
        return Said(
            mean_NP=self.mean_NP[rows_N],
            deviation_NP=None if self.deviation_NP is None else self.deviation_NP[rows_N],
            lean_NP=None if self.lean_NP is None else self.lean_NP[rows_N],
        )


def joined_in_turn(parts: Sequence[Said]) -> Said:
    """What was said of some samples, then of others, by one model: of all of them."""

    def rows(found: Sequence[Floats | None]) -> Floats | None:
        there = [each for each in found if each is not None]
        return np.concatenate(there) if there else None

    return Said(
        mean_NP=np.concatenate([part.mean_NP for part in parts]),
        deviation_NP=rows([part.deviation_NP for part in parts]),
        lean_NP=rows([part.lean_NP for part in parts]),
    )


def of_all_members(said_M: Sequence[Said]) -> Said:
    """What M models say together of the same samples.

    The mean is that of the means; the variance is, by the law of total variance, the mean of their variances
    plus the variance of their means: that of the mixture with equal weights. Source: B. Lakshminarayanan,
    A. Pritzel, C. Blundell, NeurIPS 30, 6402 (2017), section 2.4. One model without a deviation has none.

    Args:
        said_M: of models with the same kind of head.
    """
    means_MNP = np.stack([said.mean_NP for said in said_M])
    variance_NP = means_MNP.var(axis=0)
    own = [said.deviation_NP for said in said_M if said.deviation_NP is not None]
    lean_NP = None
    if own:
        own_MNP = np.stack(own)
        variance_NP = variance_NP + (own_MNP**2).mean(axis=0)
        leans = [said.lean_NP for said in said_M if said.lean_NP is not None]
        # What the models disagree on leans to neither side.
        inside_NP = np.sqrt((own_MNP**2).mean(axis=0) / np.maximum(variance_NP, np.finfo(float).tiny))
        lean_NP = (np.stack(leans) * own_MNP).sum(axis=0) / own_MNP.sum(axis=0) * inside_NP if leans else None
    elif len(said_M) == 1:
        return said_M[0]
    return Said(mean_NP=means_MNP.mean(axis=0), deviation_NP=np.sqrt(variance_NP), lean_NP=lean_NP)
