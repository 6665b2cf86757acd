"""One step of a training: forward, backward, the sum over ranks, the optimizer."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

from zonemelt.tasks.errors import JobError
from zonemelt.tasks.train.gradients import GradientSum
from zonemelt.tasks.train.memory import TooLargeError, give_back, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from zonemelt.tasks.train.objective import Batch, Objective
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.state import TrainState


_NAMED = 64  # samples that a message names
_LOG = logging.getLogger(__name__)


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

    def sizes(self, epoch: int, step: int) -> Sequence[int]:
        """What each of them costs, in the same order: edges of its graph, say."""
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

    Attributes:
        waited: seconds that this rank has waited for data.
        worked: seconds of its steps besides.
        longest: the longest step, s.
        seen: samples that all ranks have seen.
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

        self._state, self._objective, self._samples = state, objective, samples
        self._settings, self._ranks = settings, ranks
        self._names = sorted(objective.weights)
        self._sums = torch.zeros(2, len(self._names), dtype=torch.float64, device=ranks.device)
        self._sum_gradients = GradientSum(state.model, ranks=ranks)
        self.waited = self.worked = self.longest = 0.0
        self.seen = 0

    def step(self, *, stop: bool, save: bool) -> tuple[bool, bool]:
        """Take a step; returns whether some rank says to stop, or to save, after it.

        Where the memory of some rank is used up, all ranks forget the step and take it in parts of half the
        size: the same samples, and up to rounding the same gradient. This happens once in a training.

        Raises:
            DivergedError: the gradient is not finite; the weights are still those from before.
            TooLargeError: memory is used up a second time.
        """
        began = time.perf_counter()
        waited = 0.0
        while True:
            asked = time.perf_counter()
            parts = self._parts()
            waited += time.perf_counter() - asked
            counts, stop, save, short = self._agree(parts, stop=stop, save=save)
            if parts is not None and not short and self._differentiate(parts, counts):
                break
            del parts
            self._halve_parts()
            save = True  # what comes after is in smaller parts, and so goes on after a kill
        self._descend()
        self._state.step += 1
        took = time.perf_counter() - began
        self.waited += waited
        self.worked += took - waited
        self.longest = max(self.longest, took)
        return stop, save

    def collect(self) -> None:
        """Add the losses since the last time to those of the epoch, summed over the ranks."""
        totals, counts = self._ranks.sum(self._sums).tolist()
        for name, total, count in zip(self._names, totals, counts, strict=True):
            before = self._state.sums.get(name, [0.0, 0.0])
            self._state.sums[name] = [before[0] + total, before[1] + count]
        self._sums.zero_()

    def _parts(self) -> Sequence[Batch] | None:
        """This rank's share of the step; None where it does not fit into memory."""
        state = self._state
        try:
            return self._samples.parts(state.epoch, state.step, parts=state.parts, ranks=self._ranks)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _agree(
        self, parts: Sequence[Batch] | None, *, stop: bool, save: bool
    ) -> tuple[dict[str, float], bool, bool, bool]:
        """The counts of all ranks together, and what any of them says: in one message."""
        import torch

        own = self._counts(parts or ())
        said = [*own.values(), stop, save, parts is None]
        message = torch.tensor(said, dtype=torch.float64, device=self._ranks.device)
        *counts, stops, saves, short = self._ranks.sum(message).tolist()
        return dict(zip(self._names, counts, strict=True)), stops > 0, saves > 0, short > 0

    def _counts(self, parts: Sequence[Batch]) -> dict[str, int]:
        own = dict.fromkeys(self._names, 0)
        for part in parts:
            for name, count in self._objective.counts(part).items():
                own[name] += count
        return own

    def _differentiate(self, parts: Sequence[Batch], counts: Mapping[str, float]) -> bool:
        """Leave the gradient of the step in the weights; False where some rank has no memory for it."""
        import torch

        totals = None
        self._state.optimizer.zero_grad(set_to_none=True)
        try:
            totals = self._backward(parts, counts)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if totals is None:
            self._state.optimizer.zero_grad(set_to_none=True)
        if self._sum_gradients(failed=totals is None) or totals is None:
            return False
        self._sums[0] += totals
        self._sums[1] += torch.tensor([*self._counts(parts).values()], device=self._sums.device)
        self.seen += len(self._samples.names(self._state.epoch, self._state.step))
        return True

    def _backward(self, parts: Sequence[Batch], counts: Mapping[str, float]) -> torch.Tensor:
        """The summed losses of this rank, and their gradient in its weights."""
        import torch

        state = self._state
        weights = self._objective.weights_in(state.epoch)
        state.model.train()
        found = torch.zeros_like(self._sums[0])
        for part in parts:
            lower = (
                torch.autocast(self._ranks.device.type, dtype=torch.bfloat16)
                if self._settings.precision == "bf16"
                else nullcontext()
            )
            with lower:
                totals = self._objective.totals(state.model, part)
            loss = sum(weights[name] * total / max(counts[name], 1.0) for name, total in totals.items())
            loss.backward()  # type: ignore[union-attr]
            found += torch.stack([totals[name].detach().double() for name in self._names])
        return found

    def _halve_parts(self) -> None:
        """Take this step and all later ones in twice as many parts; the same on all ranks.

        Raises:
            TooLargeError: that has been done before.
        """
        state = self._state
        give_back(self._ranks.device)
        if state.parts > self._settings.accumulate:
            raise self._too_large()
        state.parts *= 2
        _LOG.warning(
            "out of memory in step %d of epoch %d: from here on in %d parts",
            state.step, state.epoch, state.parts,
        )  # fmt: skip

    def _too_large(self) -> TooLargeError:
        state, ranks = self._state, self._ranks
        sizes = self._samples.sizes(state.epoch, state.step)
        found = zip(sizes, self._samples.names(state.epoch, state.step), strict=True)
        largest = [f"{name} ({size})" for size, name in sorted(found, reverse=True)]
        alone = state.parts * ranks.world_size >= len(largest)
        return TooLargeError(
            f"out of memory on {ranks.device.type} in step {state.step} of epoch {state.epoch}, "
            f"in {state.parts} parts on each of {ranks.world_size} ranks"
            f"{': a sample alone is too large' if alone else ''}",
            where=f"its samples, with sizes: {', '.join(largest[:_NAMED])}"
            f"{' …' if len(largest) > _NAMED else ''}",
            remedy="leave the largest out, or give it more memory"
            if alone
            else f"it goes on from its checkpoint with accumulate: {4 * state.parts}, or with more ranks",
        )

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
