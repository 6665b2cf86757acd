"""Crystals in noise as training samples: other noise in every epoch, and the same for any number of ranks."""

# N samples

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.shards.sampler import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.generate.padded import CrystalSet
    from zonemelt.tasks.shards.sampler import Epoch
    from zonemelt.tasks.train.ranks import Ranks

JUDGED: Final = 2**32 - 1
"""In the place of an epoch: the noise that models are compared in."""


class NoisySamples:
    """The samples of a training; see :class:`.step.Samples`.

    Args:
        crystals: to be learned.
        names_N: what they are called.
        batch_size: crystals of a step, over all ranks.
        planned_ranks: for how many ranks the steps are put together; others may share them out.
        seed: of their order, and of the noise.
        shown: share of crystals whose species are known; see :meth:`.CrystalSet.noisy`.
        wished: share of crystals whose property is told.
    """

    def __init__(
        self,
        crystals: CrystalSet,
        names_N: Sequence[str],
        *,
        batch_size: int,
        planned_ranks: int,
        seed: int,
        shown: float,
        wished: float,
    ) -> None:
        self._crystals, self._names, self._seed = crystals, names_N, seed
        self._shown, self._wished = shown, wished
        self._costs = crystals.sizes_M**2  # of pairs
        size = min(batch_size, len(crystals))
        self._plan = Plan(costs_G=self._costs, batch=size, ranks=planned_ranks, seed=seed)
        self._epoch: tuple[int, Epoch] | None = None

    def __len__(self) -> int:
        return len(self._crystals)

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return self._plan.steps

    def parts(self, epoch: int, step: int, *, parts: int, ranks: Ranks) -> Sequence[dict[str, torch.Tensor]]:
        """This rank's share of a step."""
        own = self._planned(epoch).share(step, ranks=ranks.world_size)[ranks.rank]
        return [
            self.batch(members, epoch, device=ranks.device)
            for members in np.array_split(own, min(parts, len(own)))
        ]

    def batch(
        self, members: NDArray[np.int64], epoch: int, *, device: torch.device
    ) -> dict[str, torch.Tensor]:
        """Some of them, in the noise of an epoch."""
        found = self._crystals.noisy(members, [self._seed, epoch], shown=self._shown, wished=self._wished)
        return {name: value.to(device, non_blocking=True) for name, value in found.items()}

    def names(self, epoch: int, step: int) -> Sequence[str]:
        """The samples of a step on all ranks."""
        return [self._names[sample] for sample in self._planned(epoch).steps[step].tolist()]

    def sizes(self, epoch: int, step: int) -> Sequence[int]:
        """What each of them costs."""
        costs: list[int] = self._costs[self._planned(epoch).steps[step]].tolist()
        return costs

    def _planned(self, number: int) -> Epoch:
        if self._epoch is None or self._epoch[0] != number:
            self._epoch = number, self._plan.epoch(number)
        return self._epoch[1]
