"""What the numbers of a network mean: a value, a Gaussian, quantiles, or evidence for a Gaussian.

A network gives K numbers a property, those of the first property first, and does not know what they mean.
The head does: it has the loss, and turns the numbers into means and standard deviations. All is scaled.
"""

# G graphs of a batch, N samples, P properties, K numbers a property

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train import losses
from zonemelt.tasks.train.said import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_LEAST_VARIANCE = 1e-6  # of the labels', which is 1: deviations stay above a thousandth of their spread
_MEDIAN = 0.5
_LEAST_EVIDENCE = 1e-3  # of nu and alpha - 1, so that the variance is finite


class Head(BaseModel):
    """What all have in common; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def outputs(self) -> int:
        """The numbers K that a network gives a property."""
        raise NotImplementedError

    def loss(self, raw_GPK: torch.Tensor, labels_GP: torch.Tensor) -> torch.Tensor:
        """The loss of each number (G, P)."""
        raise NotImplementedError

    def said(self, raw_NPK: torch.Tensor) -> Said:
        """What the numbers say."""
        raise NotImplementedError


class PointHead(Head):
    """A value, and nothing on how sure it is."""

    head: Literal["point"] = "point"
    error: Literal["mae", "mse", "huber"] = "mae"

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def loss(self, raw_GPK: torch.Tensor, labels_GP: torch.Tensor) -> torch.Tensor:
        """Absolute, squared or Huber's."""
        from torch.nn import functional

        kinds = {"mae": functional.l1_loss, "mse": functional.mse_loss, "huber": functional.smooth_l1_loss}
        return kinds[self.error](raw_GPK[..., 0], labels_GP, reduction="none")

    def said(self, raw_NPK: torch.Tensor) -> Said:
        """The value."""
        return Said(mean_NP=raw_NPK[..., 0].numpy())


