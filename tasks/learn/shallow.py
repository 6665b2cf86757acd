"""The classical models: each a scikit-learn pipeline from raw features to a property, and what to try of it.

Whatever is learned from data (what fills gaps, which columns vary, means and widths of features and of the
target) is a step of the pipeline, so that cross-validation fits it to training rows only. Features are
scaled for all families: trees do not mind, the others need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = float | int | str | tuple[int, ...] | None
Settings = Mapping[str, Value]
Grid = Mapping[str, tuple[Value, ...]]
MODEL: Final = "regressor__model__"  # what comes before a setting of the model within the pipeline
MISSING: Final = ("refuse", "median", "mean")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of models.

    Attributes:
        about: what it is, for people.
        make: a regressor of scikit-learn, given a seed.
        grid: settings to try, by name.
        deviations: where its standard deviations come from: ``trees``, ``posterior``, or ``residuals`` where
            it has none of its own and the errors on left-out training rows stand for all.
        extrapolates: whether its predictions grow without bound with the features, which are then clipped at
            ``FARTHEST``: a magnetic moment that is zero but for rounding in all training rows would
            otherwise turn a magnet among the test rows into a prediction of thousands of eV.
    """

    about: str
    make: Callable[[int], Any]
    grid: Grid
    deviations: str = "residuals"
    extrapolates: bool = False


FARTHEST: Final = 10.0  # deviations of a column: as far as a model that extrapolates is trusted


def _linear(_seed: int) -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _lasso(_seed: int) -> Any:
    from sklearn.linear_model import Lasso

    return Lasso(alpha=0.01, max_iter=20_000)


def _ridge(_seed: int) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _kernel_ridge(_seed: int) -> Any:
    from sklearn.kernel_ridge import KernelRidge

    return KernelRidge(kernel="laplacian", alpha=0.1)


def _svr(_seed: int) -> Any:
    from sklearn.svm import SVR

    return SVR(epsilon=0.05, cache_size=500)


def _knn(_seed: int) -> Any:
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(weights="distance")


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(200, random_state=seed)


def _extra_trees(seed: int) -> Any:
    from zonemelt.tasks.learn.median_trees import CentredExtraTrees

    return CentredExtraTrees(200, random_state=seed)


def _gradient_boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=300, learning_rate=0.05, max_features=0.3, early_stopping=False, random_state=seed
    )


def _gaussian_process(seed: int) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    shape = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(5.0, (1e-1, 1e3)) + WhiteKernel(0.1, (1e-4, 1e1))
    return GaussianProcessRegressor(shape, random_state=seed)


def _mlp(seed: int) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(max_iter=300, learning_rate_init=2e-3, random_state=seed)


_TREES: Final[Grid] = {"min_samples_leaf": (1, 2), "max_features": (0.3, 1.0)}

