"""Collections, graphs in shards with the properties of a dataset's records, and their splits, as documents.

Graph ``i`` of the shards is row ``i`` of the version of the dataset.
"""

# N records, P properties

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads it)
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from pydantic import Field, field_validator

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.quality.splits import SHOWN, split_groups
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document
from zonemelt.tasks.train.labelled import Labelled, check_split
from zonemelt.tasks.train.property_values import read_properties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PARTS: Final = ("train", "validation", "test")
FRACTIONS: Final = {"train": 0.8, "validation": 0.1, "test": 0.1}


class Collection(Document):
    """What is learnt from: shards, the dataset that they were made of, and which of its properties."""

    shards: Path = Field(description="directory of a shard set; absolute")
    dataset: Path = Field(description="directory of the dataset; absolute")
    version: str = Field(description="hash of the version of the dataset")
    properties: tuple[str, ...] = Field(
        min_length=1, description="names of the records' properties; energy_per_atom, energy_free_per_atom"
    )
    ignoring: tuple[str, ...] = Field(
        default=(), description="fields of the level of theory that may differ, because somebody said so"
    )

    @field_validator("shards", "dataset")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("the path must be absolute: jobs run in directories of their own")
        return path


class WithLabels(Protocol):
    """What can be split: a :class:`.Labelled`, or :class:`.PropertyValues`."""

    @property
    def names_N(self) -> Sequence[str]:
        """What each record is called (N,)."""
        ...

    @property
    def elements_N(self) -> Sequence[frozenset[str]]:
        """Symbols of the elements in each (N,)."""
        ...

    @property
    def values_NP(self) -> NDArray[np.float64]:
        """Properties (N, P)."""
        ...


