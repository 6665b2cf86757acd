"""Crystals with their edges: graphs, as flat arrays and as batches of PyTorch Geometric."""

# A atoms of all structures, E edges, G graphs

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.neighbours import Neighbours, nearest, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

_OURS = frozenset(
    {"z", "pos", "cell", "pbc", "edge_index", "edge_image", "edge_vector", "edge_length", "batch", "ptr"}
)


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Which edges graphs have.

    Attributes:
        cutoff: longest edge, Å.
        k: edges an atom at most, its nearest; None for all within the cutoff.
    """

    cutoff: float = 8.0
    k: int | None = 12


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """Graphs, one after the other.

    Attributes:
        crystals: the structures.
        neighbours: their edges; those of a graph are together.
        labels_G: named arrays (G, …), one row a graph.
        labels_A: named arrays (A, …), one row an atom.
    """

    crystals: Crystals
    neighbours: Neighbours
    labels_G: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels_A: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rows, labels in (
            (len(self.crystals), self.labels_G),
            (len(self.crystals.numbers_A), self.labels_A),
        ):
            for name, values in labels.items():
                if len(values) != rows:
                    raise InputError(
                        f"{len(values)} rows for {rows} {'graphs' if labels is self.labels_G else 'atoms'}",
                        where=f"label '{name}'",
                        remedy="give one row each, NaN where there is no label",
                    )

    def __len__(self) -> int:
        return len(self.crystals)

    @property
    def first_edge_G(self) -> NDArray[np.int64]:
        """Where the edges of each graph begin, and the end of the last (G + 1,)."""
        return self.neighbours.first_A[self.crystals.first_G]


def graphs_of(
    crystals: Crystals,
    edges: Edges,
    *,
    labels_G: Mapping[str, NDArray[Any]] | None = None,
    labels_A: Mapping[str, NDArray[Any]] | None = None,
) -> Graphs:
    """Make graphs of crystals.

    Raises:
        InputError: a structure cannot be searched, or a label has not one row a graph or atom.
    """
    if edges.k is None:
        found = within(crystals, cutoff=edges.cutoff)
    else:
        found = nearest(crystals, cutoff=edges.cutoff, k=edges.k)
    return Graphs(crystals=crystals, neighbours=found, labels_G=labels_G or {}, labels_A=labels_A or {})


def as_batch(graphs: Graphs, *, dtype: str = "float64") -> Any:
    """Make a batch of PyTorch Geometric.

    The tensors share memory with the arrays wherever the type is the same: in double precision, all but
    ``z`` and ``batch``. No loop runs over graphs.

    Args:
        graphs: G graphs.
        dtype: of floating-point tensors.

    Returns:
        A ``torch_geometric.data.Batch`` with ``z`` (A,), ``pos`` (A, 3), ``cell`` (G, 3, 3), ``pbc`` (G, 3),
        ``edge_index`` (2, E: neighbour, centre), ``edge_image`` (E, 3), ``edge_vector`` (E, 3) and
        ``edge_length`` (E,), ``batch``, ``ptr`` and the labels by their names. It can be taken apart again
        (``to_data_list``).

    Raises:
        InputError: a label is called as one of these.
    """
    import torch
    from torch_geometric.data import Batch

    labels = {**graphs.labels_G, **graphs.labels_A}
    if taken := sorted(_OURS & set(labels)):
        raise InputError(
            f"'{taken[0]}' is a field of every batch", where="labels", remedy="give the label another name"
        )
    floating = getattr(torch, dtype)

    def tensor(array: NDArray[Any]) -> Any:
        found = torch.from_numpy(array if array.flags.writeable else array.copy())
        return found.to(floating) if found.is_floating_point() else found

    crystals, edges = graphs.crystals, graphs.neighbours
    ptr, ptr_E = tensor(crystals.first_G), tensor(graphs.first_edge_G)
    each = torch.arange(len(graphs) + 1)
    fields: dict[str, tuple[Any, Any]] = {
        "edge_index": (tensor(edges.index_2E), ptr_E),
        "z": (tensor(crystals.numbers_A).long(), ptr),
        "pos": (tensor(crystals.positions_A3), ptr),
        "cell": (tensor(crystals.cells_G33), each),
        "pbc": (tensor(crystals.periodic_G3), each),
        "edge_image": (tensor(edges.images_E3), ptr_E),
        "edge_vector": (tensor(edges.vectors_E3), ptr_E),
        "edge_length": (tensor(edges.distances_E), ptr_E),
        **{name: (tensor(values), each) for name, values in graphs.labels_G.items()},
        **{name: (tensor(values), ptr) for name, values in graphs.labels_A.items()},
    }
    batch = Batch(
        **{name: values for name, (values, _) in fields.items()},
        batch=torch.repeat_interleave(torch.arange(len(graphs)), tensor(crystals.sizes_G)),
        ptr=ptr,
    )
    # what Batch.from_data_list notes, so that graphs can be taken out again
    batch._num_graphs = len(graphs)  # noqa: SLF001
    batch._slice_dict = {name: slices for name, (_, slices) in fields.items()}  # noqa: SLF001
    nothing = torch.zeros(len(graphs), dtype=torch.long)
    batch._inc_dict = {name: ptr[:-1] if name == "edge_index" else nothing for name in fields}  # noqa: SLF001
    return batch
