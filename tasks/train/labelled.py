"""Graphs with their labels, and which of them a training may not take twice."""

# N samples, P properties

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.splits import repeated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.tasks.train.graph_samples import GraphSource


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Graphs with their properties.

    Attributes:
        source: of the graphs.
        names_N: what each is called (N,).
        costs_N: edges of each (N,).
        elements_N: symbols of the elements in each (N,).
        values_NP: properties (N, P), in their units; NaN where one is not known.
        properties: name and unit of each.
    """

    source: GraphSource
    names_N: Sequence[str]
    costs_N: NDArray[Any]
    elements_N: Sequence[frozenset[str]]
    values_NP: NDArray[np.float64]
    properties: tuple[tuple[str, str], ...]

    def digest(self, rows: NDArray[np.int64]) -> str:
        """A hash of some samples: their names and values, in any order."""
        lines = sorted(f"{self.names_N[row]} {self.values_NP[row].tolist()}" for row in rows.tolist())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def check_split(split: Mapping[str, NDArray[np.int64]], names_N: Sequence[str]) -> None:
    """Refuse a split in which a sample is twice.

    Raises:
        InputError: with the samples.
    """
    for row, parts in repeated({part: rows.tolist() for part, rows in split.items()}).items():
        where = " and in ".join(f"'{part}'" for part in parts)
        raise InputError(
            f"'{names_N[row]}' is in {where}",
            where="split",
            remedy="a sample belongs into one part, once",
        )
