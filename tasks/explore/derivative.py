"""Enumerate the symmetry-distinct orderings of two elements on the fcc or the bcc lattice.

A superlattice of N sites is a Hermite normal form H of determinant N; an ordering gives each of its
N sites a colour. Orderings that a rotation of the lattice or a shift of the origin carry into each
other are one; orderings that repeat within the cell belong to a smaller N. After Hart and Forcade,
Phys. Rev. B 77, 224115 (2008); counts are checked against their Table IV.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

# Rows are the primitive vectors of the lattice, in units of the cubic lattice parameter.
FCC: Final = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
BCC: Final = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]])
LATTICES: Final = {"fcc": FCC, "bcc": BCC}


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """One ordering: rows of ``hermite`` are the cell in primitive vectors; one colour a site."""

    hermite: tuple[tuple[int, int, int], ...]
    colours: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of sites."""
        return len(self.colours)

    def sites(self) -> Integers:
        """Sites (N, 3) in primitive vectors, in the order of the colours."""
        return _sites(self.hermite)


def orderings(size: int, lattice: str = "fcc") -> list[Ordering]:
    """All symmetry-distinct orderings of two colours with ``size`` sites, both colours present.

    A size of 1 gives the two pure lattices.
    """
    found: list[Ordering] = []
    for hermite in _distinct_lattices(size, lattice):
        permutations = _symmetries(hermite, lattice)
        shifts = _shifts(hermite)
        for colours in itertools.product((0, 1), repeat=size):
            if size > 1 and len(set(colours)) == 1:
                continue
            row = np.array(colours)
            if any((row[s] == row).all() for s in shifts[1:]):
                continue  # repeats within the cell
            if min(tuple(row[p]) for p in permutations) == colours:
                found.append(Ordering(hermite=hermite, colours=colours))
    return found


@lru_cache
def rotations(lattice: str = "fcc") -> tuple[Integers, ...]:
    """The 48 rotations of a cubic lattice as integer matrices on its primitive vectors."""
    primitive = LATTICES[lattice]
    inverse = np.linalg.inv(primitive)
    matrices = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            cartesian = np.zeros((3, 3))
            cartesian[range(3), axes] = signs
            matrices.append(np.rint(primitive @ cartesian @ inverse).astype(np.int64))
    return tuple(matrices)


def hermite_form(rows: Integers) -> tuple[tuple[int, int, int], ...]:
    """The lower-triangular Hermite normal form of the lattice spanned by integer ``rows`` (3, 3)."""
    work = rows.copy()
    for column in (2, 1, 0):
        while True:
            block = [r for r in range(column + 1) if work[r, column]]
            pivot = min(block, key=lambda r: abs(work[r, column]))
            work[[pivot, column]] = work[[column, pivot]]
            if len(block) == 1:
                break
            for row in range(column):
                work[row] -= (work[row, column] // work[column, column]) * work[column]
        if work[column, column] < 0:
            work[column] *= -1
    for column in (1, 0):
        for row in range(column + 1, 3):
            work[row] -= (work[row, column] // work[column, column]) * work[column]
    return tuple(tuple(int(v) for v in row) for row in work)  # type: ignore[misc]


def _lattices(size: int) -> Iterator[tuple[tuple[int, int, int], ...]]:
    for a in range(1, size + 1):
        for c in range(1, size // a + 1):
            if size % (a * c):
                continue
            f = size // (a * c)
            for b, d, e in itertools.product(range(a), range(a), range(c)):
                yield ((a, 0, 0), (b, c, 0), (d, e, f))


def superlattices(size: int) -> list[tuple[tuple[int, int, int], ...]]:
    """All cells that hold ``size`` of a given one, as rows in its vectors."""
    return [hermite_form(np.array(hermite)) for hermite in _lattices(size)]


def _distinct_lattices(size: int, lattice: str) -> list[tuple[tuple[int, int, int], ...]]:
    """One superlattice of each class that rotations carry into each other."""
    seen: set[tuple[tuple[int, int, int], ...]] = set()
    distinct = []
    for hermite in _lattices(size):
        canonical = hermite_form(np.array(hermite))
        if canonical not in seen:
            distinct.append(canonical)
            seen.update(hermite_form(np.array(canonical) @ r) for r in rotations(lattice))
    return distinct


def _sites(hermite: tuple[tuple[int, int, int], ...]) -> Integers:
    return np.array(list(itertools.product(*(range(hermite[i][i]) for i in range(3)))))


def _index(points: Integers, hermite: tuple[tuple[int, int, int], ...]) -> Integers:
    """Which site of the cell each lattice point (N, 3) is, after folding into the cell."""
    folded = points.copy()
    for axis in (2, 1, 0):
        folded -= np.outer(folded[:, axis] // hermite[axis][axis], hermite[axis])
    strides: Integers = np.array([hermite[1][1] * hermite[2][2], hermite[2][2], 1])
    index: Integers = folded @ strides
    return index


def _shifts(hermite: tuple[tuple[int, int, int], ...]) -> list[Integers]:
    sites = _sites(hermite)
    return [_index(sites + shift, hermite) for shift in sites]


def _symmetries(hermite: tuple[tuple[int, int, int], ...], lattice: str) -> list[Integers]:
    """Permutations of the sites by rotations that keep the superlattice, with every shift."""
    sites = _sites(hermite)
    kept = [r for r in rotations(lattice) if hermite_form(np.array(hermite) @ r) == hermite]
    unique = {tuple(_index(sites @ r + shift, hermite)) for r in kept for shift in sites}
    return [np.array(permutation) for permutation in sorted(unique)]
