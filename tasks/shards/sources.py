"""Where the structures of a shard come from: a list of geometries, or some rows of a dataset."""

# A atoms, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.crystals import Crystals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Source:
    """Structures with their labels; NaN where one is absent.

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
        InputError: there is no such dataset or version, or it has fewer rows.
        StoreError: it is damaged.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.datasets.arrays import CRYSTAL_COLUMNS, LABEL_COLUMNS, crystals_of, labels_of

    dataset = open_dataset(directory, version)
    batch = dataset.rows(np.arange(start, stop), [*CRYSTAL_COLUMNS, *LABEL_COLUMNS])
    labels = labels_of(batch)
    return Source(
        crystals=crystals_of(batch),
        labels_G={
            "energy_free": labels.energy_free_G,
            "energy_sigma0": labels.energy_sigma0_G,
            "stress": labels.stresses_G33,
        },
        labels_A={"forces": labels.forces_A3},
    )
