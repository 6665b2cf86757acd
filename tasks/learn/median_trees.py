"""A forest that can answer with the median of its trees instead of their mean.

The mean absolute error is least for the median of what a label can be, not for its mean: where half of the
labels are exactly zero (band gaps), the mean of a forest is never zero and the median is. Trees grown to
their last row give one label each, a sample of the conditional distribution: N. Meinshausen, J. Mach.
Learn. Res. 7, 983 (2006).
"""

# M rows asked about, F columns, T trees

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from zonemelt.tasks.errors import UnknownKeyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CENTRES = ("mean", "median")


class CentredExtraTrees(ExtraTreesRegressor):  # type: ignore[misc]
    """Extremely randomised trees whose predictions are their mean or their median.

    Args:
        n_estimators: trees.
        min_samples_leaf: rows in a leaf, at least.
        max_features: fraction of the columns that each split looks at.
        centre: ``mean`` or ``median``.
        random_state: seed.
    """

    def __init__(
        self,
        n_estimators: int = 200,
        *,
        min_samples_leaf: int = 1,
        max_features: float = 1.0,
        centre: str = "mean",
        random_state: int | None = None,
    ) -> None:
        super().__init__(
            n_estimators,
            min_samples_leaf=min_samples_leaf,
            max_features=max_features,
            random_state=random_state,
        )
        self.centre = centre

    def fit(self, x_NF: NDArray[np.float64], y_N: NDArray[np.float64]) -> Any:
        """Grow the trees.

        Raises:
            UnknownKeyError: ``centre`` is neither of the two.
        """
        if self.centre not in CENTRES:
            raise UnknownKeyError.of(self.centre, CENTRES, where="extra_trees, centre")
        return super().fit(x_NF, y_N)

    def predict(self, x_MF: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean or median (M) of the trees."""
        if self.centre == "mean":
            mean_M: NDArray[np.float64] = super().predict(x_MF)
            return mean_M
        x_MF = np.asarray(x_MF, dtype=np.float32)
        median_M: NDArray[np.float64] = np.median([tree.predict(x_MF) for tree in self.estimators_], axis=0)
        return median_M
