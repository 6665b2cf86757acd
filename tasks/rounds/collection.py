"""Make a version of a dataset what committees are trained on: shards of graphs, and a split that is kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.shards.jobs import chunks, shard_of
from zonemelt.tasks.shards.shard_set import write_index

if TYPE_CHECKING:
    from collections.abc import Sequence

_GRAPHS = 10_000  # of a shard


def split_of_names(
    names: Sequence[str], elements: Sequence[str], *, validation: float, seed: int
) -> dict[str, list[int]]:
    """Rows of training and validation; what was in a part stays there while the dataset grows, but for a few.

    Their order is that of the names, not of the rows, which depends on how long labels took: so the same
    labels are the same sums to the last bit.

    Args:
        names: of the records.
        elements: of each, as ``Al-Cu``; an element must be in the training part before it is validated on.
        validation: share of the records, at least one of them.
        seed: another seed, another split.

    Raises:
        InputError: there are fewer than two records.
    """
    if len(names) < 2:  # noqa: PLR2004  one to train on, one to validate on
        raise InputError(
            f"{len(names)} records", where="dataset", remedy="label two structures or more to begin with"
        )
    order = sorted(
        range(len(names)), key=lambda row: hashlib.sha256(f"{seed} {names[row]}".encode()).digest()
    )
    wanted = min(max(1, round(validation * len(names))), len(names) - 1)
    train, kept = order[wanted:], order[:wanted]
    trained = {symbol for row in train for symbol in elements[row].split("-")}
    kept = [row for row in kept if trained.issuperset(elements[row].split("-"))]
    if not kept:  # every one has an element of its own: take the first whose elements are common
        count = Counter(elements)
        kept = [max((*train, *order[:wanted]), key=lambda row: count[elements[row]])]
    held = set(kept)
    return {"train": [row for row in order if row not in held], "validation": kept}


@job
def collection_job(
    *, dataset: str, version: str, directory: str, cutoff: float, validation: float, seed: int
) -> dict[str, Any]:
    """Write the shards of a version, all edges within the cutoff, and split it.

    Args:
        dataset: its directory.
        version: its hash.
        directory: of the shards.
        cutoff: longest edge, Å.
        validation: see :func:`split_of_names`.
        seed: of the split.

    Returns:
        ``collection`` and ``split``, as trainings take them.
    """
    found, edges = open_dataset(dataset, version), Edges(cutoff=cutoff, k=None)
    entries = [
        shard_of(source, edges=edges, directory=Path(directory))
        for source in chunks(dataset, found.version, records=len(found), graphs=_GRAPHS)
    ]
    write_index(Path(directory), entries)
    frame = found.frame(["identifier", "elements"])
    split = split_of_names(
        frame["identifier"].tolist(), frame["elements"].tolist(), validation=validation, seed=seed
    )
    return {
        "collection": {"shards": directory, "dataset": dataset, "version": found.version},
        "split": split,
    }
