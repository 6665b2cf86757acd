"""Describe compositions by statistics of what is known of their elements (Magpie).

The 132 numbers are those of matminer's ``ElementProperty.from_preset("magpie")``, in its order and under
its labels; :func:`ward` adds what else of Ward's set has a closed form. Source: L. Ward, A. Agrawal,
A. Choudhary, C. Wolverton, npj Computational Materials 2, 16028 (2016), Methods.

The table of elements, ``magpie_elements.csv``, has gaps: helium has no electronegativity, radon no space
group, elements from nihonium on have nothing. A statistic of a property that one of the elements lacks is
NaN; with ``missing="mean"`` the property's mean over the elements that have it stands in, as matminer's
``impute_nan=True`` has it.
"""

# N compositions, K elements of each, P properties, S statistics, F features, E all elements in a row

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.compositions import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.compositions import Compositions

    Missing = Literal["nan", "mean"]

STATISTICS: Final = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
NORMS: Final = (0, 2, 3, 5, 7, 10)
ORBITALS: Final = ("s", "p", "d", "f")
_ROWS: Final = 256  # compositions at a time: their numbers stay in the cache


@cache
def elements() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The names of the properties (P), and the table (ELEMENTS + 1, P) by atomic number; NaN is a gap."""
    path = Path(__file__).with_name("magpie_elements.csv")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    head, *rows = csv.reader(lines)
    table = np.full((ELEMENTS + 1, len(head) - 1), np.nan)
    table[1:] = [[float(value) if value else np.nan for value in row[1:]] for row in rows]
    table.flags.writeable = False
    return tuple(head[1:]), table


def labels() -> tuple[str, ...]:
    """What the columns of :func:`magpie` are called."""
    return tuple(f"MagpieData {statistic} {name}" for name in elements()[0] for statistic in STATISTICS)


def magpie(compositions: Compositions, *, missing: Missing = "nan") -> NDArray[np.float64]:
    """Minimum, maximum, range, mean, mean deviation and mode of each property.

    Args:
        compositions: N of them.
        missing: what stands for a property that an element lacks, ``nan`` or ``mean``.

    Returns:
        Features (N, 132), in the order of :func:`labels`; units are those of the table.

    Raises:
        InputError: ``missing`` is neither.
    """
    table = _table(missing)
    values = np.empty((len(compositions), table.shape[1], len(STATISTICS)))
    for rows_N, numbers_KN, amounts_KN in _equally_long(compositions):
        values[rows_N] = _statistics(table[numbers_KN], amounts_KN)
    return values.reshape(len(compositions), len(labels()))


def ward_labels() -> tuple[str, ...]:
    """What the columns of :func:`ward` are called."""
    return (
        *(f"{norm}-norm" for norm in NORMS),
        *(f"{kind} {orbital} valence electrons" for kind in ("avg", "frac") for orbital in ORBITALS),
        "max ionic char",
        "avg ionic char",
    )


def ward(compositions: Compositions, *, missing: Missing = "nan") -> NDArray[np.float64]:
    """The rest of Ward's set: norms of the stoichiometry, valence electrons, ionic character.

    They equal matminer's ``Stoichiometry``, ``ValenceOrbital`` and ``IonProperty``, but for its "compound
    possible", which searches through oxidation states; ask :func:`by_matminer` for that.
    Electronegativities are pymatgen's here, as there; ``missing="mean"`` fills
    their gaps with the mean of pymatgen's.

    Args:
        compositions: N of them.
        missing: as in :func:`magpie`.

    Returns:
        Features (N, 16), in the order of :func:`ward_labels`; dimensionless.

    Raises:
        InputError: ``missing`` is neither.
    """
    names, _ = elements()
    table = _table(missing)
    shells = table[:, [names.index(f"N{orbital}Valence") for orbital in ORBITALS]]
    valence, affinity = table[:, names.index("NValence")], _electronegativities(missing)
    values = np.empty((len(compositions), len(NORMS) + 2 * len(ORBITALS) + 2))
    for rows_N, numbers_KN, amounts_KN in _equally_long(compositions):
        fractions_KN = amounts_KN / amounts_KN.sum(axis=0)
        norms = [(fractions_KN**norm).sum(axis=0) ** (1 / norm) for norm in NORMS if norm]
        electrons_NO = np.einsum("kn,kno->no", fractions_KN, shells[numbers_KN])
        total_N = np.einsum("kn,kn->n", fractions_KN, valence[numbers_KN])
        values[rows_N] = np.column_stack([
            np.full(len(rows_N), len(numbers_KN)), *norms,
            electrons_NO, electrons_NO / total_N[:, None],
            *_ionic_character(affinity[numbers_KN], fractions_KN),
        ])  # fmt: skip
    return values


def _statistics(values_KNP: NDArray[np.float64], amounts_KN: NDArray[np.float64]) -> NDArray[np.float64]:
    """The statistics (N, P, S) of compositions with the same number of elements; NaN spreads by itself."""
    result = np.empty((*values_KNP.shape[1:], len(STATISTICS)))
    fractions_KN1 = (amounts_KN / amounts_KN.sum(axis=0))[:, :, None]
    least, most = values_KNP.min(axis=0), values_KNP.max(axis=0)
    mean = (values_KNP * fractions_KN1).sum(axis=0)
    result[..., 0], result[..., 1], result[..., 2], result[..., 3] = least, most, most - least, mean
    result[..., 4] = (np.abs(values_KNP - mean) * fractions_KN1).sum(axis=0)
    # The property of the most frequent element; of equally frequent ones, to what np.isclose tells apart
    # in matminer, the smallest.
    largest = amounts_KN.max(axis=0)
    frequent_KN = largest - amounts_KN <= 1e-8 + 1e-5 * largest
    result[..., 5] = np.where(frequent_KN[:, :, None], values_KNP, np.inf).min(axis=0)
    return result


def _ionic_character(
    affinity_KN: NDArray[np.float64], fractions_KN: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest, and the mean over pairs of atoms of different elements (N); 0 of a single element."""
    largest, mean = np.zeros(affinity_KN.shape[1]), np.zeros(affinity_KN.shape[1])
    for one in range(len(affinity_KN)):
        for other in range(one):
            character = 1 - np.exp(-0.25 * (affinity_KN[one] - affinity_KN[other]) ** 2)
            largest = np.maximum(largest, character)
            mean += fractions_KN[one] * fractions_KN[other] * character
    return largest, mean


