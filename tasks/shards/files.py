"""One shard: a safetensors file of graphs, mapped into memory.

What can be worked out again to the last bit is not stored: an edge is its neighbour (counted within its
graph) and its image, ten bytes; vectors and distances follow from positions and cell as it is read. The
name of a shard is a hash of what it was made from, so making it again finds it done.
"""

# A atoms of all graphs of the shard, E edges, G graphs

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.featurize.graphs import Edges, Graphs, graphs_of
from zonemelt.tasks.shards.mapped import DTYPES, damaged, mapped
from zonemelt.tasks.whole_files import sha256_of, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

VERSION: Final = 1
STRUCTURE: Final[dict[str, tuple[type[np.generic], tuple[int, ...]]]] = {
    "numbers_A": (np.uint8, ()),
    "positions_A3": (np.float64, (3,)),
    "cells_G33": (np.float64, (3, 3)),
    "periodic_G3": (np.bool_, (3,)),
    "first_G": (np.int64, ()),
    "first_A": (np.int64, ()),
    "neighbours_E": (np.int32, ()),
    "images_E3": (np.int16, (3,)),
}
"""The arrays of every shard: type, and shape after the first axis."""
CRYSTAL: Final = ("numbers_A", "positions_A3", "cells_G33", "periodic_G3", "first_G")
"""Those of them that make its structures."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the index says of a shard.

    Attributes:
        name: hash of the structures, labels and settings it was made from.
        graphs: G.
        atoms: A.
        edges: E.
        nbytes: size of the file.
        sha256: of the file.
    """

    name: str
    graphs: int
    atoms: int
    edges: int
    nbytes: int
    sha256: str

    def path(self, directory: Path) -> Path:
        """Where the shard is."""
        return directory / f"{self.name}.safetensors"


def write_shard(
    directory: Path,
    crystals: Crystals,
    edges: Edges,
    *,
    labels_G: Mapping[str, NDArray[Any]] | None = None,
    labels_A: Mapping[str, NDArray[Any]] | None = None,
) -> Entry:
    """Make graphs of crystals and write them as one shard, unless it is there already.

    Args:
        directory: of the shards; made where it is missing.
        crystals: G structures, at least one.
        edges: which edges the graphs have.
        labels_G: named arrays (G, …).
        labels_A: named arrays (A, …).

    Returns:
        The entry of the index.

    Raises:
        InputError: a structure cannot be searched, or a label does not fit.
        StoreError: the file cannot be written.
    """
    labels = {"graph": dict(labels_G or {}), "atom": dict(labels_A or {})}
    if not len(crystals):
        raise InputError("no structures", where=f"a shard of {directory}", remedy="give at least one")
    name = _name(crystals, edges, labels)
    path = directory / f"{name}.safetensors"
    if path.exists():
        with contextlib.suppress(StoreError):  # a damaged one is written again
            return _entry(path, Shard(path))
    graphs = graphs_of(crystals, edges, labels_G=labels_G, labels_A=labels_A)
    tensors = _tensors(graphs)
    for kind, named in labels.items():
        tensors |= {f"{kind}.{label}": _plain(values, label) for label, values in named.items()}
    from safetensors.numpy import save

    about = {"version": VERSION, "name": name, "edges": asdict(edges)}
    write_whole(path, save(tensors, metadata={"zonemelt": json.dumps(about, sort_keys=True)}))
    return _entry(path, Shard(path))


