"""Structures in flat arrays are the structures they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, molecule

from zonemelt.tasks.crystals import Crystals

STRUCTURES = [bulk("Al"), bulk("NaCl", "rocksalt", a=5.6, cubic=True), molecule("H2O"), bulk("Si")]


@pytest.mark.parametrize(
    "indices", [slice(None), slice(1, 3), slice(2, 2), slice(None, None, -1), np.array([3, 0, 3])]
)
def test_each_comes_back(indices):
    taken = Crystals.of_atoms(STRUCTURES).take(indices)
    expected = [STRUCTURES[i] for i in np.arange(len(STRUCTURES))[indices]]
    assert len(taken) == len(expected)
    assert list(taken.sizes_G) == [len(atoms) for atoms in expected]
    for i, atoms in enumerate(expected):
        assert taken.atoms(i) == atoms


def test_none_is_no_structure():
    none = Crystals.of([])
    assert len(none) == 0
    assert none.first_G.tolist() == [0]
