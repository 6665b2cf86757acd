"""What spglib is asked, it answers or refuses in one way; primitive cells and groups are those of tables."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk, make_supercell

from zonemelt.tasks.atomistic.symmetric_displacements import displacements
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.structural import symmetry
from zonemelt.tasks.quality.symmetry import asked, primitive, symmetry_of
from zonemelt.tasks.records import Geometry

CLASH = Atoms("Na2", positions=[(0, 0, 0), (0, 0, 0)], cell=4 * np.eye(3), pbc=True)


@pytest.fixture(params=["false", "true"], ids=["spglib raises", "spglib returns None"])
def _either_way(monkeypatch, request):
    monkeypatch.setenv("SPGLIB_OLD_ERROR_HANDLING", request.param)


@pytest.mark.usefixtures("_either_way")
def test_what_spglib_refuses_is_the_same_whichever_way_it_says_so():
    given = (CLASH.cell.array, CLASH.get_scaled_positions(), CLASH.numbers)
    assert asked(spglib.get_symmetry_dataset, given, symprec=1e-2) is None
    cell, fractions, numbers = primitive(Geometry.of(CLASH), symprec=1e-2)
    np.testing.assert_allclose(cell, CLASH.cell.array)
    assert len(fractions) == len(numbers) == 2
    assert symmetry_of(Geometry.of(CLASH)) is None
    assert symmetry(Crystals.of_atoms([CLASH]), 0) is None
    with pytest.raises(InputError, match="are two atoms in one place"):
        displacements(CLASH, tolerance=1e-2)


@pytest.mark.usefixtures("_either_way")
def test_what_it_does_not_refuse():
    twice = make_supercell(bulk("Cu"), np.diag([1, 1, 2]))
    cell, fractions, _ = primitive(Geometry.of(twice), symprec=1e-2)
    assert len(fractions) == 1
    assert abs(np.linalg.det(cell)) == pytest.approx(twice.get_volume() / 2)
    assert symmetry(Crystals.of_atoms([twice]), 0)[0] == 225
    assert symmetry_of(Geometry.of(twice)) == (225, 48)
    assert symmetry_of(Geometry.of(bulk("GaAs", "zincblende", a=5.65))) == (216, 24)
    assert symmetry_of(Geometry.of(bulk("Mg"))) == (194, 24)
