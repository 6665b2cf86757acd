"""The rotation-invariant products of the atomic cluster expansion, as polynomials for a compiled loop."""

# C channels (element and radial function), D degrees (l, m), V all sums of an atom (channel, then degree)
# F features of an atom, M terms of all features, 4 factors of a term

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MOST: Final = 4  # sums in a product
_NOTHING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Products:
    """Features as sums of terms; each term is a coefficient times up to four of the sums of an atom.

    Attributes:
        factors_M4: which sums (M, 4), int32; V, which stands for 1, where there are fewer.
        coefficients_M: of the terms.
        feature_M: which feature each term belongs to, ascending.
        roughness_F: how fast a feature varies: the sum over its factors of n² + l², n from 1.
    """

    factors_M4: NDArray[np.int32]
    coefficients_M: NDArray[np.float64]
    feature_M: NDArray[np.int64]
    roughness_F: NDArray[np.float64]


@lru_cache(maxsize=8)
def products(kinds: int, radial: int, degree: int, higher: tuple[int, ...]) -> Products:
    """All features of one, two and more sums.

    A. Bochkarev et al., Phys. Rev. Materials 6, 013804 (2022), eqs. 8-13: products of sums over neighbours,
    coupled to what does not change under rotation or inversion. Couplings that are the same, or combinations
    of others, because factors are the same, are left out.

    Args:
        kinds: elements of neighbours.
        radial: functions of the distance.
        degree: highest l.
        higher: see :class:`.linear.Basis`.
    """
    channels, sums = kinds * radial, kinds * radial * (degree + 1) ** 2
    factors: list[Sequence[int]] = []
    coefficients: list[float] = []
    feature: list[int] = []
    roughness: list[float] = []
    width = (degree + 1) ** 2

    def add(slots: Sequence[tuple[int, int]], terms: Iterator[tuple[tuple[int, ...], float]]) -> None:
        for orders, coefficient in terms:
            places = [c * width + order**2 + m for (c, order), m in zip(slots, orders, strict=True)]
            factors.append([*places, *[sums] * (MOST - len(places))])
            coefficients.append(coefficient)
            feature.append(len(roughness))
        roughness.append(float(sum((c % radial + 1) ** 2 + order**2 for c, order in slots)))

    for c in range(channels):
        add([(c, 0)], iter([((0,), 1.0)]))
    for order in range(degree + 1):
        for one, other in combinations_with_replacement(range(channels), 2):
            share = 1.0 / (2 * order + 1)
            add([(one, order), (other, order)], (((m, m), share) for m in range(2 * order + 1)))
    for count, most in enumerate(higher, start=3):
        for slots in _slots(channels, radial, degree, count, most):
            alike = tuple(slots.index(slot) for slot in slots)
            for terms in couplings(tuple(order for _, order in slots), alike):
                add(slots, iter(terms))
    return Products(
        factors_M4=np.array(factors, np.int32).reshape(-1, MOST),
        coefficients_M=np.array(coefficients),
        feature_M=np.array(feature, np.int64),
        roughness_F=np.array(roughness),
    )


def _slots(
    channels: int, radial: int, degree: int, count: int, most: int
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Sorted choices of so many (channel, l) whose n - 1 and l add up to at most so much."""
    single = [
        (c, order) for c in range(channels) for order in range(degree + 1) if c % radial + order <= most
    ]

    def grow(start: int, left: int, count: int) -> Iterator[tuple[tuple[int, int], ...]]:
        if not count:
            yield ()
            return
        for place in range(start, len(single)):
            c, order = single[place]
            if (cost := c % radial + order) <= left:
                for rest in grow(place, left - cost, count - 1):
                    yield (single[place], *rest)

    for slots in grow(0, most, count):
        if sum(order for _, order in slots) % 2 == 0:
            yield slots


@cache
def couplings(degrees: tuple[int, ...], alike: tuple[int, ...]) -> list[list[tuple[tuple[int, ...], float]]]:
    """The independent invariants of a product of so many spherical tensors.

    Args:
        degrees: l of each.
        alike: the first tensor that each one is the same as.

    Returns:
        Of each invariant its terms: the orders m of the tensors, from 0, and a coefficient; the squares of
        the coefficients add up to 1.
    """
    found: dict[tuple[int, ...], int] = {}
    rows: list[dict[int, float]] = []
    for invariant in _invariants(degrees):
        row: dict[int, float] = {}
        for orders in np.argwhere(np.abs(invariant) > _NOTHING):
            key = _sorted_alike(tuple(orders.tolist()), alike)
            place = found.setdefault(key, len(found))
            row[place] = row.get(place, 0.0) + float(invariant[tuple(orders)])
        rows.append(row)
    matrix = np.zeros((len(rows), len(found)))
    for number, row in enumerate(rows):
        matrix[number, list(row)] = list(row.values())
    if not matrix.size:
        return []
    _, sizes, turned = np.linalg.svd(matrix, full_matrices=False)
    keys = list(found)
    return [
        [(keys[place], float(each[place])) for place in np.flatnonzero(np.abs(each) > _NOTHING)]
        for size, each in zip(sizes, turned, strict=True)
        if size > 1e-7 * max(sizes[0], _NOTHING)
    ]


def _sorted_alike(orders: tuple[int, ...], alike: tuple[int, ...]) -> tuple[int, ...]:
    """A product does not depend on the order of factors of one tensor: the orders m in ascending order."""
    chosen = list(orders)
    for first in set(alike):
        places = [place for place, other in enumerate(alike) if other == first]
        for place, order in zip(places, sorted(orders[place] for place in places), strict=True):
            chosen[place] = order
    return tuple(chosen)


def _invariants(degrees: tuple[int, ...]) -> Iterator[NDArray[np.float64]]:
    """Tensors, one axis for each factor, that couple spherical tensors of these degrees to a number."""
    import torch
    from e3nn.o3 import wigner_3j

    def symbol(*three: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = wigner_3j(*three, dtype=torch.float64).numpy()
        return found

    if len(degrees) == 3:  # noqa: PLR2004
        one, two, three = degrees
        if abs(one - two) <= three <= one + two:
            yield symbol(one, two, three)
        return
    one, two, three, four = degrees
    for between in range(max(abs(one - two), abs(three - four)), min(one + two, three + four) + 1):
        yield np.einsum("abm,cdm->abcd", symbol(one, two, between), symbol(three, four, between))
