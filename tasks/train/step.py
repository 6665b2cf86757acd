"""One step of a training: forward, backward, the sum over ranks, the optimizer."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from zonemelt.tasks.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.train.objective import Batch, Objective
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.state import TrainState


_NAMED = 64  # samples that a message names


class Samples(Protocol):
    """What is trained on: the same plan on every rank, from which each takes its share."""

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        ...

    def parts(self, epoch: int, step: int, *, parts: int, ranks: Ranks) -> Sequence[Batch]:
        """This rank's share of a step, in so many parts; each has at least one sample."""
        ...

    def names(self, epoch: int, step: int) -> Sequence[str]:
        """The samples of a step on all ranks, for messages."""
        ...


class DivergedError(JobError):
    """The loss or its gradient is no longer a number."""


class Stepper:
    """Takes the steps of one training.

    Args:
        state: what changes.
        objective: what is minimised.
        samples: what it is trained on.
        settings: how.
        ranks: who trains.
    """

    def __init__(
        self,
        state: TrainState,
        objective: Objective,
        samples: Samples,
        settings: TrainSettings,
        *,
        ranks: Ranks,
    ) -> None:
        import torch
        from torch.nn.parallel import DistributedDataParallel

        self._state, self._objective, self._samples = state, objective, samples
        self._settings, self._ranks = settings, ranks
        self._names = sorted(objective.weights)
        self._sums = torch.zeros(2, len(self._names), dtype=torch.float64, device=ranks.device)
        self.waited = self.worked = self.longest = 0.0
        self.seen = 0
        called: Any = state.model
        if ranks.world_size > 1:
            # A step may hold no sample of some property: the head of that one then has no gradient.
            called = DistributedDataParallel(called, find_unused_parameters=len(self._names) > 1)
        self._called = called

    def step(self, *, stop: bool, save: bool) -> tuple[bool, bool]:
        """Take a step; returns whether some rank says to stop, or to save, after it.

        Raises:
            DivergedError: the gradient is not finite; the weights are still those from before.
        """
        state, ranks = self._state, self._ranks
        began = time.perf_counter()
        parts = self._samples.parts(state.epoch, state.step, parts=self._settings.accumulate, ranks=ranks)
        ready = time.perf_counter()
        counts, stop, save = self._agree(parts, stop=stop, save=save)
        self._backward(parts, counts)
        self._descend()
        state.step += 1
        ended = time.perf_counter()
        self.waited += ready - began
        self.worked += ended - ready
        self.longest = max(self.longest, ended - began)
        return stop, save

    def collect(self) -> None:
        """Add the losses since the last time to those of the epoch, summed over the ranks."""
        totals, counts = self._ranks.sum(self._sums).tolist()
        for name, total, count in zip(self._names, totals, counts, strict=True):
            before = self._state.sums.get(name, [0.0, 0.0])
            self._state.sums[name] = [before[0] + total, before[1] + count]
        self._sums.zero_()

    def _agree(
        self, parts: Sequence[Batch], *, stop: bool, save: bool
    ) -> tuple[dict[str, float], bool, bool]:
        """The counts of all ranks together, and what any of them wants: in one message."""
        import torch

        own = dict.fromkeys(self._names, 0)
        for part in parts:
            for name, count in self._objective.counts(part).items():
                own[name] += count
        said = [*(own[name] for name in self._names), stop, save, sum(len(part["ptr"]) - 1 for part in parts)]
        agreed = self._ranks.sum(torch.tensor(said, dtype=torch.float64, device=self._ranks.device)).tolist()
        self._sums[1] += torch.tensor(list(own.values()), device=self._sums.device)
        *counts, stops, saves, seen = agreed
        self.seen += int(seen)
        return dict(zip(self._names, counts, strict=True)), stops > 0, saves > 0

    def _backward(self, parts: Sequence[Batch], counts: Mapping[str, float]) -> None:
        import torch

        state, ranks, weights = self._state, self._ranks, self._objective.weights
        state.optimizer.zero_grad(set_to_none=True)
        state.model.train()
        for number, part in enumerate(parts):
            alone = ranks.world_size == 1 or number == len(parts) - 1
            lower = (
                torch.autocast(ranks.device.type, dtype=torch.bfloat16)
                if self._settings.precision == "bf16"
                else nullcontext()
            )
            with nullcontext() if alone else self._called.no_sync():
                with lower:
                    totals = self._objective.totals(self._called, part)
                # DistributedDataParallel divides by the number of ranks; the counts have done so already.
                loss = sum(
                    weights[name] * total * (ranks.world_size / max(counts[name], 1.0))
                    for name, total in totals.items()
                )
                loss.backward()  # type: ignore[union-attr]
            self._sums[0] += torch.stack([totals[name].detach().double() for name in self._names])

    def _descend(self) -> None:
        import torch

        state, settings = self._state, self._settings
        found = [p.grad for p in state.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(found)
        if not norm.isfinite():  # the same on every rank: the gradients are
            names = self._samples.names(state.epoch, state.step)
            raise DivergedError(
                f"the gradient is {norm.item()} in step {state.step} of epoch {state.epoch}",
                where=f"its samples: {', '.join(names[:_NAMED])}{' …' if len(names) > _NAMED else ''}",
                remedy="look at them; lower learning_rate or clip_norm. The last checkpoint is from before",
            )
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(state.model.parameters(), settings.clip_norm, norm)
        state.optimizer.step()
        if settings.schedule != "plateau":
            state.schedule.step()
        if state.average is not None:
            state.average.update_parameters(state.model)
