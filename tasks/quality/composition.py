"""Energies of single elements: what is left of an energy when they are taken away can be compared."""

# N structures, E elements

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

HUBER: Final = 1.345  # robust deviations beyond which an energy loses weight: 95 % efficient on normal errors
ROUNDS: Final = 100
STILL: Final = 1e-7  # eV/atom: the fit has ended when nothing changes by more
DIRECTION: Final = 1e-6  # how much of an element may lie in a direction that the data do not determine


def cell_formula(symbols: Iterable[str]) -> str:
    """Elements in alphabetical order with the number of each in the whole cell: ``Al4O6``, ``Cu1``."""
    counts = Counter(symbols)
    return "".join(f"{element}{counts[element]}" for element in sorted(counts))


def reduced_formula(symbols: Iterable[str]) -> str:
    """Elements in alphabetical order with their smallest whole numbers: ``Al2O3``."""
    counts = Counter(symbols)
    common = gcd(*counts.values())
    return "".join(f"{element}{counts[element] // common}" for element in sorted(counts))


@dataclass(frozen=True, kw_only=True)
class ElementEnergies:
    """One energy for each element, of one level of theory.

    Attributes:
        energies: element → eV/atom.
        undetermined: elements that always come together in the data: only sums of theirs mean something.
        deviation: robust standard deviation of what is left, eV/atom.
    """

    energies: Mapping[str, float]
    undetermined: tuple[str, ...]
    deviation: float

    def of(self, symbols: Sequence[str]) -> float:
        """Their sum over a structure, eV.

        Raises:
            InputError: an element has none.
        """
        if missing := sorted(set(symbols) - set(self.energies)):
            raise InputError(
                f"no reference energy for {', '.join(missing)}",
                where="reference energies",
                remedy="fit them on data that hold these elements",
            )
        return float(sum(self.energies[symbol] for symbol in symbols))


def fractions(compositions: Sequence[Mapping[str, float]]) -> tuple[list[str], Any]:
    """The elements in alphabetical order, and the fraction of each in each composition, sparse (N, E)."""
    from scipy.sparse import csr_array

    elements = sorted({element for composition in compositions for element in composition})
    column = {element: i for i, element in enumerate(elements)}
    columns = [column[element] for composition in compositions for element in composition]
    parts = [
        count / total
        for composition in compositions
        for total in (sum(composition.values()),)
        for count in composition.values()
    ]
    first = np.concatenate([[0], np.cumsum([len(composition) for composition in compositions])])
    return elements, csr_array((parts, columns, first), shape=(len(compositions), len(elements)))


def fit_energies(
    compositions: Sequence[Mapping[str, float]],
    energies_N: NDArray[np.float64],
    *,
    fixed: Mapping[str, float] | None = None,
) -> ElementEnergies:
    """Fit one energy for each element, without being led astray by a few wrong labels.

    Huber's estimator by reweighted least squares (P. J. Huber, Ann. Math. Statist. 35, 73 (1964)), the scale
    being the median absolute deviation. Where the data leave a direction undetermined, the shortest solution
    is taken and its elements are named.

    Args:
        compositions: element → number, of each structure.
        energies_N: eV/atom (N,).
        fixed: element → eV/atom, those that are known, from pure elements say.

    Raises:
        InputError: there is nothing to fit, or an energy is not a number.
    """
    if not len(compositions) or not np.isfinite(energies_N).all():
        raise InputError(
            "an energy is not a number" if len(compositions) else "there are no energies",
            where="reference energies",
            remedy="fit on records that have one",
        )
    from scipy.sparse import diags_array

    elements, rows_NE = fractions(compositions)
    known = {element: energy for element, energy in (fixed or {}).items() if element in elements}
    free = [i for i, element in enumerate(elements) if element not in known]
    solution_E = np.array([known.get(element, 0.0) for element in elements])
    wanted_N = energies_N - rows_NE @ solution_E
    free_NE = rows_NE[:, free]
    weights_N = np.ones(len(wanted_N))
    scale = 0.0
    for _ in range(ROUNDS):
        before = solution_E[free].copy()
        normal_EE = (free_NE.T @ (diags_array(weights_N) @ free_NE)).toarray()
        right_E = free_NE.T @ (weights_N * wanted_N)
        solution_E[free] = np.linalg.lstsq(normal_EE, right_E, rcond=1e-10)[0]
        left_N = energies_N - rows_NE @ solution_E
        scale = 1.4826 * float(np.median(np.abs(left_N)))
        weights_N = 1 / np.maximum(1, np.abs(left_N) / (HUBER * scale + STILL))
        if np.abs(solution_E[free] - before).max(initial=0.0) < STILL:
            break
    values, vectors = np.linalg.eigh((free_NE.T @ free_NE).toarray())
    loose = np.abs(vectors[:, values < 1e-10 * values.max(initial=1.0)]).max(axis=1, initial=0.0) > DIRECTION
    return ElementEnergies(
        energies={element: float(energy) for element, energy in zip(elements, solution_E, strict=True)},
        undetermined=tuple(elements[i] for i, one in zip(free, loose, strict=True) if one),
        deviation=scale,
    )


def pure_energies(
    compositions: Sequence[Mapping[str, float]], energies_N: NDArray[np.float64]
) -> dict[str, float]:
    """The lowest energy of each pure element, eV/atom; elements that never come alone are left out."""
    lowest: dict[str, float] = {}
    for composition, energy in zip(compositions, energies_N, strict=True):
        if len(composition) == 1:
            (element,) = composition
            lowest[element] = min(float(energy), lowest.get(element, np.inf))
    return lowest
