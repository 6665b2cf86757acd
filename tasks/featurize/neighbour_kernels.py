"""Find the periodic neighbours of atoms: the loops, compiled.

Why not vesin for every cell: a call from Python takes 50 µs before anything is searched, and cells of
fewer than some hundred atoms are done here in less. The images of a pair are enumerated as lattice points
within a sphere (Fincke & Pohst, Math. Comp. 44, 463 (1985), section 2): the cell is triangular in a frame
of its own, so the outermost index alone fixes one coordinate, the next a second, and hardly any image
outside the sphere is looked at, however skewed the cell. What is found does not depend on who searched: a
search proposes pairs a little beyond the cutoff, and one expression (`_edge`) decides.
"""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEYOND = 1e-8  # Å: a distance counts as within the cutoff up to here, as in pymatgen
RESOLUTION = 1e-6  # Å: distances are equal that round to the same multiple of it
MARGIN = 1e-6  # Å: a search looks this much further than it is asked to
GROWTH = 1.35  # of the radius, where some atom had too few


@compiled
def _edge(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    i: int,
    j: int,
    image: tuple[int, int, int],
) -> tuple[float, float, float, float]:
    """From atom i to an image of atom j: the vector and its length."""
    x = positions[j, 0] - positions[i, 0]
    y = positions[j, 1] - positions[i, 1]
    z = positions[j, 2] - positions[i, 2]
    x += image[0] * cell[0, 0] + image[1] * cell[1, 0] + image[2] * cell[2, 0]
    y += image[0] * cell[0, 1] + image[1] * cell[1, 1] + image[2] * cell[2, 1]
    z += image[0] * cell[0, 2] + image[1] * cell[1, 2] + image[2] * cell[2, 2]
    return x, y, z, np.sqrt(x * x + y * y + z * z)


@compiled
def _span(start: float, step: float, room: float) -> tuple[int, int]:
    """Which n put ``start + n step`` into [-room, room]: the first, and one after the last.

    A step of zero is a direction that does not repeat.
    """
    if step == 0.0:
        return (0, 1) if abs(start) <= room else (0, 0)
    return int(np.ceil((-room - start) / step)), int(np.floor((room - start) / step)) + 1


@compiled
def _candidates(
    i: int,
    radius: float,
    structure: tuple[Any, ...],
    found_C4: NDArray[np.int64],
    lengths_C: NDArray[np.float64],
) -> int:
    """Write the neighbours of one atom within a radius; by neighbour, then image.

    Args:
        i: the atom, counted within its structure.
        radius: Å.
        structure: positions (N, 3), the same in the frame of the cell (N, 3), the cell, the triangular
            cell, and which lattice vector each level of the enumeration runs over.
        found_C4: where to write neighbour and image.
        lengths_C: where to write the distances, Å.

    Returns:
        How many there are; beyond C they are only counted.
    """
    positions, turned, cell, triangle, order = structure
    reach = radius + MARGIN
    square = reach * reach
    step_0, step_1, step_2 = triangle[0, 0], triangle[1, 1], triangle[2, 2]
    shift = np.zeros(3, np.int64)
    count = 0
    for j in range(len(positions)):
        x_0 = turned[j, 0] - turned[i, 0]
        first_0, end_0 = _span(x_0, step_0, reach)
        for n_0 in range(first_0, end_0):
            at_0 = x_0 + n_0 * step_0
            rest_0 = square - at_0 * at_0
            x_1 = turned[j, 1] - turned[i, 1] + n_0 * triangle[0, 1]
            first_1, end_1 = _span(x_1, step_1, np.sqrt(max(rest_0, 0.0)))
            for n_1 in range(first_1, end_1):
                at_1 = x_1 + n_1 * step_1
                rest_1 = rest_0 - at_1 * at_1
                x_2 = turned[j, 2] - turned[i, 2] + n_0 * triangle[0, 2] + n_1 * triangle[1, 2]
                first_2, end_2 = _span(x_2, step_2, np.sqrt(max(rest_1, 0.0)))
                for n_2 in range(first_2, end_2):
                    if i == j and n_0 == 0 and n_1 == 0 and n_2 == 0:
                        continue
                    shift[order[0]], shift[order[1]], shift[order[2]] = n_0, n_1, n_2
                    image = (shift[0], shift[1], shift[2])
                    length = _edge(positions, cell, i, j, image)[3]
                    if length <= radius + BEYOND:
                        if count < len(lengths_C):
                            found_C4[count, 0] = j
                            found_C4[count, 1:] = shift
                            lengths_C[count] = length
                        count += 1
    return count


