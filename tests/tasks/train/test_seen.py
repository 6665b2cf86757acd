"""A structure that was seen is known again, whatever it is called; another is not."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from properties_for_tests import dataset_of, records

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.seen import SEEN, Seen, digests_of, geometry_digests, read_seen, write_seen


def digest(atoms):
    (found,) = geometry_digests(Crystals.of_atoms([atoms]))
    return found


def test_a_digest_is_that_of_the_structure():
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    assert digest(atoms) == digest(atoms.copy())
    nearly = atoms.copy()
    nearly.positions -= 1e-8  # also -0.0
    assert digest(nearly) == digest(atoms)
    for change in ("positions", "cell", "numbers", "pbc"):
        other = atoms.copy()
        if change == "positions":
            other.positions[1, 0] += 0.01
        elif change == "cell":
            other.set_cell(other.cell.array * 1.01)
        elif change == "numbers":
            other.numbers[0] = 19
        else:
            other.pbc = (True, True, False)
        assert digest(other) != digest(atoms)


def test_structures_do_not_depend_on_their_neighbours():
    found = [bulk("Al"), bulk("Cu", cubic=True), bulk("NaCl", "rocksalt", a=5.64)]
    assert geometry_digests(Crystals.of_atoms(found)) == [digest(atoms) for atoms in found]


def test_what_was_seen_is_among_others(tmp_path):
    dataset = open_dataset(dataset_of(records(8), tmp_path / "d"))
    digests = digests_of(dataset)
    seen = Seen(dataset="v", identifiers=("a", "m5"), geometries=(digests[2], "of another"))
    write_seen(tmp_path, seen)
    assert read_seen(tmp_path) == seen
    found = seen.among([f"m{i}" for i in range(8)], digests)
    assert found == {"same_structure": ["m2"], "same_name": ["m5"]}


def test_absent_is_not_known_and_damaged_is_said(tmp_path):
    assert read_seen(tmp_path) is None
    (tmp_path / SEEN).write_text('{"dataset": "v"')
    with pytest.raises(InputError, match="cannot be read"):
        read_seen(tmp_path)


def test_digests_do_not_depend_on_the_memory_of_arrays():
    crystals = Crystals.of_atoms([bulk("Al"), bulk("Cu", cubic=True)])
    assert geometry_digests(crystals.take(np.array([1]))) == geometry_digests(crystals)[1:]
