"""What is minimised: sums of losses over samples, divided by how many there are on all ranks together.

Each rank has another number of samples, so means of its own would weigh them wrongly: a rank adds up its
losses, the counts are summed over the ranks, and the gradient is that of one process that had seen all.
"""

# G samples, P properties

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from zonemelt.tasks.train.heads import Head, PointHead

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

    def weights_in(self, epoch: int) -> Mapping[str, float]:
        """The weights of the terms in an epoch, which may be others in another."""
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

    L = Σ_p w_p (1/N_p) Σ δ l(y_pred, y_true), with δ = 0 where a sample lacks the property: with the absolute
    error for l, what multi-property pre-training minimises (Devi, Butler & Sai Gautam, npj Computational
    Materials 10, 300 (2024)).

    Attributes:
        names: of the properties, in the order of the columns of ``labels_GP``.
        weights: of the properties, by name.
        head: has the loss l of scaled labels, and says what the numbers of the network mean.
    """

    names: tuple[str, ...]
    weights: Mapping[str, float]
    head: Head = field(default_factory=PointHead)

    def weights_in(self, epoch: int) -> Mapping[str, float]:  # noqa: ARG002
        """The same weights in every epoch."""
        return self.weights

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many samples have each property."""
        counts_P = batch["labels_GP"].isfinite().sum(dim=0).tolist()
        return dict(zip(self.names, map(int, counts_P), strict=True))

    def totals(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The summed losses; a missing label adds nothing, and its gradient is exactly zero."""
        import torch

        raw_GO = model(batch)
        # Likelihoods need more digits than bf16 has.
        raw_GO = raw_GO.to(torch.promote_types(raw_GO.dtype, torch.float32))
        raw_GPK = raw_GO.reshape(len(raw_GO), len(self.names), self.head.outputs)
        labels_GP = batch["labels_GP"].to(raw_GO.dtype)
        present_GP = labels_GP.isfinite()
        loss_GP = self.head.loss(raw_GPK, torch.where(present_GP, labels_GP, 0.0))
        totals_P = (loss_GP * present_GP).sum(dim=0)
        return dict(zip(self.names, totals_P.unbind(), strict=True))


@dataclass(frozen=True, kw_only=True)
class EveryLabel(MaskedProperties):
    """As published: L = (1/N) Σ_p w_p Σ δ l(y_pred, y_true), with N the labels of all properties together.

    A property with many labels weighs more than one with few; in :class:`MaskedProperties` each weighs the
    same.
    """

    def counts(self, batch: Batch) -> dict[str, int]:
        """All labels of the batch, for each property."""
        own = super().counts(batch)
        return dict.fromkeys(own, sum(own.values()))