@compiled
def _nearest(k: int, count: int, lengths_C: NDArray[np.float64], chosen_K: NDArray[np.int64]) -> int:
    """Choose the k nearest of the candidates, which come by neighbour, then image.

    They are ordered by their distance in units of the resolution; at equal distance the first stays first.

    Returns:
        How many were chosen; ``chosen_K`` begins with their places.
    """
    kept = 0
    for c in range(count):
        key = np.rint(lengths_C[c] / RESOLUTION)
        if kept == k and key >= np.rint(lengths_C[chosen_K[k - 1]] / RESOLUTION):
            continue
        at = kept if kept < k else k - 1
        while at > 0 and key < np.rint(lengths_C[chosen_K[at - 1]] / RESOLUTION):
            chosen_K[at] = chosen_K[at - 1]
            at -= 1
        chosen_K[at] = c
        kept += kept < k
    return kept


@compiled
def _complete(
    k: int,
    kept: int,
    radii: tuple[float, float],
    lengths_C: NDArray[np.float64],
    chosen_K: NDArray[np.int64],
) -> bool:
    """Whether a search further out could not change the k nearest."""
    radius, cutoff = radii
    if radius >= cutoff:
        return True
    return kept == k and lengths_C[chosen_K[k - 1]] < radius - 2 * RESOLUTION


@compiled
def _write(
    edge: int,
    centre: tuple[int, int],
    found: NDArray[np.int64],
    structure: tuple[Any, ...],
    out: tuple[Any, ...],
) -> None:
    index_2E, images_E3, vectors_E3, distances_E = out
    first, i = centre
    image = (found[1], found[2], found[3])
    x, y, z, length = _edge(structure[0], structure[2], i, found[0], image)
    index_2E[0, edge] = first + found[0]
    index_2E[1, edge] = first + i
    images_E3[edge, 0], images_E3[edge, 1], images_E3[edge, 2] = image
    vectors_E3[edge, 0], vectors_E3[edge, 1], vectors_E3[edge, 2] = x, y, z
    distances_E[edge] = length


@compiled
def _empty(size: int) -> tuple[Any, ...]:
    return (
        np.empty((2, size), np.int64),
        np.empty((size, 3), np.int32),
        np.empty((size, 3), np.float64),
        np.empty(size, np.float64),
    )


@compiled
def _larger(out: tuple[Any, ...], used: int, size: int) -> tuple[Any, ...]:
    index_2E, images_E3, vectors_E3, distances_E = out
    more = _empty(size)
    more[0][:, :used] = index_2E[:, :used]
    more[1][:used] = images_E3[:used]
    more[2][:used] = vectors_E3[:used]
    more[3][:used] = distances_E[:used]
    return more


@compiled
def edges_within_radii(
    crystals: tuple[Any, ...], frames: tuple[Any, ...], radii_G: NDArray[np.float64], cutoff: float, k: int
) -> tuple[Any, ...]:
    """All neighbours within the cutoff (k = 0), or the k nearest of them.

    Args:
        crystals: positions (A, 3), cells (G, 3, 3), where the atoms of each begin (G + 1,).
        frames: positions in the frames of the cells (A, 3), triangular cells (G, 3, 3), orders (G, 3).
        radii_G: how far to search at first, Å; at most the cutoff.
        cutoff: Å.
        k: how many neighbours.

    Returns:
        (neighbour, centre) (2, E), images (E, 3), vectors (E, 3), distances (E,), and where the edges of
        each atom begin (A + 1,).
    """
    positions_A3, cells_G33, first_G = crystals
    turned_A3, triangles_G33, orders_G3 = frames
    first_A = np.zeros(len(positions_A3) + 1, np.int64)
    size = len(positions_A3) * k if k else 16 * len(positions_A3)
    out = _empty(size)
    found_C4 = np.empty((256, 4), np.int64)
    lengths_C = np.empty(256, np.float64)
    chosen_K = np.empty(k, np.int64)
    used = 0
    for g in range(len(cells_G33)):
        first, end = first_G[g], first_G[g + 1]
        structure = (
            positions_A3[first:end], turned_A3[first:end], cells_G33[g], triangles_G33[g], orders_G3[g]
        )  # fmt: skip
        for i in range(end - first):
            radius = radii_G[g]
            while True:
                count = _candidates(i, radius, structure, found_C4, lengths_C)
                if count > len(lengths_C):
                    found_C4 = np.empty((2 * count, 4), np.int64)
                    lengths_C = np.empty(2 * count, np.float64)
                    continue
                kept = _nearest(k, count, lengths_C, chosen_K) if k else count
                if not k or _complete(k, kept, (radius, cutoff), lengths_C, chosen_K):
                    break
                radius = min(cutoff, GROWTH * radius)
            if used + kept > len(out[3]):
                out = _larger(out, used, 2 * (used + kept))
            for number in range(kept):
                place = chosen_K[number] if k else number
                _write(used + number, (first, i), found_C4[place], structure, out)
            used += kept
            first_A[first + i + 1] = used
    return out[0][:, :used], out[1][:used], out[2][:used], out[3][:used], first_A


