"""One key for one crystal, however its cell, its origin and the order of its atoms were chosen."""

# N atoms, W lattice automorphisms

from __future__ import annotations

import hashlib
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.quality.symmetry import primitive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry

SYMPREC: Final = 1e-3  # Å: copies of an atom in a supercell differ by less
STEP: Final = 0.01  # Å: of the grid, about
WORK: Final = 20_000_000  # coordinates to be sorted; beyond it the origin is taken as it is


def exact_key(geometry: Geometry) -> str:
    """A key that is the same for the same crystal.

    The cell is made primitive (spglib) and Niggli-reduced; of all origins on an atom of the rarest element
    and all ways to name the vectors of the lattice, the one is taken whose rounded coordinates sort first.
    So the key does not depend on the choice of the cell, on rotation, reflection, translation or the order
    of the atoms. Coordinates are rounded to a grid of 0.01 Å: different crystals have different keys, but
    one whose coordinates lie between two points of the grid may have two; the near ones are for
    :mod:`zonemelt.tasks.quality.duplicates`.

    What is not periodic along all three vectors, and very large cells in which every element is common, are
    compared as they lie, but for the order of the atoms.
    """
    symbols = np.array(geometry.symbols)
    if not all(geometry.periodic):
        return _as_it_lies(geometry)
    cell, fractions_N3, numbers_N = primitive(geometry, symprec=SYMPREC)
    lengths = np.linalg.norm(cell, axis=1)
    ways_W33 = _automorphisms(cell)
    kinds, counts = np.unique(numbers_N, return_counts=True)
    rarest = np.flatnonzero(numbers_N == kinds[counts.argmin()])
    if len(rarest) * len(ways_W33) * len(symbols) > WORK:
        return _as_it_lies(geometry)
    # halves, thirds, quarters and eighths of a vector lie on the grid, not between two of its points
    points = 24 * np.maximum(np.rint(lengths / (24 * STEP)), 1).astype(np.int64)
    best: bytes | None = None
    for way in ways_W33:
        inverse = np.rint(np.linalg.inv(way))
        named_N3 = fractions_N3 @ inverse
        for origin in rarest:
            grid_N3 = np.rint((named_N3 - named_N3[origin]) % 1 * points).astype(np.int64) % points
            rows = np.column_stack([numbers_N, grid_N3])
            said = rows[np.lexsort(rows.T[::-1])].tobytes()
            best = said if best is None or said < best else best
    return _digest(b"crystal", _shape(cell), best or b"")


@cache
def _unimodular() -> NDArray[np.int64]:
    """All matrices (W, 3, 3) of -1, 0 and 1 with determinant 1 or -1."""
    every = np.array(list(product((-1, 0, 1), repeat=9)), np.int64).reshape(-1, 3, 3)
    found: NDArray[np.int64] = every[np.abs(np.rint(np.linalg.det(every))) == 1]
    return found


def _automorphisms(cell: NDArray[np.float64]) -> NDArray[np.int64]:
    """The ways (W, 3, 3) to choose other vectors of the lattice with the same lengths and angles."""
    others_W33 = _unimodular()
    metric = cell @ cell.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    metrics_W33 = others_W33 @ metric @ others_W33.transpose(0, 2, 1)
    same = (np.abs(metrics_W33 - metric) < 2 * STEP * np.sqrt(scale)).all(axis=(1, 2))
    return others_W33[same]


def _shape(cell: NDArray[np.float64]) -> bytes:
    """Lengths of the vectors and their projections upon each other, rounded."""
    metric = cell @ cell.T
    lengths = np.sqrt(np.diag(metric))
    others = np.abs(metric[np.triu_indices(3, 1)]) / lengths.max()
    step = 1.0353 * STEP  # so that no usual length lies between two points
    return np.rint(np.concatenate([np.sort(lengths), np.sort(others)]) / step).astype(np.int64).tobytes()


def _as_it_lies(geometry: Geometry) -> str:
    rows = np.rint(np.array(geometry.positions) / STEP)
    order = np.lexsort((*rows.T[::-1], np.array(geometry.symbols)))
    symbols = " ".join(geometry.symbols[i] for i in order)
    cell = np.rint(np.array(geometry.cell) / STEP)
    periodic = bytes(geometry.periodic)
    return _digest(
        b"lying", symbols.encode(), periodic, (cell + 0.0).tobytes(), (rows[order] + 0.0).tobytes()
    )


def _digest(*parts: bytes) -> str:
    said = hashlib.sha256()
    for part in parts:
        said.update(len(part).to_bytes(8, "little") + part)
    return said.hexdigest()[:32]
