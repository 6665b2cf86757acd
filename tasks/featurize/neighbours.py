"""Find the neighbours of every atom of many crystals: all within a cutoff, or the k nearest of those.

An edge leads from a centre to a neighbour or to one of its periodic images. Which edges there are is exact,
and independent of the machine: a distance counts as within the cutoff up to 1e-8 Å beyond (as in pymatgen),
and of neighbours equally far (to 1e-6 Å) those are chosen first that come first among the atoms, then those
of the lower image, so the same crystal gives the same edges everywhere.

The k nearest are looked for close by first, within a radius that would hold twice as many at the crystal's
density, and further out, up to the cutoff, only for atoms that have too few there.
"""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

LARGE: Final = 700
"""Atoms from which on a cell list (vesin's) is faster than looking at every pair."""
_OPEN_RADIUS: Final = 5.0  # Å, where to look first in what has no volume
_FLATTEST: Final = 1e-3  # Å between two lattice planes
_DENSEST: Final = 100_000  # images of an atom to look at; 8 Å and 0.35 Å between planes in all directions


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The edges of many structures, one after the other; those of an atom are together.

    Attributes:
        index_2E: the neighbour (row 0) and the centre (row 1) of each edge (2, E), int64, counted over all
            structures: PyG's ``edge_index``, in which messages go from neighbour to centre.
        images_E3: which periodic image of the neighbour (E, 3), int32.
        vectors_E3: from the centre to that image (E, 3), Å:
            ``positions[neighbour] - positions[centre] + image @ cell``.
        distances_E: their lengths (E,), Å.
        first_A: where the edges of each atom begin, and the end of the last (A + 1,), int64.
    """

    index_2E: NDArray[np.int64]
    images_E3: NDArray[np.int32]
    vectors_E3: NDArray[np.float64]
    distances_E: NDArray[np.float64]
    first_A: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.distances_E)

    @property
    def counts_A(self) -> NDArray[np.int64]:
        """How many neighbours each atom has (A,): fewer than k where the cutoff holds fewer."""
        return np.diff(self.first_A)


def within(crystals: Crystals, *, cutoff: float) -> Neighbours:
    """All neighbours within a cutoff (Å); by centre, neighbour and image.

    Raises:
        InputError: the cutoff is not a positive number, or a structure cannot be used.
    """
    return _neighbours(crystals, cutoff, 0)


def nearest(crystals: Crystals, *, cutoff: float, k: int) -> Neighbours:
    """The k nearest neighbours within a cutoff (Å); by centre and distance.

    With 8 Å and 12 these are the edges of CGCNN (Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018)).

    Raises:
        InputError: the cutoff or k is not a positive number, or a structure cannot be used.
    """
    if k < 1:
        raise InputError(f"{k} neighbours", where="k", remedy="ask for at least one")
    return _neighbours(crystals, cutoff, k)


def _neighbours(crystals: Crystals, cutoff: float, k: int) -> Neighbours:
    from zonemelt.tasks.featurize.neighbour_kernels import edges_within_radii

    if not (np.isfinite(cutoff) and cutoff > 0):
        raise InputError(f"a cutoff of {cutoff} Å", where="cutoff", remedy="give a positive number of Å")
    _check_finite(crystals)
    crystals = _writable(crystals)
    frames = _frames(crystals)
    radii_G = _radii(crystals, cutoff, k)
    _check_dense(frames[1], radii_G)
    large = crystals.sizes_G > LARGE
    if not large.any():
        flat = (crystals.positions_A3, crystals.cells_G33, crystals.first_G)
        return _as_neighbours([edges_within_radii(flat, frames, radii_G, float(cutoff), k)])
    # runs of small structures between large ones
    bounds = np.flatnonzero(np.concatenate([[True], large[1:] | large[:-1], [True]]))
    parts = []
    for start, end in pairwise(bounds):
        some = crystals.take(slice(int(start), int(end)))
        first = int(crystals.first_G[start])
        if large[start]:
            parts.append(_of_large(some, first, float(radii_G[start]), float(cutoff), k))
            continue
        rows = slice(first, int(crystals.first_G[end]))
        turned, triangles, orders = frames
        found = edges_within_radii(
            (some.positions_A3, some.cells_G33, some.first_G),
            (turned[rows], triangles[start:end], orders[start:end]),
            radii_G[start:end], float(cutoff), k,
        )  # fmt: skip
        parts.append((found[0] + first, *found[1:]))
    return _as_neighbours(parts)


def _writable(crystals: Crystals) -> Crystals:
    """Copy what is read-only, such as columns of a file: numba would compile everything once more for it."""
    return replace(
        crystals,
        positions_A3=np.require(crystals.positions_A3, np.float64, ["C", "W"]),
        cells_G33=np.require(crystals.cells_G33, np.float64, ["C", "W"]),
        first_G=np.require(crystals.first_G, np.int64, ["C", "W"]),
    )


def _as_neighbours(parts: list[tuple[Any, ...]]) -> Neighbours:
    if len(parts) == 1:
        index, images, vectors, distances, first = parts[0]
        index = np.ascontiguousarray(index)
    else:
        index = np.concatenate([part[0] for part in parts], axis=1)
        images, vectors, distances = (np.concatenate([part[n] for part in parts]) for n in (1, 2, 3))
        counts = [np.diff(part[4]) for part in parts]
        first = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return Neighbours(
        index_2E=index, images_E3=images, vectors_E3=vectors, distances_E=distances, first_A=first
    )


def _check_finite(crystals: Crystals) -> None:
    """Refuse what cannot be searched, naming the structure."""
    if not np.isfinite(crystals.positions_A3).all():
        atom = int(np.flatnonzero(~np.isfinite(crystals.positions_A3).all(axis=1))[0])
        structure = int(np.searchsorted(crystals.first_G, atom, side="right")) - 1
        raise InputError(
            f"atom {atom - int(crystals.first_G[structure])} has no finite position",
            where=f"structure {structure}",
            remedy="quarantine it: quality control finds such structures",
        )
    bad = np.flatnonzero(~np.isfinite(crystals.cells_G33).all(axis=(1, 2)))
    if bad.size:
        raise InputError(
            "the cell is not finite",
            where=f"structure {bad[0]}",
            remedy="quarantine it: quality control finds such structures",
        )


def _frames(crystals: Crystals) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Turn each structure so that its repeating lattice vectors form a triangle.

    Returns:
        Positions in these frames (A, 3), the lattice vectors as the rows of triangular matrices
        (G, 3, 3), zero for those that do not repeat, and which lattice vector each row is (G, 3): those
        that do not repeat first, then the others in their order.

    Raises:
        InputError: lattice vectors along which a structure repeats lie in a plane or on a line.
    """
    periodic = crystals.periodic_G3
    orders_G3 = np.argsort(periodic, axis=1, kind="stable")
    cells = np.where(periodic[:, :, None], crystals.cells_G33, 0.0)
    rows = np.take_along_axis(cells, orders_G3[:, :, None], axis=1)
    # QR makes the first column simplest, and the innermost level of the search must be: hence reversed
    turns, corners = np.linalg.qr(rows[:, ::-1].swapaxes(1, 2))
    turns_G33 = turns[:, :, ::-1]
    triangles_G33 = corners[:, ::-1, ::-1].swapaxes(1, 2)
    heights = np.abs(np.diagonal(triangles_G33, axis1=1, axis2=2))
    repeating = np.take_along_axis(periodic, orders_G3, axis=1)
    flat = np.flatnonzero((repeating & (heights < _FLATTEST)).any(axis=1))
    if flat.size:
        raise InputError(
            "the cell has no volume",
            where=f"structure {flat[0]}",
            remedy="give lattice vectors that do not lie in a plane, or say along which it does not repeat",
        )
    signs_G3 = np.where(np.diagonal(triangles_G33, axis1=1, axis2=2) < 0, -1.0, 1.0)
    turns_G33 = turns_G33 * signs_G3[:, None, :]
    triangles_G33 = np.ascontiguousarray(triangles_G33 * signs_G3[:, None, :])
    triangles_G33[~repeating] = 0.0
    turned_A3 = np.einsum("ax,axy->ay", crystals.positions_A3, np.repeat(turns_G33, crystals.sizes_G, axis=0))
    return turned_A3, triangles_G33, orders_G3