FAMILIES: Final[Mapping[str, Family]] = {
    "linear": Family(about="least squares", make=_linear, grid={}, extrapolates=True),
    "lasso": Family(
        about="least squares with few columns (L1)",
        make=_lasso,
        grid={"alpha": (0.001, 0.003, 0.01, 0.03, 0.1)},
        extrapolates=True,
    ),
    "ridge": Family(
        about="least squares with small weights (L2)",
        make=_ridge,
        grid={"alpha": (0.1, 1.0, 10.0, 100.0, 1000.0)},
        extrapolates=True,
    ),
    "kernel_ridge": Family(
        about="ridge regression in the space of a kernel",
        make=_kernel_ridge,
        grid={"gamma": (0.001, 0.003, 0.01), "alpha": (0.03, 0.3)},
    ),
    "svr": Family(
        about="support vectors, radial kernel",
        make=_svr,
        grid={"C": (1.0, 10.0, 100.0), "gamma": ("scale", 0.001)},
    ),
    "knn": Family(
        about="mean of the nearest neighbours",
        make=_knn,
        grid={"n_neighbors": (2, 4, 8, 16), "p": (1, 2)},
    ),
    "random_forest": Family(
        about="trees on resampled rows", make=_random_forest, grid=_TREES, deviations="trees"
    ),
    "extra_trees": Family(
        about="trees with random thresholds, their mean or median",
        make=_extra_trees,
        grid={**_TREES, "centre": ("mean", "median")},
        deviations="trees",
    ),
    "gradient_boosting": Family(
        about="trees that correct each other (histograms)",
        make=_gradient_boosting,
        grid={"max_leaf_nodes": (8, 31), "min_samples_leaf": (5, 20)},
    ),
    "gaussian_process": Family(
        about="Gaussian process, Matérn kernel, marginal likelihood",
        make=_gaussian_process,
        grid={"kernel__k1__k2__nu": (0.5, 1.5, 2.5)},
        deviations="posterior",
    ),
    "mlp": Family(
        about="multilayer perceptron",
        make=_mlp,
        grid={"hidden_layer_sizes": ((64,), (128, 64)), "alpha": (0.01, 1.0)},
        extrapolates=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One entry of a benchmark.

    Attributes:
        name: what it is called in the results.
        family: a key of ``FAMILIES``.
        blocks: names of the blocks of columns it sees; empty for all columns.
        settings: that replace the family's own.
        grid: to try instead of the family's; empty to try nothing.
        missing: what is done about NaN in features: ``refuse``, or fill with the ``median`` or ``mean`` of
            the column in the training rows.
    """

    name: str
    family: str
    blocks: tuple[str, ...] = ()
    settings: Settings | None = None
    grid: Grid | None = None
    missing: str = "refuse"

    @classmethod
    def of(cls, document: Mapping[str, Any] | str) -> ModelSpec:
        """From plain data, or from the name of a family alone.

        Raises:
            UnknownKeyError: no such key, family, setting, or way with gaps.
            InputError: the family is missing, or a setting has nothing to try.
        """
        given: dict[str, Any] = {"family": document} if isinstance(document, str) else dict(document)
        for key in given:
            if key not in cls.__dataclass_fields__:
                raise UnknownKeyError.of(key, cls.__dataclass_fields__, where="model")
        if "family" not in given:
            raise InputError("the model has no family", where=f"model {given}", remedy="add 'family'")
        grid = given.get("grid")
        for key, values in (grid or {}).items():
            if not isinstance(values, list | tuple):
                raise InputError(
                    f"{values!r} is no list", where=f"model {given['family']}, grid, {key}",
                    remedy=f"give the values to try, such as [{values!r}], or set it by 'settings'",
                )  # fmt: skip
        spec = cls(
            name=given.get("name", given["family"]),
            family=given["family"],
            blocks=tuple(given.get("blocks", ())),
            settings={key: _value(value) for key, value in (given.get("settings") or {}).items()},
            grid=None if grid is None else {key: tuple(map(_value, values)) for key, values in grid.items()},
            missing=given.get("missing", "refuse"),
        )
        spec.pipeline(seed=0)
        return spec

    @property
    def tried(self) -> Grid:
        """The settings to try."""
        return FAMILIES[self.family].grid if self.grid is None else self.grid

    @property
    def deviations(self) -> str:
        """Where its standard deviations come from; see :class:`Family`."""
        return FAMILIES[self.family].deviations

    def pipeline(self, *, seed: int) -> Any:
        """The model, not fitted: fill gaps, drop constant columns, scale, fit the scaled target.

        Raises:
            UnknownKeyError: no such family, setting, or way with gaps.
            InputError: a setting has nothing to try.
        """
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.feature_selection import VarianceThreshold
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        if self.family not in FAMILIES:
            raise UnknownKeyError.of(self.family, FAMILIES, where=f"model {self.name}, family")
        if self.missing not in MISSING:
            raise UnknownKeyError.of(self.missing, MISSING, where=f"model {self.name}, missing")
        model = FAMILIES[self.family].make(seed)
        known = model.get_params()
        for key in [*(self.settings or {}), *self.tried]:
            if key not in known:
                raise UnknownKeyError.of(key, known, where=f"model {self.name}, settings of {self.family}")
        for key, values in self.tried.items():
            if not values:
                raise InputError(
                    "nothing to try", where=f"model {self.name}, grid, {key}", remedy="give values"
                )
        model.set_params(**(self.settings or {}))
        filled = (
            []
            if self.missing == "refuse"
            else [("fill", SimpleImputer(strategy=self.missing, keep_empty_features=True))]
        )
        near = FunctionTransformer(np.clip, kw_args={"a_min": -FARTHEST, "a_max": FARTHEST})
        steps = [
            *filled,
            ("varying", VarianceThreshold()),
            ("scale", StandardScaler()),
            *([("near", near)] if FAMILIES[self.family].extrapolates else []),
            ("model", model),
        ]
        return TransformedTargetRegressor(regressor=Pipeline(steps), transformer=StandardScaler())


def _value(value: Any) -> Value:
    """JSON has lists where scikit-learn wants tuples."""
    return tuple(value) if isinstance(value, list) else value
