"""Density, symmetry, coordination and bonds: matminer's numbers, and a reason where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from crystals_for_tests import crystals, distorted, known, same

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.radial import radial, radial_labels
from zonemelt.tasks.featurize.structural import LABELS, densities, structural


def structures(given):
    from pymatgen.io.ase import AseAtomsAdaptor

    return [AseAtomsAdaptor.get_structure(atoms) for atoms in given]


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_agrees_with_matminer():
    pytest.importorskip("matminer")
    from matminer.featurizers.site import AverageBondLength, CoordinationNumber
    from matminer.featurizers.structure import DensityFeatures, GlobalSymmetryFeatures, SiteStatsFingerprint
    from pymatgen.core.local_env import MinimumDistanceNN

    statistics = ("mean", "std_dev", "minimum", "maximum")
    featurizers = [
        DensityFeatures(),
        GlobalSymmetryFeatures(["spacegroup_num", "crystal_system_int", "is_centrosymmetric"]),
        SiteStatsFingerprint(CoordinationNumber(MinimumDistanceNN()), stats=statistics),
        SiteStatsFingerprint(AverageBondLength(MinimumDistanceNN()), stats=statistics),
    ]
    given = [*known(), *map(distorted, range(1, 6)), distorted().repeat((2, 1, 1))]
    found = structural(crystals(*given))
    assert list(found.labels) == [label for each in featurizers for label in each.feature_labels()]
    expected = [
        [float(value) for each in featurizers for value in each.featurize(one)] for one in structures(given)
    ]
    np.testing.assert_allclose(found.values_NF, expected, rtol=1e-9, atol=1e-9)
    assert not found.refused


def test_radial_distribution_agrees_with_matminer():
    pytest.importorskip("matminer")
    from matminer.featurizers.structure import RadialDistributionFunction

    given = [distorted(seed) for seed in range(3)]
    reference = RadialDistributionFunction(cutoff=7.0, bin_size=0.25)
    found = radial(crystals(*given), cutoff=7.0, width=0.25)
    expected = [reference.featurize(one) / len(one) for one in structures(given)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert list(radial_labels(cutoff=7.0, width=0.25)) == reference.feature_labels()


@pytest.mark.parametrize("atoms", known(), ids=lambda atoms: atoms.get_chemical_formula())
def test_is_the_same_however_a_crystal_is_described(atoms):
    others = same(atoms)
    found = structural(crystals(atoms, *others.values()))
    distributions = radial(crystals(atoms, *others.values()), cutoff=6.0, width=0.1)
    for row, how in enumerate(others, start=1):
        assert found.values_NF[row] == pytest.approx(found.values_NF[0], abs=1e-6), how
        assert distributions[row] == pytest.approx(distributions[0], abs=1e-6), how


def test_known_crystals_have_what_textbooks_say():
    rows = structural(crystals(*known())).frame()
    assert rows["spacegroup_num"].tolist() == [225, 225, 194, 136, 152, 1]
    assert rows["crystal_system_int"].tolist() == [1, 1, 2, 4, 3, 7]
    assert rows["is_centrosymmetric"].tolist() == [1, 1, 1, 1, 0, 0]
    assert rows["mean CN_MinimumDistanceNN"].tolist()[:3] == [12, 6, 12]
    assert rows["mean Average bond length"][1] == pytest.approx(2.82)
    assert rows["density"][0] == pytest.approx(2.70, abs=0.01)
    assert rows["packing fraction"][0] == pytest.approx(4 * 4 / 3 * np.pi * 1.25**3 / 4.05**3)


def test_radial_distribution_goes_to_one():
    found = radial(crystals(distorted()), cutoff=20.0, width=1.0)
    assert found[0, 0] == 0
    assert found[0, 12:] == pytest.approx(1.0, abs=0.15)


def test_many_structures_in_small_portions(monkeypatch):
    from zonemelt.tasks.featurize import radial as module

    given = crystals(*known())
    whole = radial(given, cutoff=6.0)
    monkeypatch.setattr(module, "_EDGES", 50)
    np.testing.assert_array_equal(radial(given, cutoff=6.0), whole)


def test_more_neighbours_than_looked_for_at_first(monkeypatch):
    from zonemelt.tasks.featurize import bonds

    given = crystals(*known())
    whole = structural(given).values_NF
    monkeypatch.setattr(bonds, "_FIRST_K", 3)
    np.testing.assert_allclose(structural(given).values_NF, whole, rtol=1e-12)


def test_what_cannot_be_described_is_refused_with_reasons():
    good = bulk("Al", "fcc", 4.05)
    nowhere, flat, endless = bulk("NaCl", "rocksalt", 5.64), good.copy(), good.copy()
    nowhere.positions[1] = np.nan
    flat.set_cell([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    endless.set_cell([[np.inf, 0, 0], [0, 1, 0], [0, 0, 1]])
    twice = Atoms("AlAl", positions=[[0, 0, 0], [0, 0, 1e-4]], cell=4 * np.eye(3), pbc=True)
    given = {
        "no atoms": Atoms(cell=np.eye(3), pbc=True),
        "no element": Atoms("X", cell=4 * np.eye(3), pbc=True),
        "no finite position": nowhere,
        "cell is not finite": endless,
        "does not repeat": Atoms("Al", cell=4 * np.eye(3)),
        "no volume": flat,
        "symmetry cannot": twice,
        "atom 0 has no neighbour": Atoms("Al", cell=40 * np.eye(3), pbc=True),
    }
    found = structural(crystals(good, *given.values(), good))
    assert found.rows_N.tolist() == [0, len(given) + 1]
    np.testing.assert_array_equal(found.values_NF[0], found.values_NF[1])
    assert [refused.row for refused in found.refused] == list(range(1, len(given) + 1))
    for reason, refused in zip(given, found.refused, strict=True):
        assert reason in refused.reason
        assert refused.remedy
    with pytest.raises(InputError, match=r"row 1: .*no atoms \(and 7 more rows\)"):
        found.complete()
    assert len(structural(crystals(*given.values())).rows_N) == 0


def test_what_would_take_too_long_is_refused():
    given = crystals(*known())
    found = structural(given, largest=3)
    assert [refused.row for refused in found.refused] == [3, 4, 5]
    assert "more than 3 atoms" in found.refused[0].reason
    with pytest.raises(InputError, match=r"(?s)structure 4: its 9 atoms.*shorter cutoff"):
        radial(crystals(*known()[:5]), cutoff=1000.0)


def test_nothing_gives_no_rows():
    assert structural(crystals()).values_NF.shape == (0, len(LABELS))
    assert radial(crystals(), cutoff=1.0).shape == (0, 10)


def test_an_element_without_a_radius_has_no_packing_fraction():
    assert np.isnan(densities(crystals(bulk("Kr", "fcc", 5.6), bulk("He", "fcc", 4.2)))[1, 2])


@pytest.mark.parametrize(
    ("cutoff", "width"), [(1.0, 0.3), (1.0, 0.0), (0.0, 0.1), (1.0, -0.1), (1.0, np.nan)]
)
def test_bins_must_fill_the_range(cutoff, width):
    with pytest.raises(InputError, match="do not fill"):
        radial(crystals(*known()), cutoff=cutoff, width=width)
