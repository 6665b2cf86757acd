"""What is minimised: sums of losses over samples, divided by how many there are on all ranks together.

Each rank has another number of samples, so means of its own would weigh them wrongly: a rank adds up its
losses, the counts are summed over the ranks, and the gradient is that of one process that had seen all.
"""

# G samples, P properties

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    Batch = Mapping[str, torch.Tensor]


class Objective(Protocol):
    """A loss: the sum over its terms of weight times total over count."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of each term, by its name."""
        ...

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """How many numbers each term sums over, known before anything is computed."""
        ...

    def totals(self, model: torch.nn.Module, batch: Batch) -> Mapping[str, torch.Tensor]:
        """The sum of each term (scalars, in the graph of the model)."""
        ...


@dataclass(frozen=True, kw_only=True)
class MaskedProperties:
    """Several properties at once, each sample with those that it has.

    L = Σ_p w_p (1/N_p) Σ δ |y_pred - y_true|, with δ = 0 where a sample lacks the property: what
    multi-property pre-training minimises (Devi, Butler & Sai Gautam, npj Computational Materials 10, 300
    (2024)).

    Attributes:
        names: of the properties, in the order of the columns of ``labels_GP``.
        weights: of the properties, by name.
        kind: ``mae``, ``mse`` or ``huber``, of scaled labels.
    """

    names: tuple[str, ...]
    weights: Mapping[str, float]
    kind: str = "mae"

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many samples have each property."""
        counts_P = batch["labels_GP"].isfinite().sum(dim=0).tolist()
        return dict(zip(self.names, map(int, counts_P), strict=True))

    def totals(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The summed losses; a missing label adds nothing, and its gradient is exactly zero."""
        import torch
        from torch.nn import functional

        losses = {"mae": functional.l1_loss, "mse": functional.mse_loss, "huber": functional.smooth_l1_loss}
        predicted_GP = model(batch)
        labels_GP = batch["labels_GP"].to(predicted_GP.dtype)
        present_GP = labels_GP.isfinite()
        target_GP = torch.where(present_GP, labels_GP, predicted_GP.detach())
        loss_GP = losses[self.kind](predicted_GP, target_GP, reduction="none")
        totals_P = (loss_GP * present_GP).sum(dim=0)
        return dict(zip(self.names, totals_P.unbind(), strict=True))
