"""Describe crystals by density, symmetry, coordination and bond lengths.

The labels and the numbers are matminer's: ``DensityFeatures``, ``GlobalSymmetryFeatures`` (without its
number of symmetry operations, which depends on the choice of the cell), and
``SiteStatsFingerprint`` of ``CoordinationNumber`` and ``AverageBondLength`` with ``MinimumDistanceNN``.
A packing fraction is NaN where pymatgen knows no atomic radius of an element (helium's, say).
"""

# A atoms of all structures, F features, G structures, N those that have a row

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.featurize.bonds import FARTHEST, bonds, over_atoms
from zonemelt.tasks.featurize.compositions import ELEMENTS
from zonemelt.tasks.featurize.table import Features, Refused
from zonemelt.tasks.quality.symmetry import asked
from zonemelt.tasks.records import FLAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

LABELS: Final = (
    *("density", "vpa", "packing fraction"),
    *("spacegroup_num", "crystal_system_int", "is_centrosymmetric"),
    *(f"{name} CN_MinimumDistanceNN" for name in ("mean", "std_dev", "minimum", "maximum")),
    *(f"{name} Average bond length" for name in ("mean", "std_dev", "minimum", "maximum")),
)
SYMPREC: Final = 0.01  # Å
LARGEST: Final = 4000  # atoms: seconds
_LAST_GROUPS: Final = (2, 15, 74, 142, 167, 194, 230)  # of the crystal systems, from triclinic to cubic
_LAUE: Final = frozenset(
    ["-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"]
)  # with an inversion
_REMEDY: Final = "quarantine it: quality control finds such structures"


def structural(crystals: Crystals, *, symprec: float = SYMPREC, largest: int = LARGEST) -> Features:
    """Density, symmetry, coordination and bond lengths.

    Args:
        crystals: G structures.
        symprec: how far atoms may be from symmetric places, Å.
        largest: atoms of the largest structure whose symmetry is looked for; the time grows with the
            square of their number and more.

    Returns:
        Features (N, F) in the order of ``LABELS``: density in g/cm³, volume in Å³/atom, lengths in Å;
        crystal systems count from 1 (cubic) to 7 (triclinic). Structures that have no density, no
        determinable symmetry or an atom without neighbours are refused with the reason.
    """
    refused = _unusable(crystals, largest)
    rows = np.array([row for row in range(len(crystals)) if row not in refused], np.int64)
    sound = crystals.take(rows)
    numbers_A, lengths_A = bonds(sound) if len(sound) else (np.empty(0, np.int64), np.empty(0))
    symmetries = []
    kept = []
    for place, row in enumerate(rows.tolist()):
        lonely = numbers_A[sound.first_G[place] : sound.first_G[place + 1]] == 0
        found = symmetry(sound, place, symprec=symprec)
        if lonely.any():
            reason = f"atom {int(lonely.argmax())} has no neighbour within {FARTHEST:g} Å"
            refused[row] = (reason, "describe molecules and gases otherwise")
        elif found is None:
            refused[row] = ("its symmetry cannot be determined", "check for atoms on top of each other")
        else:
            symmetries.append(found)
            kept.append(place)
    values = np.empty((0, len(LABELS)))
    if kept:
        atoms = np.repeat(np.isin(np.arange(len(sound)), kept), sound.sizes_G)
        sound = sound.take(np.array(kept))
        coordination = over_atoms(numbers_A[atoms].astype(np.float64), sound)
        lengths = over_atoms(lengths_A[atoms], sound)
        values = np.column_stack([densities(sound), symmetries, coordination, lengths])
    return Features(
        labels=LABELS,
        rows_N=rows[kept],
        values_NF=values,
        refused=tuple(
            Refused(row=row, value=formula(crystals, row), reason=reason, remedy=remedy)
            for row, (reason, remedy) in sorted(refused.items())
        ),
    )


