"""Among many crystals of one formula, the one that is the same: the nearest are asked first."""

# A atoms, N sites of the primitive cell, K numbers of a fingerprint

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.quality.fingerprint import fingerprint_of
from zonemelt.tasks.records import FLAT
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry

ANY: Final = 1e9  # a distance of fingerprints that none reaches
POINTS: Final = (
    200_000  # of a lattice in the sphere that is searched for its vectors; more, and it is no crystal
)
_TAIL: Final = 64  # of what is looked through one by one before a tree is made
_SURE: Final = 0.25  # of the tolerances: so much alike, the matcher cannot but agree
_CERTAIN: Final = 4  # of the nearest that are looked at as they lie
_KEPT: Final = 256  # structures of pymatgen held at once: they are large


class Alike(Document):
    """When two structures count as the same; the first four are those of pymatgen's StructureMatcher."""

    length: float = Field(default=0.2, gt=0, description="largest fractional difference of lengths (ltol)")
    site: float = Field(
        default=0.3,
        gt=0,
        description="largest rms displacement over the cube root of the volume per atom (stol)",
    )
    angle: float = Field(default=5.0, gt=0, description="largest difference of angles, degrees")
    scale: bool = Field(
        default=True,
        description="strained copies are the same: right for materials, wrong for labels of potentials",
    )
    fingerprint: float = Field(
        default=0.8, gt=0, description="largest distance of fingerprints at which two structures are compared"
    )
    comparisons: int = Field(default=4, ge=1, description="most comparisons for one structure")
    atoms: int = Field(
        default=120, ge=1, description="most atoms of a structure that is compared, not only keyed"
    )

    def matcher(self) -> Any:
        """The ``StructureMatcher`` with these tolerances."""
        from pymatgen.analysis.structure_matcher import StructureMatcher

        return StructureMatcher(ltol=self.length, stol=self.site, angle_tol=self.angle, scale=self.scale)


def not_comparable(cell: NDArray[np.float64], positions_A3: NDArray[np.float64]) -> str:
    """Why a structure that is periodic along all three vectors cannot be compared; empty if it can.

    Args:
        cell: lattice vectors as rows (3, 3), Å.
        positions_A3: Cartesian (A, 3), Å.
    """
    if not len(positions_A3):
        return "it has no atoms"
    if not (np.isfinite(cell).all() and np.isfinite(positions_A3).all()):
        return "a number of its cell or positions is not finite"
    lengths = np.linalg.norm(cell, axis=1)
    volume = abs(np.linalg.det(cell))
    # the matcher looks for vectors as long as the longest among all points of the lattice that are as near
    if not volume > FLAT * lengths.prod() or (2 * lengths.max()) ** 3 > POINTS * volume:
        return f"its cell of {volume:.3g} Å³ is degenerate"
    return ""


class Comparable:
    """A crystal that will be compared: fingerprinted at once, reduced when it is first needed, and only once.

    Args:
        cell: lattice vectors as rows (3, 3), Å; periodic along all three; see :func:`not_comparable`.
        positions_A3: Cartesian (A, 3), Å.
        numbers_A: atomic numbers (A,).
        scale: see :class:`Alike`.
    """

    def __init__(
        self,
        cell: NDArray[np.float64],
        positions_A3: NDArray[np.float64],
        numbers_A: NDArray[np.integer[Any]],
        *,
        scale: bool = True,
    ) -> None:
        self._given = np.asarray(cell, float), np.asarray(positions_A3, float), np.asarray(numbers_A)
        self.print_K = fingerprint_of(*self._given, scale=scale)
        self._primitive: tuple[Any, Any, Any] | None = None

    @classmethod
    def of(cls, geometry: Geometry, *, scale: bool = True) -> Comparable:
        """From a geometry."""
        from ase.data import atomic_numbers

        numbers_A = np.array([atomic_numbers[symbol] for symbol in geometry.symbols])
        return cls(np.array(geometry.cell), np.array(geometry.positions), numbers_A, scale=scale)

    def certainly_is(self, other: Comparable, alike: Alike) -> bool:
        """Whether they are so alike as they lie that the matcher would find them the same; cheap.

        Looked at is the case of shaken and moved copies in one setting: lattice vectors one by one and atoms
        of one element within a fraction of the tolerances, after one atom is laid on one of the other. Only
        cells that are primitive for certain, by their counts, are: the matcher may reduce others apart. False
        says nothing.
        """
        (cell, ours_A3, numbers_A), (there, theirs_A3, elements_A) = self._given, other._given
        kinds, counts = np.unique(numbers_A, return_counts=True)
        if len(numbers_A) != len(elements_A) or np.gcd.reduce(counts) != 1:
            return False
        volumes = abs(np.linalg.det(cell)), abs(np.linalg.det(there))
        scale = np.cbrt(volumes[0] / volumes[1]) if alike.scale else 1.0
        if not _same_shape(cell, scale * there, alike):
            return False
        rarest = kinds[counts.argmin()]
        mean = (cell + scale * there) / 2
        ours, theirs = ours_A3 @ np.linalg.inv(cell), theirs_A3 @ np.linalg.inv(there)
        most = _SURE * alike.site * np.cbrt(volumes[0] / len(numbers_A))
        strangers = numbers_A[:, None] != elements_A
        anchor = theirs[elements_A == rarest][0]
        for start in ours[numbers_A == rarest]:
            apart = (ours - start)[:, None] - (theirs - anchor)
            far = np.linalg.norm((apart - np.rint(apart)) @ mean, axis=-1)
            far[strangers] = np.inf
            if far.min(axis=1).max() <= most and len(set(far.argmin(axis=1).tolist())) == len(far):
                return True
        return False

    def structure(self) -> Any:
        """The primitive, Niggli-reduced ``pymatgen`` Structure, as the matcher itself would make it.

        Raises:
            ValueError: pymatgen cannot reduce it.
        """
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        if self._primitive is None:
            cell, positions_A3, numbers_A = self._given
            given = Structure(Lattice(cell), numbers_A.tolist(), positions_A3, coords_are_cartesian=True)
            found = given.get_reduced_structure(reduction_algo="niggli").get_primitive_structure()
            # structures of pymatgen are large, and their arrays are not
            self._primitive = (
                np.array(found.lattice.matrix), found.frac_coords, [site.specie.Z for site in found]
            )  # fmt: skip
            return found
        matrix, fractions_N3, numbers_N = self._primitive
        return Structure(Lattice(matrix), numbers_N, fractions_N3)


