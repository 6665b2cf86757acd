"""Several collections as one: other structures, other properties, each sample with the labels that it has.

What one property teaches about crystals helps with another (multi-property pre-training: Devi, Butler & Sai
Gautam, npj Computational Materials 10, 300 (2024)). The trunk is shared, each property has a head of its
own, and labels that a sample lacks are masked. Any collection can join: only its edges must be alike.
"""

# A atoms, E edges, G graphs of a batch, N samples of all collections, P properties of all

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.train.labelled import Labelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.train.graph_samples import GraphSource

SEPARATOR: Final = "/"  # between the name of a collection and that of a sample or property


def join(collections: Mapping[str, Labelled], *, own_heads: Sequence[str] = ()) -> Labelled:
    """Make several collections one.

    A property that two of them have under one name has one head, unless a collection is to have heads of its
    own (its labels are of another level of theory, say): then its properties are called ``collection/name``,
    and can have weights of their own.

    Args:
        collections: by name; samples are called ``collection/sample``.
        own_heads: collections whose properties are not shared.

    Raises:
        UnknownKeyError: a collection in ``own_heads`` is not there.
        InputError: there are none, one property has two units, or the graphs have different edges.
    """
    for name in own_heads:
        if name not in collections:
            raise UnknownKeyError.of(name, collections, where="own_heads")
    _check_edges(collections)
    units: dict[str, tuple[str, str]] = {}  # property → its unit, and the first collection that has it
    for name, one in collections.items():
        for called, unit in one.properties:
            known, first = units.setdefault(_called(called, name, own_heads), (unit, name))
            if known != unit:
                raise InputError(
                    f"in '{known}' in {first}, in '{unit}' in {name}",
                    where=f"property '{called}'",
                    remedy=f"convert one of them, or give {name} heads of its own",
                )
    columns = {name: column for column, name in enumerate(units)}
    values_NP = np.full((sum(len(one.names_N) for one in collections.values()), len(columns)), np.nan)
    start = 0
    for name, one in collections.items():
        own = [columns[_called(called, name, own_heads)] for called, _ in one.properties]
        values_NP[start : start + len(one.names_N), own] = one.values_NP
        start += len(one.names_N)
    return Labelled(
        source=JoinedSource([(one.source, len(one.names_N)) for one in collections.values()]),
        names_N=[f"{name}{SEPARATOR}{sample}" for name, one in collections.items() for sample in one.names_N],
        costs_N=np.concatenate([one.costs_N for one in collections.values()]),
        elements_N=[elements for one in collections.values() for elements in one.elements_N],
        values_NP=values_NP,
        properties=tuple((name, unit) for name, (unit, _) in units.items()),
    )


def join_splits(
    collections: Mapping[str, Labelled], splits: Mapping[str, Mapping[str, NDArray[np.int64]]]
) -> dict[str, NDArray[np.int64]]:
    """The parts of all collections together, as rows of the joined one.

    Args:
        collections: as they are joined.
        splits: of each collection; one without a split is left out.
    """
    found: dict[str, list[NDArray[np.int64]]] = {}
    start = 0
    for name, one in collections.items():
        for part, rows in splits.get(name, {}).items():
            found.setdefault(part, []).append(rows + start)
        start += len(one.names_N)
    return {part: np.concatenate(rows) for part, rows in found.items()}