class GaussianHead(Head):
    """Mean and variance of a Gaussian; see :func:`.losses.gaussian`."""

    head: Literal["gaussian"] = "gaussian"
    beta: float = Field(default=0.5, ge=0, le=1, description="0 for the plain likelihood")

    @property
    def outputs(self) -> int:
        """Mean and variance."""
        return 2

    def loss(self, raw_GPK: torch.Tensor, labels_GP: torch.Tensor) -> torch.Tensor:
        """The β-weighted negative log-likelihood."""
        return losses.gaussian(raw_GPK[..., 0], self._variance(raw_GPK), labels_GP, beta=self.beta)

    def said(self, raw_NPK: torch.Tensor) -> Said:
        """Mean and standard deviation."""
        return Said(mean_NP=raw_NPK[..., 0].numpy(), deviation_NP=self._variance(raw_NPK).sqrt().numpy())

    def _variance(self, raw_GPK: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.softplus(raw_GPK[..., 1]) + _LEAST_VARIANCE


class QuantileHead(Head):
    """Quantiles at stated levels, the median among them; they cannot cross.

    The network gives the median and the steps from each level to the next, through softplus.
    """

    head: Literal["quantile"] = "quantile"
    levels: tuple[float, ...] = Field(
        default=(0.05, 0.25, 0.5, 0.75, 0.95), description="ascending, between 0 and 1, with 0.5 among them"
    )

    @field_validator("levels")
    @classmethod
    def _ordered(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        inside = all(0 < level < 1 for level in levels)
        if not inside or sorted(set(levels)) != list(levels) or _MEDIAN not in levels[1:-1]:
            raise ValueError(
                "they must ascend between 0 and 1, with 0.5 among them, one or more below it and above it"
            )
        return levels

    @property
    def outputs(self) -> int:
        """One a level."""
        return len(self.levels)

    def quantiles(self, raw_GPK: torch.Tensor) -> torch.Tensor:
        """The quantiles (G, P, K), ascending along K."""
        import torch
        from torch.nn import functional

        middle = self.levels.index(_MEDIAN)
        median_GP1 = raw_GPK[..., middle : middle + 1]
        up = functional.softplus(raw_GPK[..., middle + 1 :]).cumsum(dim=-1)
        down = functional.softplus(raw_GPK[..., :middle]).flip(-1).cumsum(dim=-1).flip(-1)
        return torch.cat([median_GP1 - down, median_GP1, median_GP1 + up], dim=-1)

    def loss(self, raw_GPK: torch.Tensor, labels_GP: torch.Tensor) -> torch.Tensor:
        """The mean of the pinball losses of the levels."""
        levels_K = raw_GPK.new_tensor(self.levels)
        return losses.pinball(self.quantiles(raw_GPK), levels_K, labels_GP[..., None]).mean(dim=-1)

    def said(self, raw_NPK: torch.Tensor) -> Said:
        """The median, and the deviation that a Gaussian with the outermost quantiles has on either side.

        Intervals that are scaled from both sides on their own are those of D. Kivaranovic, K. D. Johnson,
        H. Leeb, PMLR 108, 4346 (2020), "CQR-m" of M. Sesia, E. J. Candès, Stat 9, e261 (2020).
        """
        from scipy.stats import norm

        found_NPK = self.quantiles(raw_NPK).numpy()
        median_NP = found_NPK[..., self.levels.index(_MEDIAN)]
        below_NP = (median_NP - found_NPK[..., 0]) / -norm.ppf(self.levels[0])
        above_NP = (found_NPK[..., -1] - median_NP) / norm.ppf(self.levels[-1])
        both_NP = below_NP + above_NP + 2 * _LEAST_VARIANCE**0.5  # softplus of -100 is 0
        return Said(
            mean_NP=median_NP, deviation_NP=both_NP / 2, lean_NP=0.999 * (above_NP - below_NP) / both_NP
        )


class EvidentialHead(Head):
    """A normal-inverse-gamma distribution of Gaussians; see :func:`.losses.evidential`.

    Its variance beta/(alpha - 1) (1 + 1/nu) is used as a whole: the part that comes from 1/nu is no reliable
    measure of what the network does not know (N. Meinert, J. Gawlikowski, A. Lavin, AAAI 37, 9134 (2023)).
    """

    head: Literal["evidential"] = "evidential"
    weight: float = Field(default=0.01, ge=0, description="of the penalty for evidence where it is wrong")

    @property
    def outputs(self) -> int:
        """gamma, nu, alpha and beta."""
        return 4

    def loss(self, raw_GPK: torch.Tensor, labels_GP: torch.Tensor) -> torch.Tensor:
        """Negative log-likelihood and penalty."""
        return losses.evidential(self._parameters(raw_GPK), labels_GP, weight=self.weight)

    def said(self, raw_NPK: torch.Tensor) -> Said:
        """gamma, and the root of the whole variance."""
        gamma_NP, nu_NP, alpha_NP, beta_NP = self._parameters(raw_NPK)
        variance_NP = beta_NP / (alpha_NP - 1) * (1 + 1 / nu_NP)
        return Said(mean_NP=gamma_NP.numpy(), deviation_NP=variance_NP.sqrt().numpy())

    def _parameters(
        self, raw_GPK: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        from torch.nn import functional

        gamma, *others = raw_GPK.unbind(dim=-1)
        nu, alpha, beta = map(functional.softplus, others)
        return gamma, nu + _LEAST_EVIDENCE, alpha + 1 + _LEAST_EVIDENCE, beta + _LEAST_VARIANCE


AnyHead = Annotated[PointHead | GaussianHead | QuantileHead | EvidentialHead, Field(discriminator="head")]
_KINDS: dict[str, type[PointHead | GaussianHead | QuantileHead | EvidentialHead]] = {
    "point": PointHead, "gaussian": GaussianHead, "quantile": QuantileHead, "evidential": EvidentialHead,
}  # fmt: skip
_NAMED: dict[str, Mapping[str, Any]] = {
    **{loss: {"head": "point", "error": loss} for loss in ("mae", "mse", "huber")},
    **{head: {"head": head} for head in _KINDS if head != "point"},
}


def head_of(
    loss: str | Mapping[str, Any] | Head,
) -> PointHead | GaussianHead | QuantileHead | EvidentialHead:
    """The head that a person asks for by its loss.

    Args:
        loss: ``mae``, ``mse``, ``huber``, ``gaussian``, ``quantile``, ``evidential``; or a document such as
            ``{"head": "quantile", "levels": [0.1, 0.5, 0.9]}``.

    Raises:
        UnknownKeyError: there is no such loss, head or setting; with the nearest name.
        InputError: a value cannot be used.
    """
    if isinstance(loss, PointHead | GaussianHead | QuantileHead | EvidentialHead):
        return loss
    document: Any = loss
    if isinstance(loss, str):
        if loss not in _NAMED:
            raise UnknownKeyError.of(loss, _NAMED, where="loss")
        document = _NAMED[loss]
    name = str(document.get("head"))
    if name not in _KINDS:
        raise UnknownKeyError.of(name, _KINDS, where="loss: head")
    return read_settings(_KINDS[name], document, where="loss", page="docs/training.md")
