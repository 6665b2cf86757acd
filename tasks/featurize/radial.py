"""Radial distribution functions of many crystals.

Equal to matminer's ``RadialDistributionFunction`` divided by the number of atoms, so that it is the same in
any cell of a crystal and goes to 1 at long distances; and a distance on the edge of two bins counts for the
outer one whatever its last digits are, so that a rotation moves none.
"""

# A atoms of all structures, B bins, E edges, G structures

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

_EDGES: Final = 1_000_000  # at a time: 60 MB
_MOST: Final = 100_000_000  # in one structure: 6 GB
_ON_EDGE: Final = 1e-6  # of a bin


def radial_edges(*, cutoff: float = 20.0, width: float = 0.1) -> NDArray[np.float64]:
    """Where the bins begin, and where the last ends (B + 1,), Å.

    Raises:
        InputError: the bins do not fill the range up to the cutoff.
    """
    bins = round(cutoff / width) if width > 0 else 0
    if bins < 1 or abs(bins * width - cutoff) > _ON_EDGE * width:
        raise InputError(
            f"bins of {width} Å do not fill {cutoff} Å", where="radial", remedy="give a cutoff of whole bins"
        )
    return np.linspace(0.0, cutoff, bins + 1)


def radial_labels(*, cutoff: float = 20.0, width: float = 0.1) -> tuple[str, ...]:
    """What the columns of :func:`radial` are called, as in matminer."""
    edges = radial_edges(cutoff=cutoff, width=width)
    return tuple(f"rdf [{a:.5f} - {b:.5f}]A" for a, b in pairwise(edges))


def radial(crystals: Crystals, *, cutoff: float = 20.0, width: float = 0.1) -> NDArray[np.float64]:
    """How much denser than on average atoms lie at each distance from another.

    Args:
        crystals: G structures with volume.
        cutoff: largest distance, Å.
        width: of the bins, Å.

    Returns:
        Functions (G, B), dimensionless; they go to 1 at long distances.

    Raises:
        InputError: the bins do not fill the range, or a structure cannot be searched, or has too many
            neighbours for the memory.
    """
    from zonemelt.tasks.featurize.neighbours import within

    edges = radial_edges(cutoff=cutoff, width=width)
    bins = len(edges) - 1
    volumes_G = np.abs(np.linalg.det(crystals.cells_G33))
    shells_B = 4 / 3 * np.pi * np.diff(edges**3)
    counts = np.zeros((len(crystals), bins))
    for rows in _few(crystals, volumes_G, cutoff):
        some = crystals.take(rows)
        found = within(some, cutoff=cutoff)
        owners_E = np.repeat(np.repeat(np.arange(len(some)), some.sizes_G), found.counts_A)
        bins_E = np.floor(found.distances_E / width + _ON_EDGE).astype(np.int64)
        inside = bins_E < bins
        keys = owners_E[inside] * bins + bins_E[inside]
        counts[rows] = np.bincount(keys, minlength=len(some) * bins).reshape(len(some), bins)
    density_G = crystals.sizes_G / volumes_G
    return np.asarray(counts / shells_B / (density_G * crystals.sizes_G)[:, None])


def _few(crystals: Crystals, volumes_G: NDArray[np.float64], cutoff: float) -> Iterator[slice]:
    """Structures that have about ``_EDGES`` edges together.

    Raises:
        InputError: one has too many alone.
    """
    expected_G = crystals.sizes_G**2 / volumes_G * 4 / 3 * np.pi * cutoff**3
    if (expected_G > _MOST).any():
        row = int(expected_G.argmax())
        size, edges = crystals.sizes_G[row], expected_G[row]
        raise InputError(
            f"its {size} atoms have about {edges:.0e} neighbours within {cutoff:g} Å",
            where=f"structure {row}",
            remedy="take a shorter cutoff, or its primitive cell",
        )
    groups_G = np.cumsum(expected_G) // _EDGES
    bounds = [*np.flatnonzero(np.diff(groups_G, prepend=-1)).tolist(), len(crystals)]
    for start, end in pairwise(bounds):
        yield slice(start, end)
