"""Where the structures of a shard come from: a list of geometries, or some rows of a dataset."""

# A atoms, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.datasets.dataset import Dataset

LABELS: Final = ("energy_free", "energy_sigma0", "stress", "forces")
"""The labels of a dataset; NaN where a record has none."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Structures with their labels.

    Attributes:
        crystals: G structures.
        labels_G: named arrays (G, …).
        labels_A: named arrays (A, …).
    """

    crystals: Crystals
    labels_G: dict[str, NDArray[Any]]
    labels_A: dict[str, NDArray[Any]]


def of_geometries(geometries: Sequence[Any]) -> Source:
    """Structures without labels, of :class:`zonemelt.tasks.records.Geometry` or dictionaries of it."""
    from zonemelt.tasks.records import Geometry

    crystals = Crystals.of(Geometry.model_validate(one) for one in geometries)
    return Source(crystals=crystals, labels_G={}, labels_A={})


def of_dataset(directory: Path | str, version: str, start: int, stop: int) -> Source:
    """Rows ``start`` to ``stop`` of a version of a dataset; only the parts that hold them are read.

    Raises:
        InputError: there is no such dataset or version.
        StoreError: it is damaged.
    """
    from zonemelt.tasks.datasets import open_dataset

    dataset = open_dataset(directory, version)
    pieces = [_rows(dataset, number, rows) for number, rows in _parts(dataset, start, stop)]
    crystals, labels = [piece[0] for piece in pieces], [piece[1] for piece in pieces]
    named = {name: np.concatenate([label[name] for label in labels]) for name in LABELS}
    forces = {"forces": named.pop("forces")}
    sizes = np.concatenate([one.sizes_G for one in crystals])
    joined = Crystals(
        numbers_A=np.concatenate([one.numbers_A for one in crystals]),
        positions_A3=np.concatenate([one.positions_A3 for one in crystals]),
        cells_G33=np.concatenate([one.cells_G33 for one in crystals]),
        periodic_G3=np.concatenate([one.periodic_G3 for one in crystals]),
        first_G=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )
    return Source(crystals=joined, labels_G=named, labels_A=forces)


def _parts(dataset: Dataset, start: int, stop: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Which rows of which parts: the number of a part, and rows counted without those left out."""
    sizes = [part.records - sum(end - first for first, end in part.left_out) for part in dataset.info.parts]
    first = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for number, (begin, end) in enumerate(zip(first[:-1].tolist(), first[1:].tolist(), strict=True)):
        rows = np.arange(max(start, begin), min(stop, end)) - begin
        if len(rows):
            found.append((number, rows))
    return found


def _rows(dataset: Dataset, number: int, rows: NDArray[np.int64]) -> tuple[Crystals, dict[str, NDArray[Any]]]:
    from zonemelt.tasks.datasets.arrays import CRYSTAL_COLUMNS, LABEL_COLUMNS, crystals_of, labels_of
    from zonemelt.tasks.datasets.scan import rows_at

    columns = [*CRYSTAL_COLUMNS, *LABEL_COLUMNS]
    part = dataset.info.parts[number]
    table = rows_at(dataset.directory, part, rows.tolist(), columns=columns).combine_chunks()
    (batch,) = table.to_batches()
    labels = labels_of(batch)
    return crystals_of(batch), {
        "energy_free": labels.energy_free_G,
        "energy_sigma0": labels.energy_sigma0_G,
        "stress": labels.stresses_G33,
        "forces": labels.forces_A3,
    }