@compiled
def _counted(
    keys_P2: NDArray[np.uint64], column: int, order_P: NDArray[np.int64], atoms: int
) -> tuple[Any, Any]:
    """Sort an order further by one column, keeping it otherwise: by counting, as keys are atoms."""
    first = np.zeros(atoms + 1, np.int64)
    for p in range(len(keys_P2)):
        first[np.int64(keys_P2[p, column]) + 1] += 1
    first = np.cumsum(first)
    free = first.copy()
    sorted_P = np.empty(len(order_P), np.int64)
    for p in order_P:
        key = np.int64(keys_P2[p, column])
        sorted_P[free[key]] = p
        free[key] += 1
    return sorted_P, first


@compiled
def _after(one: NDArray[np.int32], other: NDArray[np.int32]) -> bool:
    """Whether an image comes after another."""
    for x in range(3):
        if one[x] != other[x]:
            return bool(one[x] > other[x])
    return False


@compiled
def _by_neighbour_and_image(
    pairs_P2: NDArray[np.uint64], shifts_P3: NDArray[np.int32], atoms: int
) -> tuple[Any, Any]:
    """The order of pairs by centre, neighbour and image, and where those of each centre begin."""
    order_P, _ = _counted(pairs_P2, 1, np.arange(len(pairs_P2)), atoms)
    order_P, first = _counted(pairs_P2, 0, order_P, atoms)
    for place in range(1, len(order_P)):  # few images of one pair, so insertion
        p, at = order_P[place], place
        while at > 0:
            before = order_P[at - 1]
            if (
                pairs_P2[before, 0] != pairs_P2[p, 0]
                or pairs_P2[before, 1] != pairs_P2[p, 1]
                or not _after(shifts_P3[before], shifts_P3[p])
            ):
                break
            order_P[at] = before
            at -= 1
        order_P[at] = p
    return order_P, first


@compiled
def edges_of_pairs(
    structure: tuple[Any, ...], first: int, pairs: tuple[Any, ...], radii: tuple[float, float], k: int
) -> tuple[Any, ...]:
    """The same of one structure, from pairs that somebody else has found.

    Args:
        structure: positions (N, 3), None, the cell (3, 3).
        first: number of its first atom.
        pairs: centre and neighbour (P, 2) and images (P, 3), in any order.
        radii: how far was searched, and the cutoff, Å.
        k: how many neighbours; 0 for all.

    Returns:
        Whether the search went far enough, and then what :func:`edges_within_radii` returns.
    """
    pairs_P2, shifts_P3 = pairs
    radius, cutoff = radii
    atoms = len(structure[0])
    order_P, starts = _by_neighbour_and_image(pairs_P2, shifts_P3, atoms)
    out = _empty(k * atoms if k else len(order_P))
    first_A = np.zeros(atoms + 1, np.int64)
    most = np.max(np.diff(starts)) if atoms else 0
    lengths_C = np.empty(most, np.float64)
    found_C4 = np.empty((most, 4), np.int64)
    chosen_K = np.empty(k, np.int64)
    used = 0
    far_enough = True
    for i in range(atoms):
        count = 0
        for place in range(starts[i], starts[i + 1]):
            p = order_P[place]
            j: Any = np.int64(pairs_P2[p, 1])
            image = (shifts_P3[p, 0], shifts_P3[p, 1], shifts_P3[p, 2])
            length = _edge(structure[0], structure[2], i, j, image)[3]
            if length <= radius + BEYOND:
                found_C4[count, 0] = j
                found_C4[count, 1:] = shifts_P3[p]
                lengths_C[count] = length
                count += 1
        kept = _nearest(k, count, lengths_C, chosen_K) if k else count
        if k and not _complete(k, kept, (radius, cutoff), lengths_C, chosen_K):
            far_enough = False
            break
        for number in range(kept):
            chosen = chosen_K[number] if k else number
            _write(used + number, (first, i), found_C4[chosen], structure, out)
        used += kept
        first_A[i + 1] = used
    return far_enough, out[0][:, :used], out[1][:used], out[2][:used], out[3][:used], first_A