def label_weights(
    labelled: Labelled,
    collections: Mapping[str, float] | None = None,
    properties: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """The weight of each property: 1, times what is said of it, times what is said of its collection.

    Args:
        labelled: a joined collection.
        collections: weights by name, of those that have heads of their own.
        properties: weights by name.

    Raises:
        UnknownKeyError: there is no such property, or no collection with heads of its own.
        InputError: a weight is not positive.
    """
    names = [name for name, _ in labelled.properties]
    owners = {name.split(SEPARATOR, 1)[0] for name in names if SEPARATOR in name}
    for given, known in ((collections or {}, owners), (properties or {}, names)):
        for key, weight in given.items():
            if key not in known:
                raise UnknownKeyError.of(key, known, where="weights")
            if not 0 < weight < np.inf:
                raise InputError(
                    f"it is {weight}", where=f"weight of '{key}'", remedy="give a positive number"
                )
    return {
        name: (collections or {}).get(name.split(SEPARATOR, 1)[0], 1.0) * (properties or {}).get(name, 1.0)
        for name in names
    }


class JoinedSource:
    """Graphs of several sources as one.

    Args:
        sources: each with the number of its graphs, one after the other.
    """

    def __init__(self, sources: Sequence[tuple[GraphSource, int]]) -> None:
        self.sources = [source for source, _ in sources]
        self._first = np.concatenate([[0], np.cumsum([count for _, count in sources])]).astype(np.int64)

    def read(self, indices: NDArray[np.int64]) -> Graphs:
        """Some graphs, in the order asked for; a graph may come more than once.

        Raises:
            InputError: there is no such graph.
        """
        chosen = np.asarray(indices, np.int64)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < self._first[-1]):
            raise InputError(
                f"graphs {chosen.min()} to {chosen.max()} of {self._first[-1]}",
                where="joined collections",
                remedy="graphs count from 0",
            )
        owners = np.searchsorted(self._first, chosen, side="right") - 1
        order = np.argsort(owners, kind="stable")
        read = [
            self.sources[owner].read(chosen[owners == owner] - self._first[owner])
            for owner in np.unique(owners).tolist()
        ]
        return reordered(read, np.argsort(order))


def reordered(parts: Sequence[Graphs], order_G: NDArray[np.int64]) -> Graphs:
    """Put graphs of several batches one after the other, in some order; their labels stay behind."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.featurize.neighbours import Neighbours

    crystals = Crystals(
        numbers_A=np.concatenate([one.crystals.numbers_A for one in parts]),
        positions_A3=np.concatenate([one.crystals.positions_A3 for one in parts]),
        cells_G33=np.concatenate([one.crystals.cells_G33 for one in parts]),
        periodic_G3=np.concatenate([one.crystals.periodic_G3 for one in parts]),
        first_G=_offsets(np.concatenate([one.crystals.sizes_G for one in parts])),
    )
    counts_A = np.concatenate([np.diff(one.neighbours.first_A) for one in parts])
    before_A = _offsets(counts_A)
    atoms = _ranges(crystals.first_G, order_G)
    edges = _ranges(before_A, atoms)
    place_A = np.empty(len(atoms), np.int64)  # where an atom goes
    place_A[atoms] = np.arange(len(atoms))
    starts = np.cumsum([0, *(len(one.crystals.numbers_A) for one in parts)])[:-1]
    index_2E = np.concatenate(
        [one.neighbours.index_2E + start for one, start in zip(parts, starts.tolist(), strict=True)], axis=1
    )
    return Graphs(
        crystals=crystals.take(order_G),
        neighbours=Neighbours(
            index_2E=place_A[index_2E[:, edges]],
            images_E3=np.concatenate([one.neighbours.images_E3 for one in parts])[edges],
            vectors_E3=np.concatenate([one.neighbours.vectors_E3 for one in parts])[edges],
            distances_E=np.concatenate([one.neighbours.distances_E for one in parts])[edges],
            first_A=_offsets(counts_A[atoms]),
        ),
    )


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _ranges(first: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of what belongs to each of some rows, one row after the other."""
    counts = np.diff(first)[order]
    found: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(
        first[order] - _offsets(counts)[:-1], counts
    )
    return found


def _called(name: str, collection: str, own_heads: Sequence[str]) -> str:
    return f"{collection}{SEPARATOR}{name}" if collection in own_heads else name


def _check_edges(collections: Mapping[str, Labelled]) -> None:
    """Refuse graphs that one network cannot read alike, where they say how they were made."""
    if not collections:
        raise InputError("there are none", where="collections", remedy="give one or more")
    said: dict[str, Any] = {}
    for name, one in collections.items():
        shard = getattr(one.source, "shard", None)
        if shard is not None and len(one.names_N):
            said[name] = dict(shard(0).about["edges"])
    for name, edges in said.items():
        first = next(iter(said))
        if edges != said[first]:
            raise InputError(
                f"edges {edges}; those of {first} are {said[first]}",
                where=f"collection '{name}'",
                remedy="write the shards of both with the same cutoff and k",
            )
