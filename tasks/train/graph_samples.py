"""Graphs as training samples: read from shards one step ahead, shared out evenly, with their labels."""

# G graphs of a batch, N samples, P properties

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.shards.sampler import Epoch, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.models.registry import Architecture
    from zonemelt.tasks.train.objective import Batch
    from zonemelt.tasks.train.ranks import Ranks


class GraphSource(Protocol):
    """Where graphs are read from: a ``ShardSet``, say."""

    def read(self, indices: NDArray[np.int64]) -> Graphs:
        """Some of them, in the order asked for."""
        ...


class GraphSamples:
    """The samples of a training; see :class:`.step.Samples`.

    Args:
        source: of graphs.
        architecture: of the network that reads them.
        rows_N: which of them are trained on (N,).
        labels_NP: their labels (N, P), scaled; NaN where one has none.
        costs_N: what each costs (N,), such as its edges.
        names_N: what they are called.
        batch_size: samples of a step, over all ranks.
        planned_ranks: for how many ranks the steps are put together; others may share them out.
        seed: of their order.
        dtype: of floating-point tensors.

    Raises:
        InputError: there is nothing to train on, or a label is infinite.
    """

    def __init__(
        self,
        source: GraphSource,
        architecture: Architecture,
        *,
        rows_N: NDArray[np.int64],
        labels_NP: NDArray[np.float64],
        costs_N: NDArray[Any],
        names_N: Sequence[str],
        batch_size: int,
        planned_ranks: int,
        seed: int,
        dtype: str = "float32",
    ) -> None:
        import torch_geometric.data  # noqa: F401 (it takes seconds: not while the first step waits for a batch)

        _check(rows_N, labels_NP, names_N)
        self._architecture = architecture
        self._source, self._rows, self._names = source, rows_N, names_N
        self.labels_NP = labels_NP
        size = min(batch_size, len(rows_N))
        self._plan = Plan(costs_G=costs_N, batch=size, ranks=planned_ranks, seed=seed)
        self._epochs: dict[int, Epoch] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="samples")
        self._ahead: tuple[Any, Future[list[Any]]] | None = None
        self._dtype = dtype

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return self._plan.steps

    def parts(self, epoch: int, step: int, *, parts: int, ranks: Ranks) -> Sequence[Batch]:
        """This rank's share of a step; that of the next one is read meanwhile."""
        wanted = (epoch, step, parts, ranks.rank, ranks.world_size)
        if self._ahead is not None and self._ahead[0] == wanted:
            found = self._ahead[1].result()
        else:
            found = self._read(*wanted)
        following = (epoch, step + 1) if step + 1 < self.steps else (epoch + 1, 0)
        later = (*following, *wanted[2:])
        self._ahead = later, self._reader.submit(self._read, *later)
        return [batch.to(ranks.device, non_blocking=True) for batch in found]

    def names(self, epoch: int, step: int) -> Sequence[str]:
        """The samples of a step on all ranks."""
        return [self._names[sample] for sample in self._epoch(epoch).steps[step].tolist()]

    def name(self, sample: int) -> str:
        """What one of the N is called."""
        return self._names[sample]

    def sizes(self, epoch: int, step: int) -> Sequence[int]:
        """What each of them costs."""
        costs: list[int] = self._plan.costs_G[self._epoch(epoch).steps[step]].tolist()
        return costs

    def _epoch(self, number: int) -> Epoch:
        if number not in self._epochs:
            self._epochs = {key: self._epochs[key] for key in self._epochs if key == number - 1}
            self._epochs[number] = self._plan.epoch(number)
        return self._epochs[number]

    def _read(self, epoch: int, step: int, parts: int, rank: int, world_size: int) -> list[Any]:
        own = self._epoch(epoch).share(step, ranks=world_size)[rank]
        return [self.batch(samples) for samples in np.array_split(own, min(parts, len(own)))]

    def batch(self, samples: NDArray[np.int64]) -> Any:
        """A batch of samples, by their places among the N."""
        import torch

        found = self._architecture.batch(self._source.read(self._rows[samples]), dtype=self._dtype)
        found.labels_GP = torch.from_numpy(self.labels_NP[samples])
        return found


def _check(rows_N: NDArray[np.int64], labels_NP: NDArray[np.float64], names_N: Sequence[str]) -> None:
    if not len(rows_N):
        raise InputError("there is nothing to train on", where="split", remedy="give training samples")
    if bad := np.flatnonzero(np.isinf(labels_NP).any(axis=1)).tolist():
        raise InputError(
            f"an infinite label: {', '.join(names_N[row] for row in bad[:5])}",
            where="labels",
            remedy="leave these out, or null where it is absent",
        )
    if bare := np.flatnonzero(np.isnan(labels_NP).all(axis=1)).tolist():
        raise InputError(
            f"no label: {', '.join(names_N[row] for row in bare[:5])}",
            where="labels",
            remedy="leave out the samples that have none of the properties",
        )
