"""Orderings as seeds: published counts on both lattices, volumes of tables, always with the elements."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import LATTICES, orderings, rotations, superlattices
from zonemelt.tasks.explore.orderings import molar_volumes, ordered_crystals
from zonemelt.tasks.records import Geometry

COUNTS = [2, 2, 6, 19]
"""Of 1 to 4 sites; the same on both lattices (Hart and Forcade, Phys. Rev. B 77, 224115 (2008), Table IV)."""


@pytest.mark.parametrize("lattice", LATTICES)
def test_published_counts(lattice):
    assert [len(orderings(size, lattice)) for size in (1, 2, 3, 4)] == COUNTS


@pytest.mark.parametrize("lattice", LATTICES)
def test_rotations_keep_the_lattice(lattice):
    primitive = LATTICES[lattice]
    for matrix in rotations(lattice):
        assert abs(round(np.linalg.det(matrix))) == 1
        turned = matrix @ primitive
        np.testing.assert_allclose(turned @ turned.T, primitive @ primitive.T, atol=1e-12)


def test_seeds_of_two_elements():
    found = ordered_crystals(["Au", "Al"], lattices=["fcc", "bcc"], sizes=[2, 3])
    assert len(found) == 2 * (2 + 2 + 6)
    names = [one["identifier"] for one in found]
    assert len(set(names)) == len(names)
    assert {"Al1-fcc-1", "Au1-bcc-1", "Al1Au1-fcc-1"} <= set(names)
    volumes = molar_volumes(["Al", "Au"])
    for one in found:
        geometry = Geometry.model_validate(one["geometry"])
        expected = sum(volumes[symbol] for symbol in geometry.symbols)
        assert geometry.atoms().get_volume() == pytest.approx(expected, rel=1e-6)


def test_no_two_seeds_are_the_same_crystal():
    found = ordered_crystals(["Al", "Au"], lattices=["fcc", "bcc"], sizes=[2])
    structures = [Geometry.model_validate(one["geometry"]).structure() for one in found]
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5)
    pairs = [(a, b) for n, a in enumerate(structures) for b in structures[:n]]
    assert not any(matcher.fit(a, b) for a, b in pairs)


def test_three_elements_are_mixed_two_by_two():
    found = ordered_crystals(["Al", "Au", "Cu"], lattices=["fcc"], sizes=[2])
    assert len(found) == 3 + 3 * 2
    assert max(len(set(one["geometry"]["symbols"])) for one in found) == 2


def test_superlattices_are_as_many_as_published():
    """7, 13 and 35 of index 2, 3 and 4 (Hart and Forcade, Table I)."""
    assert [len(set(superlattices(size))) for size in (1, 2, 3, 4)] == [1, 7, 13, 35]


@pytest.mark.parametrize(
    ("elements", "said"), [(["Al"], "two elements"), (["Al", "Al"], "two elements"), (["Al", "Qq"], "'Qq'")]
)
def test_bad_elements(elements, said):
    with pytest.raises(InputError, match=said):
        ordered_crystals(elements, lattices=["fcc"], sizes=[2])
