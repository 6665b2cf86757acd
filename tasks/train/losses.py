"""The losses of heads that say how sure they are, number by number: nothing is summed here.

All arguments have one shape, and so has the result; labels and predictions are scaled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def gaussian(mean: torch.Tensor, variance: torch.Tensor, label: torch.Tensor, *, beta: float) -> torch.Tensor:
    """v^beta (½ ln v + (y - m)²/2v) of mean m and variance v; no gradient flows through the weight v^beta.

    With ``beta`` 0 it is the negative log-likelihood without its constant, which learns slowly where v is
    large and fits the rest too closely; with 1 the mean is learned as by squared errors. Source: M. Seitzer,
    A. Tavakoli, D. Antic, G. Martius, ICLR (2022), eq. 5; they recommend 0.5.
    """
    likelihood = 0.5 * (variance.log() + (label - mean) ** 2 / variance)
    return likelihood if beta == 0 else likelihood * variance.detach() ** beta


def pinball(quantile: torch.Tensor, level: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Twice max(τ (y - q), (τ - 1) (y - q)): least where a share τ of the labels lies below q.

    Twice, so that the median has the absolute error. Source: R. Koenker, G. Bassett, Econometrica 46, 33
    (1978).
    """
    import torch

    above = label - quantile
    return 2 * torch.maximum(level * above, (level - 1) * above)


def evidential(
    parameters: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    label: torch.Tensor,
    *,
    weight: float,
) -> torch.Tensor:
    """Negative log-likelihood of a normal-inverse-gamma prior, and a penalty for evidence where it is wrong.

    The first is that of Student's t with 2 alpha degrees of freedom around gamma, of the squared width
    beta (1 + nu) / nu alpha.
    Source: A. Amini, W. Schwarting, A. Soleimany, D. Rus, NeurIPS 33, 14927 (2020), eqs. 8-10.

    Args:
        parameters: gamma, nu, alpha and beta.
        label: the labels.
        weight: of the penalty |y - gamma| (2 nu + alpha).
    """
    import torch

    gamma, nu, alpha, beta = parameters
    omega = 2 * beta * (1 + nu)
    likelihood = (
        0.5 * (math.log(math.pi) - nu.log())
        - alpha * omega.log()
        + (alpha + 0.5) * ((label - gamma) ** 2 * nu + omega).log()
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    return likelihood + weight * (label - gamma).abs() * (2 * nu + alpha)
