"""The registry of kinds of features."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from crystals_for_tests import crystals, distorted, same

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.describe import FEATURES, table

SETTINGS = {"elements": ["Na", "Cl", "Al"], "cutoff": 4.0}


@pytest.mark.parametrize("kind", FEATURES)
def test_every_kind_gives_labelled_rows_the_same_for_the_same_crystal(kind):
    atoms = distorted()
    found = table(crystals(atoms, bulk("Al", "fcc", 4.05), *same(atoms).values()), kind=kind, **SETTINGS)
    assert found.values_NF.shape == (6, len(found.labels))
    assert len(set(found.labels)) == len(found.labels)
    assert np.isfinite(found.values_NF).all()
    for row in (2, 3, 4, 5):
        assert found.values_NF[row] == pytest.approx(found.values_NF[0], abs=1e-5, rel=1e-5)
    assert np.abs(found.values_NF[1] - found.values_NF[0]).max() > 0.1
    assert not found.refused
    assert FEATURES[kind].about


@pytest.mark.parametrize("kind", FEATURES)
def test_elements_are_told_apart_and_nothing_jumps(kind):
    given = crystals(*(bulk(name, "fcc", a) for name, a in (("Al", 4.05), ("Al", 4.0500001), ("Na", 4.05))))
    values = table(given, kind=kind, elements=["Al", "Na"], cutoff=4.5).values_NF
    assert np.abs(values[0] - values[2]).max() > 0.1
    assert np.abs(values[0] - values[1]).max() < 1e-3


@pytest.mark.parametrize("kind", FEATURES)
def test_no_crystals_give_no_rows(kind):
    found = table(crystals(), kind=kind, **SETTINGS)
    assert found.values_NF.shape == (0, len(found.labels))


def test_what_lacks_a_feature_is_refused_and_named():
    given = crystals(bulk("Al", "fcc", 4.05), bulk("He", "fcc", 4.2), Atoms("Al", cell=4 * np.eye(3)))
    magpie = table(given, kind="magpie", elements=[], cutoff=0.0)
    assert magpie.rows_N.tolist() == [0, 2]
    assert magpie.refused[0].row == 1
    assert "MeltingT" in magpie.refused[0].reason
    structural = table(given, kind="structural", elements=[], cutoff=0.0)
    assert structural.rows_N.tolist() == [0]
    assert [refused.row for refused in structural.refused] == [1, 2]
    assert "packing fraction" in structural.refused[0].reason
    with pytest.raises(InputError, match="row 1: He1: 'MagpieData minimum MeltingT' is not known"):
        magpie.complete()


def test_unknown_kinds_are_named():
    with pytest.raises(InputError, match="did you mean 'magpie'"):
        table(crystals(), kind="magpy", **SETTINGS)
