"""What a model is given: graphs as tensors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Batch(Protocol):
    """A batch of G graphs with A atoms and E edges, as :func:`featurize.graphs.as_batch` makes it, or a dict.

    ``z`` (A,), ``edge_index`` (2, E: neighbour, centre), ``edge_length`` (E,), ``edge_vector`` (E, 3) from
    the centre to the neighbour, ``batch`` (A,), ``ptr`` (G + 1,).
    """

    def __getitem__(self, name: str) -> torch.Tensor: ...

    def __contains__(self, name: str) -> bool: ...