def read_collection(document: Mapping[str, Any]) -> Labelled:
    """Open the shards of a collection and read its properties.

    Args:
        document: a :class:`Collection` as JSON; or several, see :func:`.read_joined`.

    Raises:
        InputError: the document is wrong, a property is not there (the nearest name is given), is no number
            or infinite, has two units or several levels of theory, or the shards are not of the dataset.
        StoreError: the shards or the dataset are damaged.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.shards.shard_set import ShardSet

    if "joined" in document:
        return read_joined(document)
    collection = read_settings(Collection, document, where="collection")
    dataset = open_dataset(collection.dataset, collection.version)
    shards = ShardSet(collection.shards)
    found = read_properties(dataset, collection.properties, ignoring=collection.ignoring)
    _same_atoms(found.natoms_N, shards.atoms_G, collection)
    return Labelled(
        source=shards,
        names_N=found.names_N,
        costs_N=shards.edges_G,
        elements_N=found.elements_N,
        values_NP=found.values_NP,
        properties=found.properties,
    )


def read_joined(document: Mapping[str, Any]) -> Labelled:
    """Read several collections as one.

    Args:
        document: ``{"joined": {name: collection, …}, "own_heads": [name, …]}``; see :func:`.read_collection`
            for a collection, and :func:`join` for the heads.

    Raises:
        UnknownKeyError: another key is there.
        InputError: a collection cannot be read, or they cannot be joined.
    """
    from zonemelt.tasks.train.joined import join

    for key in document:
        if key not in {"joined", "own_heads"}:
            raise UnknownKeyError.of(key, ("joined", "own_heads"), where="joined collections")
    found = {name: read_collection(one) for name, one in document["joined"].items()}
    return join(found, own_heads=document.get("own_heads", ()))


def split_of(document: Mapping[str, Any], labelled: WithLabels) -> dict[str, NDArray[np.int64]]:
    """The rows of each part of a split.

    Args:
        document: rows of ``train`` and, where wanted, ``validation`` and ``test``; or ``{"file": PATH,
            "hash": HASH}``, of a :class:`.Split` that names records (the hash is checked where it is given);
            or ``{"method": "random" | "elements", "seed": SEED, "fractions": {…}}``, drawn among the records
            that have a label, whole chemical systems at a time for ``elements``.
        labelled: what is split.

    Raises:
        InputError: a part is unknown, empty or overlaps another, ``train`` is missing, a record or row is not
            there, or the file is not the one that was meant.
    """
    if "file" in document:
        split = _from_file(document, labelled.names_N)
    elif "method" in document:
        split = _drawn(document, labelled)
    else:
        split = {part: _rows(part, rows, len(labelled.names_N)) for part, rows in document.items()}
    for part in split:
        if part not in PARTS:
            raise UnknownKeyError.of(part, PARTS, where="parts of the split")
    if empty := [part for part in split if not len(split[part])] or ["train"] * ("train" not in split):
        raise InputError(
            f"part '{empty[0]}' is empty", where="split", remedy="give it records, or leave the part out"
        )
    check_split(split, labelled.names_N)
    return split


def _same_atoms(natoms_N: NDArray[np.int64], atoms_G: NDArray[np.int64], collection: Collection) -> None:
    if len(natoms_N) == len(atoms_G) and (natoms_N == atoms_G).all():
        return
    raise InputError(
        f"{len(atoms_G)} graphs, {atoms_G.sum()} atoms; the dataset has {len(natoms_N)} records, "
        f"{natoms_N.sum()} atoms",
        where=str(collection.shards),
        remedy=f"write the shards of version {collection.version[:12]} of {collection.dataset}",
    )


def _rows(part: str, rows: Any, count: int) -> NDArray[np.int64]:
    found = np.asarray(rows)
    if found.size and (found.ndim != 1 or found.dtype.kind not in "iu"):
        raise InputError(
            "it is no list of rows", where=f"part '{part}' of the split", remedy="give whole numbers from 0"
        )
    found = found.astype(np.int64).reshape(-1)
    if found.size and not (found.min() >= 0 and found.max() < count):
        raise InputError(
            f"rows {found.min()} to {found.max()} of {count} records",
            where=f"part '{part}' of the split",
            remedy="rows count from 0",
        )
    return found


def _from_file(document: Mapping[str, Any], names_N: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    from zonemelt.tasks.quality.split_file import read_split

    _keys(document, ("file", "hash"))
    split = read_split(document["file"])
    if document.get("hash", split.hash) != split.hash:
        raise InputError(
            f"its hash is {split.hash}, not {document['hash']}",
            where=str(document["file"]),
            remedy="it was changed after the campaign began: begin another one",
        )
    return rows_of(split.parts, names_N)


def rows_of(parts: Mapping[str, Sequence[str]], names_N: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Rows of records that are named by their identifiers.

    Raises:
        InputError: a record is not there, or its identifier is that of several.
    """
    row_of = {name: row for row, name in enumerate(names_N)}
    if len(row_of) < len(names_N):
        twice = next(name for row, name in enumerate(names_N) if row_of[name] != row)
        raise InputError(
            f"several records are called {twice}", where="dataset", remedy="split it by rows, not by names"
        )
    strangers = [one for members in parts.values() for one in members if one not in row_of]
    if strangers:
        raise InputError(
            f"{len(strangers)} records that are not there: {', '.join(strangers[:SHOWN])}",
            where="split",
            remedy="is it the split of this dataset?",
        )
    return {part: np.array([row_of[one] for one in members], np.int64) for part, members in parts.items()}


def _drawn(document: Mapping[str, Any], labelled: WithLabels) -> dict[str, NDArray[np.int64]]:
    _keys(document, ("method", "seed", "fractions"))
    if document["method"] not in {"random", "elements"} or not isinstance(document.get("seed"), int):
        raise InputError(
            f"method '{document['method']}', seed {document.get('seed')}",
            where="split",
            remedy="say random or elements, and a whole number as seed",
        )
    known_N = np.flatnonzero(np.isfinite(labelled.values_NP).any(axis=1)).tolist()
    width = len(str(len(labelled.names_N)))
    key = {f"{row:0{width}}": row for row in known_N}
    systems = {one: "-".join(sorted(labelled.elements_N[row])) for one, row in key.items()}
    drawn = split_groups(
        key,
        document.get("fractions", FRACTIONS),
        seed=document["seed"],
        groups=systems if document["method"] == "elements" else None,
    )
    return {part: np.array([key[one] for one in members], np.int64) for part, members in drawn.parts.items()}


def _keys(document: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in document:
        if key not in known:
            raise UnknownKeyError.of(key, known, where="split")