def _name(crystals: Crystals, edges: Edges, labels: dict[str, dict[str, NDArray[Any]]]) -> str:
    """A hash of the bits of everything that the shard depends on."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(edges)], sort_keys=True).encode())
    arrays = {name: getattr(crystals, name) for name in CRYSTAL}
    for kind, named in labels.items():
        arrays |= {f"{kind}.{name}": values for name, values in named.items()}
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.data)
    return digest.hexdigest()[:32]


def _tensors(graphs: Graphs) -> dict[str, NDArray[Any]]:
    crystals, found = graphs.crystals, graphs.neighbours
    first_E = np.repeat(crystals.first_G[:-1], np.diff(graphs.first_edge_G))
    furthest = np.abs(found.images_E3).max(initial=0)
    if furthest > np.iinfo(np.int16).max:
        raise InputError(
            f"an edge leads {furthest} cells away",
            where="the structures of a shard",
            remedy="wrap the atoms into their cells",
        )
    arrays = {
        "numbers_A": crystals.numbers_A,
        "positions_A3": crystals.positions_A3,
        "cells_G33": crystals.cells_G33,
        "periodic_G3": crystals.periodic_G3,
        "first_G": crystals.first_G,
        "first_A": found.first_A,
        "neighbours_E": found.index_2E[0] - first_E,
        "images_E3": found.images_E3,
    }
    return {name: np.ascontiguousarray(array, STRUCTURE[name][0]) for name, array in arrays.items()}


def _plain(values: NDArray[Any], label: str) -> NDArray[Any]:
    if values.dtype.type not in DTYPES.values():
        raise InputError(
            f"values of type {values.dtype}", where=f"label '{label}'", remedy="give numbers or booleans"
        )
    return np.ascontiguousarray(values)


def _entry(path: Path, shard: Shard) -> Entry:
    arrays = shard.arrays
    return Entry(
        name=path.stem,
        graphs=len(arrays["first_G"]) - 1,
        atoms=len(arrays["numbers_A"]),
        edges=len(arrays["neighbours_E"]),
        nbytes=path.stat().st_size,
        sha256=sha256_of(path),
    )


class Shard:
    """A shard, mapped into memory: its arrays are views of the file that all readers of a node share.

    Args:
        path: the file.

    Attributes:
        path: the file.
        arrays: name → array, read-only; see this module for the names.
        about: what the writer noted: version, name, settings of the edges.

    Raises:
        StoreError: it is missing, short or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about, self.arrays = mapped(path)
        if self.about.get("version") != VERSION:
            raise damaged(path, f"it is of version {self.about.get('version')!r}, not {VERSION}")
        _check(path, self.arrays)

    @property
    def crystals(self) -> Crystals:
        """All its structures, without a copy."""
        return Crystals(**{name: self.arrays[name] for name in CRYSTAL})

    def labels(self, kind: str) -> dict[str, NDArray[Any]]:
        """The labels of its graphs (``graph``) or atoms (``atom``), without a copy."""
        return {
            name.removeprefix(f"{kind}."): array
            for name, array in self.arrays.items()
            if name.startswith(f"{kind}.")
        }


def _check(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """See that the arrays belong together; each edge is looked at when it is read."""
    for name, (dtype, shape) in STRUCTURE.items():
        if name not in arrays or arrays[name].dtype != dtype or arrays[name].shape[1:] != shape:
            raise damaged(path, f"the array {name} is missing or of another kind")
    graphs, atoms = len(arrays["cells_G33"]), len(arrays["numbers_A"])
    lengths = {
        "positions_A3": atoms, "first_A": atoms + 1, "first_G": graphs + 1, "periodic_G3": graphs,
        "images_E3": len(arrays["neighbours_E"]),
    }  # fmt: skip
    lengths |= {name: graphs for name in arrays if name.startswith("graph.")}
    lengths |= {name: atoms for name in arrays if name.startswith("atom.")}
    for name, length in lengths.items():
        if len(arrays[name]) != length:
            raise damaged(path, f"the array {name} has {len(arrays[name])} rows, not {length}")
    for name, end in (("first_G", atoms), ("first_A", len(arrays["neighbours_E"]))):
        first = arrays[name]
        if first[0] != 0 or first[-1] != end or (np.diff(first) < 0).any():
            raise damaged(path, f"the array {name} does not rise from 0 to {end}")