def densities(crystals: Crystals) -> NDArray[np.float64]:
    """Density (g/cm³), volume (Å³/atom) and packing fraction of structures with volume (G, 3)."""
    from scipy.constants import atomic_mass

    masses_Z, spheres_Z = _atoms()
    volumes_G = np.abs(np.linalg.det(crystals.cells_G33))
    first = crystals.first_G[:-1]
    mass_G = np.add.reduceat(masses_Z[crystals.numbers_A], first) * (atomic_mass * 1e27)
    filled_G = np.add.reduceat(spheres_Z[crystals.numbers_A], first)
    return np.column_stack([mass_G / volumes_G, volumes_G / crystals.sizes_G, filled_G / volumes_G])


def symmetry(crystals: Crystals, index: int, *, symprec: float = SYMPREC) -> tuple[int, int, bool] | None:
    """Space group, crystal system, and whether there is an inversion, by spglib.

    None where it cannot be determined.
    """
    from spglib import get_symmetry_dataset

    rows = slice(int(crystals.first_G[index]), int(crystals.first_G[index + 1]))
    cell = crystals.cells_G33[index]
    scaled = np.linalg.solve(cell.T, crystals.positions_A3[rows].T).T
    given = (cell.tolist(), scaled.tolist(), crystals.numbers_A[rows].tolist())
    found = asked(get_symmetry_dataset, given, symprec=symprec, angle_tolerance=5)
    if found is None:
        return None
    return int(found.number), 7 - int(np.searchsorted(_LAST_GROUPS, found.number)), found.pointgroup in _LAUE


def _unusable(crystals: Crystals, largest: int) -> dict[int, tuple[str, str]]:
    """Reason and remedy for each structure that cannot be looked at."""
    if not len(crystals):
        return {}
    owners_A = np.repeat(np.arange(len(crystals)), crystals.sizes_G)

    def owned(bad_A: Any) -> Any:
        return np.bincount(owners_A[bad_A], minlength=len(crystals)) > 0

    cells = np.where(np.isfinite(crystals.cells_G33), crystals.cells_G33, 0.0)
    sizes = np.linalg.norm(cells, axis=2).prod(axis=1)
    unknown_A = (crystals.numbers_A == 0) | (crystals.numbers_A > ELEMENTS)
    checks: list[tuple[Any, str, str]] = [
        (crystals.sizes_G == 0, "it has no atoms", _REMEDY),
        (crystals.sizes_G > largest, f"the symmetry of more than {largest} atoms takes too long to find",
         "give its primitive cell, or a larger `largest`"),
        (owned(unknown_A), "it has an atom of no element", _REMEDY),
        (owned(~np.isfinite(crystals.positions_A3).all(axis=1)), "an atom has no finite position", _REMEDY),
        (~np.isfinite(crystals.cells_G33).all(axis=(1, 2)), "the cell is not finite", _REMEDY),
        (~crystals.periodic_G3.all(axis=1), "it does not repeat in all directions: it has no density",
         "describe molecules and slabs otherwise"),
        (np.abs(np.linalg.det(cells)) <= FLAT * sizes, "the cell has no volume", _REMEDY),
    ]  # fmt: skip
    found: dict[int, tuple[str, str]] = {}
    for bad_G, reason, remedy in checks:
        for row in np.flatnonzero(bad_G).tolist():
            found.setdefault(row, (reason, remedy))
    return found


def formula(crystals: Crystals, row: int) -> str:
    """Which atoms a structure has, for people."""
    from ase.data import chemical_symbols

    numbers = crystals.numbers_A[crystals.first_G[row] : crystals.first_G[row + 1]]
    known, counts = np.unique(numbers, return_counts=True)
    symbols = ((chemical_symbols[z] if z <= ELEMENTS else f"Z={z}") for z in known.tolist())
    return "".join(f"{symbol}{count}" for symbol, count in zip(symbols, counts.tolist(), strict=True)) or "∅"


@cache
def _atoms() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Masses (u) and volumes of the spheres of the atomic radii (Å³) by atomic number, from pymatgen."""
    import warnings

    from pymatgen.core.periodic_table import Element

    def table(of: Callable[[Any], float]) -> NDArray[np.float64]:
        return np.array([np.nan, *(of(Element.from_Z(number)) for number in range(1, ELEMENTS + 1))])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says which elements have no radius
        radii = table(lambda element: element.atomic_radius or np.nan)
    return table(lambda element: element.atomic_mass), 4 / 3 * np.pi * radii**3
