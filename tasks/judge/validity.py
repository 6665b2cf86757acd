"""Which generated crystals are valid: as structures and as compositions, each by the published definition."""

# A atoms, G crystals

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import gcd, prod
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import FLAT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

LEAST_DISTANCE: Final = 0.5  # Å, between two atoms of a cell or their images
LEAST_VOLUME: Final = 0.1  # Å³, of the cell
COMBINATIONS: Final = 5_000_000  # of oxidation states that are tried, which takes SMACT half a minute
_ELEMENTS: Final = 118
_FEW: Final = 200  # atoms of which all distances are taken at once
_DENSE: Final = 11.4  # atoms an Å³, more of which no packing keeps 0.5 Å apart


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Which crystals are valid, and why the others are not.

    Attributes:
        structure_G: no two atoms too close, and the cell has a volume (G,), bool.
        composition_G: charges can be neutral with the anions more electronegative (G,), bool.
        reasons: row of a crystal → why it is not valid.
    """

    structure_G: NDArray[np.bool_]
    composition_G: NDArray[np.bool_]
    reasons: Mapping[int, tuple[str, ...]]

    @property
    def both_G(self) -> NDArray[np.bool_]:
        """Valid in both ways (G,), bool."""
        return self.structure_G & self.composition_G


def valid(crystals: Crystals) -> Validity:
    """Judge crystals one by one as CDVAE does (T. Xie et al., ICLR 2022, appendix B).

    A structure is valid if its cell has at least 0.1 Å³ and no two of its atoms are nearer than 0.5 Å, images
    included; an atom and its own images are not looked at. A composition is valid if it is one element, or
    metals only, or if one oxidation state can be given to each element so that the charges add up to nothing
    and no cation is as electronegative as an anion (SMACT: D. W. Davies et al., JOSS 4, 1361 (2019), with its
    oxidation states of 2014, which are those of the published values).

    What is no crystal at all (no atoms, numbers that are not finite, no such element, not periodic) is not
    valid, with the reason; nothing a generator can draw raises an error.
    """
    first_G = crystals.first_G
    structural: dict[int, str] = {}
    chemical: dict[int, str] = {}
    for row in range(len(crystals)):
        atoms = slice(int(first_G[row]), int(first_G[row + 1]))
        periodic = bool(crystals.periodic_G3[row].all())
        if why := _structure(crystals.cells_G33[row], crystals.positions_A3[atoms], periodic):
            structural[row] = why
        if why := _composition(crystals.numbers_A[atoms]):
            chemical[row] = why
    rows_G = np.arange(len(crystals))
    return Validity(
        structure_G=~np.isin(rows_G, list(structural)),
        composition_G=~np.isin(rows_G, list(chemical)),
        reasons={
            row: tuple(dict.fromkeys(found[row] for found in (structural, chemical) if row in found))
            for row in sorted(structural.keys() | chemical.keys())
        },
    )


def _structure(cell: NDArray[np.float64], positions_A3: NDArray[np.float64], periodic: bool) -> str:
    """Why a structure is not valid; empty if it is."""
    if not len(positions_A3):
        return "it has no atoms"
    if not (np.isfinite(cell).all() and np.isfinite(positions_A3).all()):
        return "a number of its cell or positions is not finite"
    if not periodic:
        return "it is not periodic along all three vectors"
    with np.errstate(over="ignore", invalid="ignore"):
        volume = float(abs(np.linalg.det(cell)))
        lengths = np.linalg.norm(cell, axis=1)
    if not volume >= LEAST_VOLUME:
        return f"its cell has less than {LEAST_VOLUME} Å³"
    if not volume > FLAT * lengths.prod():
        return "its cell is flat"
    near = _near(cell, positions_A3, volume)
    return f"two of its atoms are nearer than {LEAST_DISTANCE} Å" if near else ""


def _near(cell: NDArray[np.float64], positions_A3: NDArray[np.float64], volume: float) -> bool:
    """Whether two atoms, or one and an image of another, are too near."""
    from pymatgen.core.lattice import Lattice

    if len(positions_A3) == 1:
        return False
    if len(positions_A3) <= _FEW:
        lattice = Lattice(cell)
        fractions_A3 = lattice.get_fractional_coords(positions_A3)
        distances_AA = lattice.get_all_distances(fractions_A3, fractions_A3)
        np.fill_diagonal(distances_AA, np.inf)
        return bool(distances_AA.min() < LEAST_DISTANCE)
    if len(positions_A3) > _DENSE * volume:
        return True
    from vesin import NeighborList

    search = NeighborList(cutoff=LEAST_DISTANCE, full_list=False, n_threads=1)
    first_P, second_P, far_P = search.compute(positions_A3, cell, [True] * 3, "ijd")
    return bool((far_P[first_P != second_P] < LEAST_DISTANCE).any())


def _composition(numbers_A: NDArray[np.uint8]) -> str:
    """Why a composition is not valid; empty if it is."""
    counts = Counter(numbers_A.tolist())
    if not counts:
        return "it has no atoms"
    common = gcd(*counts.values())
    return _of_formula(tuple(sorted((number, count // common) for number, count in counts.items())))


@cache  # crystals are many, reduced compositions few
def _of_formula(formula: tuple[tuple[int, int], ...]) -> str:
    from ase.data import chemical_symbols
    from pymatgen.core.composition import Composition
    from smact import Element, metals
    from smact.screening import smact_validity

    if strange := [number for number, _ in formula if not 1 <= number <= _ELEMENTS]:
        return f"no element has the atomic number {strange[0]}"
    symbols = [chemical_symbols[number] for number, _ in formula]
    states: dict[str, list[int]] = {}
    for symbol in symbols:
        try:
            states[symbol] = Element(symbol).oxidation_states_smact14 or []
        except (KeyError, NameError):
            return f"SMACT does not know {symbol}"
    if len(symbols) > 1 and not set(symbols) <= set(metals):
        if without := [symbol for symbol in symbols if not states[symbol]]:
            return f"SMACT has no oxidation state of {without[0]}"
        if (tries := prod(len(found) for found in states.values())) > COMBINATIONS:
            return f"it has {tries:,} combinations of oxidation states: not tried"
    composition = Composition({symbol: count for symbol, (_, count) in zip(symbols, formula, strict=True)})
    with quiet():
        good = smact_validity(composition, oxidation_states_set="smact14")
    return "" if good else "no oxidation states are neutral with the anions more electronegative"
