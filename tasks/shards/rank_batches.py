"""The batches of one rank, one after the other, to be left and taken up again at any step."""

# G graphs of the set

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.shards.sampler import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray


class RankBatches:
    """What one rank trains on: iterating gives the rest of the current epoch.

    Args:
        plan: of the set.
        rank: whose batches.
        ranks: how many ranks there are; as planned where it is not said.
        epoch: to begin with.
        step: of it, to begin with.

    Attributes:
        plan: of the set.
        rank: whose batches.
        ranks: how many ranks there are.
        epoch: of the next batch.
        step: of the next batch.

    Raises:
        InputError: there is no such rank, epoch or step.
    """

    def __init__(
        self, plan: Plan, rank: int, *, ranks: int | None = None, epoch: int = 0, step: int = 0
    ) -> None:
        self.plan, self.rank = plan, rank
        self.ranks = plan.ranks if ranks is None else ranks
        self.epoch, self.step = epoch, step
        if not 0 <= rank < self.ranks:
            raise InputError(f"rank {rank} of {self.ranks}", where="rank", remedy="ranks count from 0")
        if epoch < 0 or not 0 <= step <= plan.steps:
            raise InputError(
                f"epoch {epoch}, step {step} of {plan.steps}", where="state", remedy="steps count from 0"
            )

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self.plan.steps

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """The graphs of this rank in each remaining step; afterwards the next epoch is the current one."""
        epoch = self.plan.epoch(self.epoch)
        while self.step < len(epoch.steps):
            mine = epoch.share(self.step, ranks=self.ranks)[self.rank]
            self.step += (
                1  # before it is handed out: who notes the state in a loop notes that this one is done
            )
            yield mine
        self.epoch, self.step = self.epoch + 1, 0

    def state(self) -> dict[str, Any]:
        """Where this is: every batch handed out counts as done.

        A loader that fetches batches ahead of the training must note the state of the batch it hands on.
        """
        return {**self.plan.settings(), "epoch": self.epoch, "step": self.step}

    @classmethod
    def resume(cls, costs_G: NDArray[Any], state: Mapping[str, Any], *, rank: int, ranks: int) -> Self:
        """Go on where a run was: the remaining batches are those it would have had.

        Args:
            costs_G: of the same graphs (G,).
            state: what :meth:`state` gave, to any rank.
            rank: whose batches.
            ranks: how many there are now. With as many as planned every rank has the same batches as
                before; with another number every step still has the same graphs, shared out anew.

        Raises:
            InputError: these are other graphs, or the state is none of ours.
        """
        try:
            plan = Plan(
                costs_G=costs_G,
                batch=int(state["batch"]),
                ranks=int(state["ranks"]),
                seed=int(state["seed"]),
                gather_large=bool(state["gather_large"]),
            )
            epoch, step, costs = int(state["epoch"]), int(state["step"]), state["costs"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{error} is missing or not a number", where="state of the batches", remedy="give it whole"
            ) from error
        if plan.settings()["costs"] != costs:
            raise InputError(
                "the sizes of the graphs are not those of the run",
                where="state of the batches",
                remedy="go on with the shards that the run was begun with",
            )
        return cls(plan, rank, ranks=ranks, epoch=epoch, step=step)
