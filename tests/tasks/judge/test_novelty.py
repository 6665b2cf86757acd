"""Equal crystals are found to be equal however they are written, as pymatgen finds them pair by pair."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.judge.novelty import MATERIALS, novel, unique
from zonemelt.tasks.quality.same import ANY, Alike

SALT = bulk("NaCl", "rocksalt", 5.64)


def in_another_setting(atoms: Atoms, seed: int) -> Atoms:
    """The same crystal: a supercell, turned, moved, its atoms in another order."""
    rng = np.random.default_rng(seed)
    other = make_supercell(atoms, np.diag(rng.integers(1, 3, 3)) + np.triu(rng.integers(-1, 2, (3, 3)), 1))
    other = other[rng.permutation(len(other))]
    other.rotate(float(rng.uniform(0, 180)), rng.normal(size=3), rotate_cell=True)
    other.positions += rng.normal(size=3)
    return other


def random_crystal(seed: int, symbols: str = "Na2Cl2") -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = Atoms(symbols, cell=rng.normal(size=(3, 3)) + 4.5 * np.eye(3), pbc=True)
    atoms.set_scaled_positions(rng.uniform(size=(len(atoms), 3)))
    return atoms


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_a_crystal_is_the_same_in_every_setting(seed):
    polonium = bulk("NaCl", "cesiumchloride", 3.5)
    crystals = Crystals.of_atoms(
        [SALT, polonium, in_another_setting(SALT, seed), in_another_setting(polonium, seed)]
    )
    assert unique(crystals).row_G.tolist() == [0, 1, 0, 1]
    assert novel(crystals.take(slice(2, 4)), crystals.take(slice(0, 1))).row_G.tolist() == [0, -1]
    assert novel(crystals.take(slice(2, 4)), crystals.take(slice(0, 1))).new_G.tolist() == [False, True]


def test_groups_are_those_of_all_pairs():
    made = [random_crystal(seed) for seed in range(12)]
    made += [in_another_setting(made[seed], seed) for seed in (1, 5, 7)]
    for seed in (2, 5):
        near = made[seed].copy()
        near.rattle(0.05, seed=seed)
        made.append(near)
    made += [random_crystal(3, "K2Cl2"), SALT]
    structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in made]
    matcher, firsts, expected = StructureMatcher(), [], []
    for row, structure in enumerate(structures):
        same = next((first for first in firsts if matcher.fit(structure, structures[first])), row)
        expected.append(same)
        if same == row:
            firsts.append(row)
    found = unique(Crystals.of_atoms(made))
    assert found.row_G.tolist() == expected
    assert found.first_G.sum() == len(firsts) < len(made)
    assert found.cut == 0


def test_tolerances_are_the_matchers():
    pressed = Crystals.of_atoms([bulk("NaCl", "rocksalt", a) for a in (5.2, 5.64)])
    assert unique(pressed).first_G.sum() == 1
    assert (
        unique(pressed, alike=MATERIALS.model_copy(update={"scale": False, "length": 0.01})).first_G.sum()
        == 2
    )


def test_what_is_no_crystal_is_in_no_group_and_not_new():
    nan = SALT.copy()
    nan.positions[0, 0] = np.nan
    slab = SALT.copy()
    slab.pbc = [True, True, False]
    needle = Atoms("NaCl", [[0, 0, 0], [0, 0, 1e-4]], cell=[50, 50, 2e-4], pbc=True)
    dummy = Atoms("XCl", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    crystals = Crystals.of_atoms([SALT, nan, slab, needle, dummy, Atoms(cell=[3, 3, 3], pbc=True), SALT])
    found = unique(crystals)
    assert found.row_G.tolist() == [0, -1, -1, -1, -1, -1, 0]
    assert set(found.refused) == {1, 2, 3, 4, 5}
    assert "degenerate" in found.refused[3]
    fresh = novel(crystals, Crystals.of_atoms([nan, bulk("Al")]))
    assert fresh.new_G.tolist() == [True, False, False, False, False, False, True]
    assert unique(crystals.take(slice(0, 0))).row_G.tolist() == []
    assert novel(crystals, crystals.take(slice(0, 0))).new_G.sum() == 2


def test_large_cells_are_known_by_their_key():
    large = SALT.repeat(2)
    rattled = large.copy()
    rattled.rattle(0.3, seed=0)
    moved = rattled.copy()
    moved.positions += [0.3, 1.0, 0.7]
    crystals = Crystals.of_atoms([rattled, large, moved])
    small = MATERIALS.model_copy(update={"atoms": 8})
    found = unique(crystals, alike=small)
    assert found.row_G.tolist() == [0, 1, 0]
    assert found.comparisons == 0
    assert novel(crystals, Crystals.of_atoms([moved]), alike=small).new_G.tolist() == [False, True, False]


def test_what_was_not_compared_with_all_is_counted():
    crystals = Crystals.of_atoms(random_crystal(seed) for seed in range(8))
    strict = Alike(site=1e-3, fingerprint=ANY, comparisons=3)
    found = unique(crystals, alike=strict)
    assert found.first_G.all()
    assert found.cut == 4  # the fifth and those after it
    assert found.comparisons == 1 + 2 + 3 * 5


def test_duplicates_cost_in_proportion():
    """Twenty copies of each of three crystals: hardly more than one comparison a copy."""
    makes = [random_crystal(seed) for seed in range(3)]
    copies = []
    for number in range(60):
        copy = makes[number % 3].copy()
        copy.rattle(0.01, seed=number)
        copies.append(copy)
    found = unique(Crystals.of_atoms(copies))
    assert found.first_G.sum() == 3
    assert found.comparisons <= 60 + 3


def test_progress_counts_every_crystal():
    crystals = Crystals.of_atoms([SALT, bulk("Al"), SALT, Atoms(cell=[3, 3, 3], pbc=True)])
    told = []
    unique(crystals, tell=told.append)
    novel(crystals, crystals, tell=told.append)
    assert sum(told) == 8