def _equally_long(
    compositions: Compositions,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]]:
    """Rows (N), and atomic numbers and amounts (K, N), of a few compositions of K elements at a time."""
    lengths_N = compositions.lengths_N
    for length in np.unique(lengths_N):
        same = np.flatnonzero(lengths_N == length)
        for start in range(0, len(same), _ROWS):
            rows_N = same[start : start + _ROWS]
            places_KN = compositions.first_N[rows_N] + np.arange(length)[:, None]
            yield rows_N, compositions.numbers_E[places_KN], compositions.amounts_E[places_KN]


@cache
def _table(missing: Missing) -> NDArray[np.float64]:
    """The properties with their gaps left or filled (ELEMENTS + 1, P)."""
    table = elements()[1]
    return _fill(table, missing, mean=np.nanmean(table[1:], axis=0))


@cache
def _electronegativities(missing: Missing) -> NDArray[np.float64]:
    """Pauling's, from pymatgen (ELEMENTS + 1)."""
    import warnings

    from pymatgen.core.periodic_table import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says which elements have none
        known = [(element.Z, element.X or np.nan) for element in Element]
    values = np.full(ELEMENTS + 1, np.nan)
    for number, value in reversed(known):  # isotopes come last, and are not the element
        values[number] = value
    return _fill(values, missing, mean=np.nanmean([value for _, value in known]))


def _fill(
    table: NDArray[np.float64], missing: Missing, *, mean: NDArray[np.float64] | np.floating
) -> NDArray[np.float64]:
    if missing not in {"nan", "mean"}:
        raise InputError(f"missing={missing!r}", where="magpie", remedy="choose one of: nan, mean")
    return np.where(np.isnan(table), mean, table) if missing == "mean" else table
