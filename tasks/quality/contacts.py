"""Two atoms that are closer than atoms come, in cells of any size and shape."""

# A atoms, P pairs of atoms closer than the cutoff

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry


USUAL: Final = 0.5  # of the sum of the covalent radii; uranyl comes to 0.67, pressed cells of MPtrj to 0.59
FAR: Final = 2.0  # of the same: farther, they do not touch
SKEWED: Final = 0.3  # volume over the product of the lengths; with less, a cell is reduced first


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Two atoms, or an atom and its own image.

    Attributes:
        first: place of the one among the atoms.
        second: place of the other.
        distance: Å.
        ratio: the distance over the sum of the covalent radii.
        described: in words.
    """

    first: int
    second: int
    distance: float
    ratio: float
    described: str


def too_close(geometry: Geometry, fraction: float) -> Contact | None:
    """The pair with the smallest distance over the sum of the covalent radii, if that is too small.

    Time and memory grow with the number of atoms only: the cell is reduced first, and atoms are put into
    boxes so small that two in one box are certainly too close; what passes has a bounded density.

    Args:
        geometry: of sensible volume and extent.
        fraction: of the sum of the covalent radii, the least distance that is believed.

    Returns:
        None if all distances are believed.
    """
    from ase.data import atomic_numbers, covalent_radii
    from ase.geometry import wrap_positions
    from vesin import NeighborList

    radii_A = covalent_radii[[atomic_numbers[symbol] for symbol in geometry.symbols]]
    periodic = np.array(geometry.periodic)
    cell = _reduced(np.array(geometry.cell), periodic)
    positions_A3 = wrap_positions(np.array(geometry.positions), cell, pbc=periodic)
    least = 2 * min(fraction, USUAL) * float(radii_A.min())
    if periodic.any() and (shortest := float(np.linalg.norm(cell[periodic], axis=1).min())) < least:
        smallest = int(radii_A.argmin())
        return _contact(geometry, radii_A, smallest, smallest, shortest)
    if (crowd := _in_one_box(positions_A3, least / np.sqrt(3))) is not None:
        apart = float(np.linalg.norm(positions_A3[crowd[0]] - positions_A3[crowd[1]]))
        return _contact(geometry, radii_A, *crowd, apart)
    search = NeighborList(cutoff=2 * fraction * float(radii_A.max()), full_list=False, n_threads=1)
    first_P, second_P, distances_P = search.compute(positions_A3, cell, periodic, "ijd")
    if not len(distances_P):
        return None
    ratios_P = distances_P / (radii_A[first_P] + radii_A[second_P])
    worst = int(ratios_P.argmin())
    if ratios_P[worst] >= fraction:
        return None
    return _contact(geometry, radii_A, int(first_P[worst]), int(second_P[worst]), float(distances_P[worst]))


def closest(geometry: Geometry) -> float:
    """The smallest distance over the sum of the covalent radii; NaN where none is below twice that."""
    found = too_close(geometry, FAR)
    return np.nan if found is None else found.ratio


def extent(geometry: Geometry) -> float:
    """The largest component of the periodic vectors, or side of the box around the atoms, Å."""
    largest = np.abs(np.array(geometry.cell)[np.array(geometry.periodic)]).max(initial=0.0)
    return float(np.ptp(np.array(geometry.positions), axis=0).max(initial=largest))


def _reduced(cell: NDArray[np.float64], periodic: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Vectors (3, 3) of the same lattice, the shortest there are where the given ones are very skewed."""
    from ase.geometry import minkowski_reduce

    if not periodic.any():
        return cell
    if periodic.all() and abs(np.linalg.det(cell)) > SKEWED * np.linalg.norm(cell, axis=1).prod():
        return cell
    reduced: NDArray[np.float64] = minkowski_reduce(cell, pbc=periodic)[0]
    return reduced


def _in_one_box(positions_A3: NDArray[np.float64], side: float) -> tuple[int, int] | None:
    """Two atoms in one cubic box of a side in Å, if there are two such."""
    boxes_A3 = np.floor(positions_A3 / side)
    order_A = np.lexsort(boxes_A3.T)
    same = (np.diff(boxes_A3[order_A], axis=0) == 0).all(axis=1)
    if not same.any():
        return None
    place = int(same.argmax())
    first, second = sorted((int(order_A[place]), int(order_A[place + 1])))
    return first, second


def _contact(
    geometry: Geometry, radii_A: NDArray[np.float64], first: int, second: int, distance: float
) -> Contact:
    a, b = geometry.symbols[first], geometry.symbols[second]
    what = (
        f"atom {first} ({a}) and its image" if first == second else f"atoms {first} ({a}) and {second} ({b})"
    )
    return Contact(
        first=first,
        second=second,
        distance=distance,
        ratio=distance / float(radii_A[first] + radii_A[second]),
        described=f"{what} are {distance:.2f} Å apart",
    )
