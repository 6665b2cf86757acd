"""Many shards as one long row of graphs: any of them is read, from wherever it lies, into one batch."""

# A atoms, E edges, G graphs of the set or of a batch

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Graphs
from zonemelt.tasks.featurize.neighbours import Neighbours
from zonemelt.tasks.shards.files import STRUCTURE, VERSION, Entry, Shard
from zonemelt.tasks.shards.mapped import damaged, mapped
from zonemelt.tasks.whole_files import sha256_of, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

INDEX: Final = "index.safetensors"


def write_index(directory: Path, entries: Sequence[Entry]) -> str:
    """Make shards one set: note them, in this order, with the sizes of all graphs.

    Args:
        directory: of the shards.
        entries: what :func:`zonemelt.tasks.shards.files.write_shard` returned.

    Returns:
        The hash of the set: what belongs into the provenance of what is trained on it.

    Raises:
        InputError: there are none, or they have different settings or labels.
        StoreError: a shard is missing or damaged, or the index cannot be written.
    """
    from safetensors.numpy import save

    if not entries:
        raise InputError("no shards", where=str(directory), remedy="write at least one")
    shards = [Shard(entry.path(directory)) for entry in entries]
    kinds = [_kind(shard) for shard in shards]
    for entry, kind in zip(entries, kinds, strict=True):
        if kind != kinds[0]:
            raise InputError(
                f"{kind} is not as in the first shard, {kinds[0]}",
                where=str(entry.path(directory)),
                remedy="write all shards of a set with the same edges and labels",
            )
    atoms_G = [np.diff(shard.arrays["first_G"]) for shard in shards]
    edges_G = [np.diff(shard.arrays["first_A"][shard.arrays["first_G"]]) for shard in shards]
    about = {"version": VERSION, "shards": [asdict(entry) for entry in entries]}
    name = hashlib.sha256("".join(entry.name for entry in entries).encode()).hexdigest()[:32]
    about["name"] = name
    tensors = {"atoms_G": np.concatenate(atoms_G), "edges_G": np.concatenate(edges_G)}
    write_whole(directory / INDEX, save(tensors, metadata={"zonemelt": json.dumps(about, sort_keys=True)}))
    return name


def _kind(shard: Shard) -> dict[str, Any]:
    """What all shards of a set have in common."""
    labels = {
        name: [array.dtype.name, *array.shape[1:]]
        for name, array in sorted(shard.arrays.items())
        if "." in name
    }
    return {"edges": shard.about["edges"], "labels": labels}


