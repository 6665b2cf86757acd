"""The same crystal is found to be the same, however it was written down; the cost grows linearly."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.examine import BASIN
from zonemelt.tasks.quality.canonical import exact_key
from zonemelt.tasks.quality.duplicates import FRAMES, Alike, find_duplicates
from zonemelt.tasks.quality.fingerprint import fingerprint
from zonemelt.tasks.quality.same import Comparable, stayed
from zonemelt.tasks.records import Geometry


def crystal(seed: int) -> Atoms:
    """Atoms without symmetry, none of them close to another."""
    rng = np.random.default_rng(seed)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=seed % 2 == 0)
    atoms.symbols[: len(atoms) // 2] = rng.choice(["Na", "K", "Cl"], len(atoms) // 2)
    atoms.positions += rng.uniform(-0.5, 0.5, atoms.positions.shape)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3))), scale_atoms=True)
    return atoms


KNOWN = [bulk("Al"), bulk("NaCl", "rocksalt", a=5.64), bulk("Mg"), bulk("ZnS", "wurtzite", a=3.82, c=6.26)]


def rewritten(atoms: Atoms, seed: int) -> Atoms:
    """The same crystal: other vectors, a supercell, another order, origin and orientation."""
    rng = np.random.default_rng(seed)
    other = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.choice(3, 2, replace=False)
        other[i] += rng.integers(-1, 2) * other[j]
    atoms = make_supercell(atoms, np.diag(rng.integers(1, 3, 3)) @ other)
    atoms = atoms[rng.permutation(len(atoms))]
    turn = Rotation.random(rng=rng).as_matrix().T
    atoms.set_cell(atoms.cell.array @ turn)
    atoms.positions = atoms.positions @ turn + rng.normal(size=3)
    if rng.random() < 0.5:
        atoms.wrap()
    return atoms


@settings(max_examples=15)
@given(which=st.integers(-len(KNOWN), 20), how=st.integers(0, 10**6))
def test_a_crystal_has_one_key_and_one_fingerprint(which, how):
    atoms = KNOWN[which] if which < 0 else crystal(which)
    one, other = Geometry.of(atoms), Geometry.of(rewritten(atoms, how))
    assert exact_key(one) == exact_key(other)
    assert fingerprint(one) == pytest.approx(fingerprint(other), abs=1e-6)


def test_a_mirror_image_is_the_same():
    atoms = crystal(3)
    mirrored = atoms.copy()
    mirrored.set_cell(atoms.cell.array * [1, 1, -1])
    mirrored.positions = atoms.positions * [1, 1, -1]
    assert exact_key(Geometry.of(atoms)) == exact_key(Geometry.of(mirrored))


@pytest.mark.parametrize("seed", range(6))
def test_another_crystal_has_another_key(seed):
    atoms = crystal(seed)
    moved, strained, swapped, sheared = (atoms.copy() for _ in range(4))
    moved.positions[0] += 0.05
    strained.set_cell(atoms.cell.array * 1.01, scale_atoms=True)
    sheared.set_cell(atoms.cell.array @ [[1, 0.03, 0], [0, 1, 0], [0, 0, 1]], scale_atoms=True)
    swapped.symbols[0] = "Br"
    keys = {exact_key(Geometry.of(one)) for one in (atoms, moved, strained, swapped, sheared)}
    assert len(keys) == 5


def test_what_is_not_periodic_is_compared_as_it_lies():
    atoms = Atoms("OH2", [[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    turned = atoms.copy()
    turned.rotate(90, "z")
    assert exact_key(Geometry.of(atoms)) == exact_key(Geometry.of(atoms[[2, 0, 1]]))
    assert exact_key(Geometry.of(atoms)) != exact_key(Geometry.of(turned))


def rattled(atoms: Atoms, seed: int, by: float = 0.02) -> Atoms:
    copy = atoms.copy()
    copy.rattle(by, seed=seed)
    return copy


def test_groups_are_those_that_were_made():
    rng = np.random.default_rng(0)
    structures = {}
    for seed in range(0, 16, 2):
        structures[f"{seed}a"] = crystal(seed)
        structures[f"{seed}b"] = rewritten(crystal(seed), seed)
        structures[f"{seed}c"] = rattled(crystal(seed), seed)
    structures["rocksalt"] = bulk("NaCl", "rocksalt", a=5.6)
    structures["pressed"] = bulk("NaCl", "rocksalt", a=5.3)
    structures["caesium chloride"] = bulk("NaCl", "cesiumchloride", a=3.5)
    names = list(structures)
    found = [
        find_duplicates((name, Geometry.of(structures[name])) for name in order)
        for order in (names, [names[i] for i in rng.permutation(len(names))])
    ]
    assert found[0] == found[1]
    groups = {frozenset(group.members) for group in found[0].groups}
    assert groups == {frozenset(f"{s}{x}" for x in "abc") for s in range(0, 16, 2)} | {
        frozenset(("rocksalt", "pressed"))
    }
    assert all(
        len(structures[g.representative]) == min(len(structures[m]) for m in g.members)
        for g in found[0].groups
    )
    assert len(found[0].surplus) == 17


def test_strained_copies_are_other_labels():
    pressed = [(str(a), Geometry.of(bulk("NaCl", "rocksalt", a=a))) for a in (5.3, 5.6, 5.6000001)]
    assert len(find_duplicates(pressed).groups[0].members) == 3
    (group,) = find_duplicates(pressed, alike=FRAMES).groups
    assert group.members == ("5.6", "5.6000001")
    assert group.how == "exact"


class Undecided:
    """A matcher that finds nothing alike: no structure is spared a comparison."""

    asked = 0

    def fit(self, one, other, skip_structure_reduction):
        self.asked += 1
        return False


@pytest.mark.parametrize("one_formula", [True, False])
def test_comparisons_grow_linearly(monkeypatch, one_formula):
    """Frames of one trajectory, all as near to each other as can be: the worst case."""

    def asked(count: int) -> int:
        matcher = Undecided()
        monkeypatch.setattr(Alike, "matcher", lambda self: matcher)
        monkeypatch.setattr(Comparable, "certainly_is", lambda *_: False)
        structures = []
        for i in range(count):
            atoms = rattled(bulk("NaCl", "rocksalt", a=5.6), i, 0.03)
            atoms.symbols[0] = "Na" if one_formula else ["Na", "K", "Li"][i % 3]
            structures.append((f"{i:05d}", Geometry.of(atoms)))
        found = find_duplicates(structures, alike=Alike(comparisons=3))
        assert found.comparisons == matcher.asked
        return matcher.asked

    once, ten, hundred = asked(3), asked(30), asked(300)
    assert once <= 3 * 3
    assert 0 < ten <= 3 * 30
    assert ten < hundred <= 3 * 300


def test_what_is_too_large_to_compare_is_said():
    large = bulk("Al", cubic=True).repeat(2)
    found = find_duplicates(
        [("a", Geometry.of(large)), ("b", Geometry.of(rattled(large, 1)))], alike=Alike(atoms=16)
    )
    assert not found.groups
    assert found.only_exact["b"] == "it has 32 atoms, more than 16"


@pytest.mark.parametrize("other", ["Al", "Cu"])
def test_two_of_one_name_are_refused(other):
    with pytest.raises(InputError, match="two structures are called x"):
        find_duplicates([("x", Geometry.of(bulk("Al"))), ("x", Geometry.of(bulk(other)))])


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), by=st.floats(0.01, 0.6), strain=st.floats(0, 0.06), swap=st.booleans())
def test_what_certainly_is_the_same_the_matcher_finds_the_same(seed, by, strain, swap):
    rng = np.random.default_rng(seed)
    atoms = Atoms("NaKCl3", cell=4.2 * np.eye(3) + rng.normal(0, 0.4, (3, 3)), pbc=True)
    atoms.set_scaled_positions(rng.uniform(size=(5, 3)))
    other = atoms.copy()
    other.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, strain, (3, 3))), scale_atoms=True)
    other.positions += rng.normal(0, by / 2, (5, 3)) + rng.normal(size=3)
    other = other[rng.permutation(5)]
    if swap:
        other.symbols[[0, 1]] = other.symbols[[1, 0]]
    one, another = Comparable.of(Geometry.of(atoms)), Comparable.of(Geometry.of(other))
    for alike in (Alike(), FRAMES, Alike(length=0.3, site=0.5, angle=10)):
        if one.certainly_is(another, alike):
            assert alike.matcher().fit(one.structure(), another.structure(), skip_structure_reduction=True)
    assert one.certainly_is(one, FRAMES)


def test_what_may_not_be_primitive_is_left_to_the_matcher():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    one = Comparable.of(Geometry.of(salt))
    assert not one.certainly_is(one, Alike())
    assert find_duplicates([("a", Geometry.of(salt)), ("b", Geometry.of(rattled(salt, 1)))]).comparisons == 1


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0, 0.8), st.floats(0, 0.1))
def test_what_stayed_is_the_same_to_the_matcher(seed, displacement, strain):
    draw = np.random.default_rng(seed)
    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    before = Atoms("SrTiO3", scaled_positions=places, cell=np.eye(3) * 3.9, pbc=True)
    after = before.copy()
    after.set_cell(after.cell[:] @ (np.eye(3) + strain * draw.normal(size=(3, 3)) / 3), scale_atoms=True)
    after.positions += displacement * draw.normal(size=(5, 3)) / 3 + draw.normal(size=3)
    after.wrap()
    one, two = Geometry.of(before), Geometry.of(after)
    if stayed(one, two, BASIN):
        assert find_duplicates([("one", one), ("two", two)], alike=BASIN).groups
    else:
        assert displacement > 0.1 or strain > 0.03


def test_what_moved_far_or_changed_has_not_stayed():
    before = bulk("NiAl", "cesiumchloride", a=3.0)
    apart, sheared, other = before.copy(), before.copy(), before.copy()
    apart.positions[1] = (1.5, 1.5, 0.2)
    sheared.set_cell([[3, 0, 0], [1, 3, 0], [0, 0, 3]], scale_atoms=True)
    other.symbols[:] = ["Al", "Ni"]
    assert stayed(Geometry.of(before), Geometry.of(before), Alike())
    assert not any(stayed(Geometry.of(before), Geometry.of(one), Alike()) for one in (apart, sheared, other))