def _check_dense(triangles_G33: NDArray[np.float64], radii_G: NDArray[np.float64]) -> None:
    """Refuse a cell of which a sphere holds so many that it must be a mistake, and would take for ever."""
    heights = np.diagonal(triangles_G33, axis1=1, axis2=2)
    spans = np.where(heights > 0, 2 * radii_G[:, None] / np.where(heights > 0, heights, 1.0), 0.0)
    images_G = (spans + 1).prod(axis=1)
    dense = np.flatnonzero(images_G > _DENSEST)
    if dense.size:
        raise InputError(
            f"about {images_G[dense[0]]:.0e} cells are within {radii_G[dense[0]]:.3g} Å of an atom",
            where=f"structure {dense[0]}",
            remedy="is the cell in Å? quarantine it, or give a smaller cutoff",
        )


def _radii(crystals: Crystals, cutoff: float, k: int) -> NDArray[np.float64]:
    """How far to look at first (G,), Å."""
    if not k:
        return np.full(len(crystals), float(cutoff))
    volumes = np.abs(np.linalg.det(crystals.cells_G33))
    solid = crystals.periodic_G3.all(axis=1) & (crystals.sizes_G > 0)
    per_atom = volumes / np.maximum(crystals.sizes_G, 1)
    radii = np.where(solid, np.cbrt(2.0 * (k + 1) * per_atom * 3 / (4 * np.pi)), _OPEN_RADIUS)
    return np.minimum(radii, float(cutoff))


def _of_large(one: Crystals, first: int, radius: float, cutoff: float, k: int) -> tuple[Any, ...]:
    """The edges of one large structure: vesin finds pairs, the selection is ours."""
    from vesin import NeighborList

    from zonemelt.tasks.featurize.neighbour_kernels import GROWTH, MARGIN, edges_of_pairs

    periodic = one.periodic_G3[0]
    cell = _completed(one.cells_G33[0], periodic)
    structure = (one.positions_A3, None, one.cells_G33[0])
    while True:
        search = NeighborList(cutoff=radius + MARGIN, full_list=True, n_threads=1)
        pairs = search.compute(one.positions_A3, cell, periodic, "PS", copy=False)
        far_enough, *found = edges_of_pairs(structure, first, pairs, (radius, cutoff), k)
        if far_enough:
            return tuple(found)
        radius = min(cutoff, GROWTH * radius)


def _completed(cell_33: NDArray[np.float64], periodic_3: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The cell with unit vectors, normal to the others, where it does not repeat: vesin inverts it."""
    from ase.geometry import complete_cell

    completed: NDArray[np.float64] = complete_cell(np.where(periodic_3[:, None], cell_33, 0.0))
    return completed
