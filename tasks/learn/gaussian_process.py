"""Gaussian-process regression of an energy per atom on averaged atomic features.

The kernel is a constant times one plus the inner product of scaled features, a Bayesian linear
regression (with features that are means over atoms: a model of atomic energies), plus a radial
kernel for what is not linear. Hyperparameters maximise the marginal likelihood (Rasmussen and
Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.30); the posterior is eqs. 2.25, 2.26.
"""

# N training crystals, M crystals asked about, F features

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONSTANT: Final = 1e-6  # of the largest deviation: a feature that varies less is constant


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Of the kernel ``linear (1 + x·x') + radial exp(-|x-x'|²/2 length²)``.

    Variances are in units of the variance of the target.
    """

    linear: float
    radial: float
    length: float
    noise: float


@dataclass(frozen=True)
class GaussianProcess:
    """A trained model. Energies are eV/atom."""

    x_NF: Floats  # scaled features
    y_N: Floats  # eV/atom
    centre_F: Floats
    weight_F: Floats
    hyper: Hyperparameters

    def predict(self, features_MF: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (M) of the noiseless energy, eV/atom."""
        mean, covariance = self.posterior(features_MF)
        return mean, np.sqrt(np.clip(covariance.diagonal(), 0.0, None))

    def posterior(self, features_MF: Floats) -> tuple[Floats, Floats]:
        """Mean (M), eV/atom, and covariance (M, M), eV²/atom²."""
        x_MF = (features_MF - self.centre_F) * self.weight_F
        cross_NM = kernel(self.x_NF, x_MF, self.hyper)
        weights_NM = np.linalg.solve(self._factor_NN, cross_NM)
        mean_M = weights_NM.T @ self._alpha_N * self._width + self.y_N.mean()
        prior_MM = kernel(x_MF, x_MF, self.hyper)
        return mean_M, (prior_MM - weights_NM.T @ weights_NM) * self._width**2

    @property
    def noise(self) -> float:
        """Standard deviation of the noise, eV/atom."""
        return float(np.sqrt(self.hyper.noise) * self._width)

    @cached_property
    def _width(self) -> float:
        return float(self.y_N.std())

    @cached_property
    def _factor_NN(self) -> Floats:
        gram_NN = kernel(self.x_NF, self.x_NF, self.hyper)
        noisy_NN = gram_NN + self.hyper.noise * np.eye(len(self.y_N))
        return np.asarray(np.linalg.cholesky(noisy_NN), dtype=np.float64)

    @cached_property
    def _alpha_N(self) -> Floats:
        return np.linalg.solve(self._factor_NN, (self.y_N - self.y_N.mean()) / self._width)


def scaling(features_NF: Floats) -> tuple[Floats, Floats]:
    """Centre (F) and weights (F) that give every feature a variance of 1/F; constant ones get 0."""
    deviation_F = features_NF.std(axis=0)
    varies_F = deviation_F > CONSTANT * deviation_F.max()
    weight_F = np.zeros_like(deviation_F)
    weight_F[varies_F] = 1 / (deviation_F[varies_F] * np.sqrt(varies_F.sum()))
    return features_NF.mean(axis=0), weight_F


def kernel(a_NF: Floats, b_MF: Floats, hyper: Hyperparameters) -> Floats:
    """Kernel matrix (N, M), dimensionless."""
    squared = ((a_NF[:, None, :] - b_MF[None, :, :]) ** 2).sum(axis=2)
    radial: Floats = hyper.radial * np.exp(-squared / (2 * hyper.length**2))
    return hyper.linear * (1.0 + a_NF @ b_MF.T) + radial


def fit(
    features_NF: Floats,
    energies_N: Floats,
    *,
    centre_F: Floats,
    weight_F: Floats,
    seed: int,
    radial: bool = True,
) -> GaussianProcess:
    """Train on N crystals.

    Args:
        features_NF: features.
        energies_N: targets, eV/atom.
        centre_F: origin of the features; taken from candidates, whose features need no label.
        weight_F: what multiplies each of them then; see :func:`scaling`.
        seed: of the optimiser's restarts.
        radial: whether to add the radial kernel.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    x_NF = (features_NF - centre_F) * weight_F
    width = energies_N.std()
    linear = ConstantKernel(10.0, (1e-2, 1e8)) * DotProduct(1.0, "fixed")
    shape = linear
    if radial:
        shape = linear + ConstantKernel(1.0, (1e-4, 1e6)) * RBF(2.0, (0.5, 1e2))
    regressor = GaussianProcessRegressor(
        shape + WhiteKernel(1e-3, (1e-6, 1e-1)), n_restarts_optimizer=2, random_state=seed
    )
    with np.errstate(all="ignore"):
        fitted = _quietly(regressor, x_NF, (energies_N - energies_N.mean()) / width)
    found = fitted.kernel_
    return GaussianProcess(
        x_NF=x_NF,
        y_N=energies_N,
        centre_F=centre_F,
        weight_F=weight_F,
        hyper=Hyperparameters(
            linear=float((found.k1.k1 if radial else found.k1).k1.constant_value),
            radial=float(found.k1.k2.k1.constant_value) if radial else 0.0,
            length=float(found.k1.k2.k2.length_scale) if radial else 1.0,
            noise=float(found.k2.noise_level),
        ),
    )


def _quietly(regressor: Any, x_NF: Floats, y_N: Floats) -> Any:
    """Fit; a hyperparameter at its bound is an answer here, not a warning."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return regressor.fit(x_NF, y_N)