def _same_shape(cell: NDArray[np.float64], other: NDArray[np.float64], alike: Alike) -> bool:
    """Whether lattice vectors agree, one by one, within a fraction of the tolerances."""
    lengths, others = np.linalg.norm(cell, axis=1), np.linalg.norm(other, axis=1)
    if (np.abs(lengths / others - 1) > _SURE * alike.length).any():
        return False
    cosines = (cell @ cell.T) / np.outer(lengths, lengths), (other @ other.T) / np.outer(others, others)
    angles = [np.degrees(np.arccos(np.clip(one[np.triu_indices(3, 1)], -1, 1))) for one in cosines]
    return bool((np.abs(angles[0] - angles[1]) <= _SURE * alike.angle).all())


def stayed(before: Geometry, after: Geometry, alike: Alike) -> bool:
    """Whether a crystal whose atoms are known one by one certainly is the same after they moved; cheap.

    Lattice vectors and atoms, each compared with itself, are within a fraction of the tolerances. False says
    nothing: ask the matcher.

    Args:
        before: periodic along all three vectors.
        after: the same atoms in the same order.
        alike: when two are the same.
    """
    cell, there = np.array(before.cell), np.array(after.cell)
    volumes = abs(np.linalg.det(cell)), abs(np.linalg.det(there))
    scale = np.cbrt(volumes[0] / volumes[1]) if alike.scale else 1.0
    if before.symbols != after.symbols or not _same_shape(cell, scale * there, alike):
        return False
    moved_A3 = np.array(after.positions) @ np.linalg.inv(there) - np.array(before.positions) @ np.linalg.inv(
        cell
    )
    moved_A3 -= moved_A3[0]
    moved_A3 -= np.rint(moved_A3)
    moved_A3 -= moved_A3.mean(axis=0)
    far_A = np.linalg.norm(moved_A3 @ ((cell + scale * there) / 2), axis=1)
    return bool(far_A.max() <= _SURE * alike.site * np.cbrt(volumes[0] / len(before.symbols)))


class OneFormula:
    """Crystals of one reduced formula, and which of them another one is.

    The nearest by fingerprint are compared first, at most so many as :class:`Alike` says; where there are no
    more than that, all are.

    Attributes:
        comparisons: how often the matcher was asked; what certainly is the same needs no asking.
        cut: how many crystals were found to be new without having been compared with all there were.
    """

    def __init__(self, alike: Alike) -> None:
        self.alike = alike
        self.comparisons = 0
        self.cut = 0
        self._matcher = alike.matcher()
        self._members: list[Comparable] = []
        self._near = _Near()
        self._structure = lru_cache(_KEPT)(lambda number: self._members[number].structure())

    def add(self, crystal: Comparable) -> int:
        """Take one in; its number."""
        self._members.append(crystal)
        self._near.add(crystal.print_K)
        return len(self._members) - 1

    def find(self, crystal: Comparable) -> int | None:
        """The number of a member that is the same crystal; None where none is found."""
        nearest = self._near.query(crystal.print_K, self.alike.comparisons, self.alike.fingerprint)
        if not nearest:
            return None
        for number in nearest[:_CERTAIN]:
            if crystal.certainly_is(self._members[number], self.alike):
                return number
        try:
            whole = crystal.structure()
        except ValueError:  # pymatgen cannot reduce it: nothing can be said to be the same
            return None
        for number in nearest:
            self.comparisons += 1
            with suppress(ValueError):
                if self._matcher.fit(whole, self._structure(number), skip_structure_reduction=True):
                    return number
        self.cut += len(nearest) < len(self._members)
        return None


class _Near:
    """A growing number of rows and the nearest of them: a tree that is made anew as they double."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.float64]] = []
        self._tree: Any = None
        self._in_tree = 0

    def add(self, row: NDArray[np.float64]) -> None:
        self._rows.append(row)

    def query(self, row: NDArray[np.float64], most: int, reach: float) -> list[int]:
        """Places of the nearest rows, the nearest first; of equals the first that came."""
        if len(self._rows) - self._in_tree > max(_TAIL, self._in_tree):
            from scipy.spatial import cKDTree

            self._tree = cKDTree(np.array(self._rows))
            self._in_tree = len(self._rows)
        found: dict[int, float] = {}
        if self._tree is not None:
            far, places = self._tree.query(row, k=min(most, self._in_tree))
            found.update(zip(np.atleast_1d(places).tolist(), np.atleast_1d(far).tolist(), strict=True))
        if tail := self._rows[self._in_tree :]:
            far = np.linalg.norm(np.array(tail) - row, axis=1)
            found.update(enumerate(far.tolist(), start=self._in_tree))
        nearest = sorted((distance, place) for place, distance in found.items() if distance <= reach)
        return [place for _, place in nearest[:most]]
