"""Which generated crystals are the same, and which are known; the cost grows linearly."""

# A atoms, G crystals, K known ones

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.quality.canonical import exact_key
from zonemelt.tasks.quality.same import ANY, Alike, Comparable, OneFormula, not_comparable
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

MATERIALS: Final = Alike(fingerprint=ANY, comparisons=64)
"""The defaults of pymatgen's matcher, as MatterGen and FlowMM use it; every pair up to 64 of one formula."""


@dataclass(frozen=True, kw_only=True)
class Same:
    """Which crystals are the same.

    Attributes:
        row_G: row of the first crystal that each is the same as: its own where it is the first; -1 where it
            cannot be compared (G,), int64. Of :func:`novel`: the row among the known, -1 if there is none.
        refused: row → why it cannot be compared.
        comparisons: how often the matcher was asked.
        cut: crystals called new that were not compared with all of their formula, only with the nearest.
    """

    row_G: NDArray[np.int64]
    refused: Mapping[int, str]
    comparisons: int
    cut: int

    @property
    def first_G(self) -> NDArray[np.bool_]:
        """Of :func:`unique`: whether each is the first of its group (G,), bool."""
        found: NDArray[np.bool_] = self.row_G == np.arange(len(self.row_G))
        return found

    @property
    def new_G(self) -> NDArray[np.bool_]:
        """Of :func:`novel`: whether each can be compared and is not known (G,), bool."""
        new_G = self.row_G < 0
        new_G[list(self.refused)] = False
        return new_G


def unique(
    crystals: Crystals, *, alike: Alike = MATERIALS, tell: Callable[[int], None] | None = None
) -> Same:
    """Group the crystals that are the same; each is compared with the first of the groups before it.

    Only crystals of one reduced formula are compared, the nearest by fingerprint first. Where a formula has
    no more groups than ``alike.comparisons``, that is what comparing all pairs finds (C. Zeni et al., Nature
    639, 624 (2025)); where it has more, ``cut`` counts those that were called new after the nearest only.

    Args:
        crystals: to be compared; those that are no crystals are refused, and are in no group.
        alike: when two are the same.
        tell: is called with the number of crystals done since the last call.
    """
    found = _Found(len(crystals))
    for rows in by_formula(crystals).values():
        if len(rows) == 1:
            if why := not_a_crystal(crystals, rows[0]):
                found.refused[rows[0]] = why
            else:
                found.row_G[rows[0]] = rows[0]
        else:
            among = _Members(alike)
            for row in _comparable(crystals, rows, found):
                found.row_G[row] = among.find_or_add(crystals, row)
            found.count(among)
        if tell is not None:
            tell(len(rows))
    return found.same()


def novel(
    crystals: Crystals,
    known: Crystals,
    *,
    alike: Alike = MATERIALS,
    tell: Callable[[int], None] | None = None,
) -> Same:
    """Find each crystal among those that are known; as :func:`unique` does.

    Args:
        crystals: to be looked up.
        known: those that count as known; of other formulas than the crystals' they cost nothing.
        alike: when two are the same.
        tell: is called with the number of crystals done since the last call.
    """
    found = _Found(len(crystals))
    there = by_formula(known)
    for formula, rows in by_formula(crystals).items():
        among = _Members(alike)
        for row in there.get(formula, []):
            if not not_a_crystal(known, row):
                among.add(known, row)
        for row in _comparable(crystals, rows, found):
            found.row_G[row] = among.find(crystals, row)
        found.count(among)
        if tell is not None:
            tell(len(rows))
    return found.same()


@dataclass
class _Found:
    """What is put together, formula by formula."""

    count_of_crystals: int
    refused: dict[int, str] = field(default_factory=dict)
    comparisons: int = 0
    cut: int = 0

    def __post_init__(self) -> None:
        self.row_G = np.full(self.count_of_crystals, -1, np.int64)

    def count(self, among: _Members) -> None:
        self.comparisons += among.compared.comparisons
        self.cut += among.compared.cut

    def same(self) -> Same:
        return Same(row_G=self.row_G, refused=self.refused, comparisons=self.comparisons, cut=self.cut)


class _Members:
    """Crystals of one formula: small ones are compared, large ones have a key."""

    def __init__(self, alike: Alike) -> None:
        self.compared = OneFormula(alike)
        self._rows: list[int] = []
        self._keys: dict[str, int] = {}

    def add(self, crystals: Crystals, row: int) -> None:
        if self._large(crystals, row):
            self._keys.setdefault(self._key(crystals, row), row)
        else:
            self._take(self._small(crystals, row), row)

    def find(self, crystals: Crystals, row: int) -> int:
        if self._large(crystals, row):
            return self._keys.get(self._key(crystals, row), -1)
        number = self.compared.find(self._small(crystals, row)) if self._rows else None
        return -1 if number is None else self._rows[number]

    def find_or_add(self, crystals: Crystals, row: int) -> int:
        if self._large(crystals, row):
            return self._keys.setdefault(self._key(crystals, row), row)
        crystal = self._small(crystals, row)
        number = self.compared.find(crystal)
        if number is not None:
            return self._rows[number]
        self._take(crystal, row)
        return row

    def _take(self, crystal: Comparable, row: int) -> None:
        self.compared.add(crystal)
        self._rows.append(row)

    def _large(self, crystals: Crystals, row: int) -> bool:
        return bool(crystals.sizes_G[row] > self.compared.alike.atoms)

    def _small(self, crystals: Crystals, row: int) -> Comparable:
        atoms = slice(int(crystals.first_G[row]), int(crystals.first_G[row + 1]))
        return Comparable(
            crystals.cells_G33[row], crystals.positions_A3[atoms], crystals.numbers_A[atoms],
            scale=self.compared.alike.scale,
        )  # fmt: skip

    @staticmethod
    def _key(crystals: Crystals, row: int) -> str:
        return exact_key(Geometry.of(crystals.atoms(row)))


def by_formula(crystals: Crystals) -> dict[bytes, list[int]]:
    """Rows by reduced formula (a key that means nothing else), in their order."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for row in range(len(crystals)):
        numbers_A = crystals.numbers_A[crystals.first_G[row] : crystals.first_G[row + 1]]
        elements, counts = np.unique(numbers_A, return_counts=True)
        reduced = counts // np.gcd.reduce(counts) if len(counts) else counts
        found[elements.tobytes() + b"|" + reduced.tobytes()].append(row)
    return found


def _comparable(crystals: Crystals, rows: list[int], found: _Found) -> Iterator[int]:
    """Those that can be compared; the others are put among the refused."""
    for row in rows:
        if why := not_a_crystal(crystals, row):
            found.refused[row] = why
        else:
            yield row


def not_a_crystal(crystals: Crystals, row: int) -> str:
    """Why a crystal cannot be compared with others; empty if it can."""
    atoms = slice(int(crystals.first_G[row]), int(crystals.first_G[row + 1]))
    if not crystals.periodic_G3[row].all():
        return "it is not periodic along all three vectors"
    numbers_A: Any = crystals.numbers_A[atoms]
    if len(numbers_A) and not 1 <= numbers_A.min() <= numbers_A.max() <= 118:  # noqa: PLR2004 (elements)
        return "no element has one of its atomic numbers"
    return not_comparable(crystals.cells_G33[row], crystals.positions_A3[atoms])