class ShardSet:
    """A set of shards, opened for reading; a shard is mapped when a graph of it is first asked for.

    Args:
        directory: of the shards, with their index.

    Attributes:
        directory: of the shards.
        name: the hash of the set.
        entries: its shards.
        atoms_G: atoms of each graph (G,), int64.
        edges_G: edges of each graph (G,), int64.

    Raises:
        StoreError: the index is missing or damaged.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        path = self.directory / INDEX
        about, arrays = mapped(path)
        try:
            self.name = str(about["name"])
            self.entries = tuple(Entry(**entry) for entry in about["shards"])
            self.atoms_G, self.edges_G = arrays["atoms_G"], arrays["edges_G"]
        except (KeyError, TypeError) as error:
            raise damaged(path, f"is not an index: {error}") from error
        self._first = np.concatenate([[0], np.cumsum([entry.graphs for entry in self.entries])])
        if not len(self.atoms_G) == len(self.edges_G) == self._first[-1]:
            raise damaged(path, f"has sizes of {len(self.atoms_G)} graphs, not of {self._first[-1]}")
        for sizes_G, name in ((self.atoms_G, "atoms"), (self.edges_G, "edges")):
            total = sum(getattr(entry, name) for entry in self.entries)
            if sizes_G.min(initial=0) < 0 or sizes_G.sum() != total:
                raise damaged(path, f"the {name} of the graphs do not add up to {total}")
        self._shards: dict[int, Shard] = {}

    def __len__(self) -> int:
        return len(self.atoms_G)

    def __reduce__(self) -> tuple[type[ShardSet], tuple[Path]]:
        """Go to another process as the name of the directory, and be mapped there."""
        return (ShardSet, (self.directory,))

    def shard(self, number: int) -> Shard:
        """One of the shards.

        Raises:
            StoreError: it is missing, short or damaged.
        """
        if number not in self._shards:
            entry = self.entries[number]
            path = entry.path(self.directory)
            if path.exists() and path.stat().st_size != entry.nbytes:
                raise damaged(path, f"has {path.stat().st_size} bytes, not {entry.nbytes}")
            shard = Shard(path)
            if len(shard.arrays["cells_G33"]) != entry.graphs:
                raise damaged(path, f"has {len(shard.arrays['cells_G33'])} graphs, not {entry.graphs}")
            self._shards[number] = shard
        return self._shards[number]

    def verify(self) -> None:
        """Work out the hashes of all shards again.

        Raises:
            StoreError: a shard is missing or damaged.
        """
        for number, entry in enumerate(self.entries):
            path = self.shard(number).path
            if (found := sha256_of(path)) != entry.sha256:
                raise damaged(path, f"its content has the hash {found[:12]}…, not {entry.sha256[:12]}…")

    def read(self, indices: NDArray[np.int64] | Sequence[int] | slice) -> Graphs:
        """Some graphs as flat arrays, in the order asked for; a graph may come more than once.

        No loop runs over graphs, only one over the shards that hold them.

        Raises:
            InputError: there is no such graph.
            StoreError: a shard is missing or damaged.
        """
        chosen = self._places(indices)
        first_G, first_edge_G = _offsets(self.atoms_G[chosen]), _offsets(self.edges_G[chosen])
        graphs, atoms, edges = len(chosen), int(first_G[-1]), int(first_edge_G[-1])
        crystals = Crystals(
            numbers_A=np.empty(atoms, np.uint8),
            positions_A3=np.empty((atoms, 3)),
            cells_G33=np.empty((graphs, 3, 3)),
            periodic_G3=np.empty((graphs, 3), np.bool_),
            first_G=first_G,
        )
        neighbours = Neighbours(
            index_2E=np.empty((2, edges), np.int64),
            images_E3=np.empty((edges, 3), np.int32),
            vectors_E3=np.empty((edges, 3)),
            distances_E=np.empty(edges),
            first_A=np.zeros(atoms + 1, np.int64),
        )
        owners = np.searchsorted(self._first, chosen, side="right") - 1
        labels: dict[str, dict[str, NDArray[Any]]] = {"graph": {}, "atom": {}}
        for number in np.unique(owners).tolist():
            slots = np.flatnonzero(owners == number)
            self._gather(
                number, chosen[slots] - self._first[number], slots, (crystals, neighbours, first_edge_G)
            )
            self._labels(number, chosen[slots] - self._first[number], slots, first_G, labels)
        return Graphs(
            crystals=crystals, neighbours=neighbours, labels_G=labels["graph"], labels_A=labels["atom"]
        )

    def _places(self, indices: NDArray[np.int64] | Sequence[int] | slice) -> NDArray[np.int64]:
        if isinstance(indices, slice):
            return np.arange(len(self))[indices]
        chosen = np.asarray(indices, np.int64).reshape(-1)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise InputError(
                f"graphs {chosen.min()} to {chosen.max()} of {len(self)}",
                where=str(self.directory),
                remedy="graphs count from 0",
            )
        return chosen

    def _gather(
        self,
        number: int,
        local: NDArray[np.int64],
        slots: NDArray[np.int64],
        batch: tuple[Crystals, Neighbours, NDArray[np.int64]],
    ) -> None:
        from zonemelt.tasks.shards.kernels import gather

        crystals, found, first_edge_G = batch
        shard = self.shard(number)
        out = (
            crystals.numbers_A, crystals.positions_A3, crystals.cells_G33, crystals.periodic_G3,
            crystals.first_G, first_edge_G, found.first_A, found.index_2E, found.images_E3,
            found.vectors_E3, found.distances_E,
        )  # fmt: skip
        bad = gather(tuple(shard.arrays[name] for name in STRUCTURE), local, slots, out)
        if bad >= 0:
            raise damaged(shard.path, f"graph {bad} is not as the index says")

    def _labels(
        self,
        number: int,
        local: NDArray[np.int64],
        slots: NDArray[np.int64],
        first_G: NDArray[np.int64],
        labels: dict[str, dict[str, NDArray[Any]]],
    ) -> None:
        shard = self.shard(number)
        for name, values in shard.labels("graph").items():
            out = labels["graph"].setdefault(
                name, np.empty((len(first_G) - 1, *values.shape[1:]), values.dtype)
            )
            out[slots] = values[local]
        if not (of_atoms := shard.labels("atom")):
            return
        starts = shard.arrays["first_G"][local]
        sizes = first_G[slots + 1] - first_G[slots]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows, to = np.repeat(starts, sizes) + within, np.repeat(first_G[slots], sizes) + within
        for name, values in of_atoms.items():
            out = labels["atom"].setdefault(name, np.empty((first_G[-1], *values.shape[1:]), values.dtype))
            out[to] = values[rows]


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
