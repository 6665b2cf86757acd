"""The gradients of all ranks, added up in one message that also says whether some rank has failed.

DistributedDataParallel sends parts of the gradient while others are still computed. A rank that runs out of
memory meanwhile leaves the others waiting, and what it has sent cannot be taken back. Here a rank sends once,
when it has all of its gradient or knows that it will not: so all ranks hear of it, and try again together.
The order of the numbers in the message never changes, so a training that goes on from a checkpoint adds them
up in the same order as one that was never stopped, with any number of ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from zonemelt.tasks.train.ranks import Ranks


class GradientSum:
    """Adds up the gradients of a model over ranks, and takes the mean of its running statistics.

    Args:
        model: on the rank's device; every rank is given the weights of rank 0.
        ranks: who trains.
    """

    def __init__(self, model: torch.nn.Module, *, ranks: Ranks) -> None:
        self._ranks = ranks
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._statistics = running_statistics(model)
        if ranks.world_size == 1:
            return
        import torch

        for tensor in model.state_dict().values():
            ranks.share(tensor)
        first = self._parameters[0]
        sizes = [tensor.numel() for tensor in (*self._parameters, *self._statistics)]
        # At the end: how many ranks have a gradient of each parameter, and how many have failed.
        self._message = first.new_zeros(sum(sizes) + len(self._parameters) + 1, requires_grad=False)
        self._tail = self._message[sum(sizes) :]
        places = torch.split(self._message[: sum(sizes)], sizes)
        self._gradients = [place.view_as(of) for place, of in zip(places, self._parameters, strict=False)]
        self._means = [
            place.view_as(of)
            for place, of in zip(places[len(self._parameters) :], self._statistics, strict=True)
        ]

    def __call__(self, *, failed: bool) -> bool:
        """Give every rank the summed gradient, unless some rank has failed.

        Args:
            failed: whether this rank has no gradient.

        Returns:
            Whether any rank has failed: then the gradients mean nothing.
        """
        if self._ranks.world_size == 1:
            return failed
        self._message.zero_()
        if not failed:
            self._fill()
        self._tail[-1] = float(failed)
        self._ranks.sum(self._message)
        *there, failures = self._tail.tolist()
        if failures:
            return True
        for parameter, gradient, count in zip(self._parameters, self._gradients, there, strict=True):
            parameter.grad = gradient if count else None  # as one process would have it
        for statistic, mean in zip(self._statistics, self._means, strict=True):
            statistic.copy_(mean / self._ranks.world_size)
        return False

    def _fill(self) -> None:
        for place, (parameter, gradient) in enumerate(zip(self._parameters, self._gradients, strict=True)):
            if parameter.grad is not None:
                gradient.copy_(parameter.grad)
                self._tail[place] = 1.0
        for statistic, mean in zip(self._statistics, self._means, strict=True):
            mean.copy_(statistic)


def running_statistics(model: torch.nn.Module) -> list[torch.Tensor]:
    """The running means and variances of batch normalisation: each rank has those of its own samples."""
    from torch.nn.modules.batchnorm import _NormBase

    return [
        statistic
        for module in model.modules()
        if isinstance(module, _NormBase) and module.track_running_stats
        for statistic in (module.running_mean, module.running_var)
        if statistic is not None
    ]
