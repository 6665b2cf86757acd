"""Neighbours of each pair of elements at each distance, in crystals where they can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, molecule
from crystals_for_tests import crystals

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.describe import table
from zonemelt.tasks.featurize.pairs import BINS, SHORTEST, pairs, pairs_labels


def shells(cutoff, *shells):
    """Neighbours smeared over the bins; of each shell its number and distance, Å."""
    centres = np.linspace(SHORTEST, cutoff, BINS)
    width = centres[1] - centres[0]
    return sum(
        number
        * np.exp(-((distance - centres) ** 2) / (2 * width**2))
        * 0.5
        * (1 + np.cos(np.pi * distance / cutoff))
        for number, distance in shells
    )


def test_the_first_shell_of_a_metal():
    (row,) = pairs(crystals(bulk("Al", "fcc", 4.05)), elements=["Al"], cutoff=4.0)
    assert row[:BINS] == pytest.approx(shells(4.0, (12, 4.05 / 2**0.5)))
    assert row[BINS:] == pytest.approx([1.0, 4.05**3 / 4])


def test_salt_has_its_own_columns_for_each_pair():
    atoms = bulk("NaCl", "rocksalt", 5.64)
    labels = pairs_labels(elements=["Na", "Cl"], cutoff=4.5)
    (row,) = pairs(crystals(atoms), elements=["Na", "Cl"], cutoff=4.5)
    of = {
        pair: row[[number for number, label in enumerate(labels) if label.startswith(f"{pair} ")]]
        for pair in ("Cl-Cl", "Cl-Na", "Na-Na")
    }
    assert of["Cl-Na"] == pytest.approx(shells(4.5, (6, 5.64 / 2)))
    assert of["Cl-Cl"] == pytest.approx(shells(4.5, (12 / 2, 5.64 / 2**0.5)))  # an atom of both kinds
    assert of["Na-Na"] == pytest.approx(of["Cl-Cl"])
    assert dict(zip(labels[-3:], row[-3:], strict=True)) == {
        "fraction Cl": 0.5, "fraction Na": 0.5, "vpa": pytest.approx(5.64**3 / 8),
    }  # fmt: skip


def test_many_are_one_by_one():
    given = [bulk("Al", "fcc", 4.05), bulk("NaCl", "rocksalt", 5.64), bulk("Na", "bcc", 4.2, cubic=True)]
    told = {"elements": ["Al", "Cl", "Na"], "cutoff": 4.5}
    together = pairs(crystals(*given), **told)
    np.testing.assert_array_equal(together, [pairs(crystals(one), **told)[0] for one in given])


def test_what_has_no_volume_is_refused_and_the_others_are_not():
    found = table(
        crystals(bulk("NaCl", "rocksalt", 5.64), molecule("NaCl")),
        kind="pairs", elements=["Na", "Cl"], cutoff=4.0,
    )  # fmt: skip
    assert found.rows_N.tolist() == [0]
    with pytest.raises(InputError, match=r"row 1: .*'vpa' is not known"):
        found.complete()
