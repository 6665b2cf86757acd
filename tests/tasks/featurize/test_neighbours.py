"""Neighbours are those that pymatgen finds, whoever searches and however the crystal is written down."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule, nanotube
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize import neighbours
from zonemelt.tasks.featurize.neighbours import nearest, within


@st.composite
def crystals(draw, largest=6):
    """Periodic cells: skewed, flat, long, of one atom, atoms outside the cell."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    size = draw(st.integers(1, largest))
    lengths = [draw(st.sampled_from([1.7, 2.9, 4.1, 9.0])) for _ in range(3)]
    skew = draw(st.sampled_from([0.0, 0.3, 1.5, 4.0]))
    cell = np.diag(lengths) + skew * np.tril(rng.normal(size=(3, 3)), -1)
    fractions = rng.uniform(-1.5, 1.5, size=(size, 3))
    return Atoms(f"H{size}", cell=cell, scaled_positions=fractions, pbc=True)


def edges(found):
    """The set of (centre, neighbour, image)."""
    return {
        (int(i), int(j), *map(int, image))
        for (j, i), image in zip(found.index_2E.T, found.images_E3, strict=True)
    }


def pymatgen_edges(atoms, cutoff):
    from pymatgen.core import Lattice, Structure

    structure = Structure(
        Lattice(atoms.cell.array), atoms.numbers, atoms.positions, coords_are_cartesian=True
    )
    centres, others, images, distances = structure.get_neighbor_list(cutoff)
    found = {(int(i), int(j), *map(int, image)) for i, j, image in zip(centres, others, images, strict=True)}
    return found, np.sort(distances)


@settings(max_examples=60)
@given(crystals(), st.sampled_from([1.0, 3.3, 5.0, 8.0]))
def test_edges_within_a_cutoff_are_pymatgens(atoms, cutoff):
    found = within(Crystals.of_atoms([atoms]), cutoff=cutoff)
    expected, distances = pymatgen_edges(atoms, cutoff)
    assert len(found) == len(expected)
    assert edges(found) == expected
    np.testing.assert_allclose(np.sort(found.distances_E), distances, atol=1e-9)


@settings(max_examples=60)
@given(crystals(), st.sampled_from([2.5, 5.0, 8.0]), st.sampled_from([1, 4, 12, 40]))
def test_the_nearest_are_the_nearest_of_pymatgen(atoms, cutoff, k):
    from pymatgen.core import Lattice, Structure

    found = nearest(Crystals.of_atoms([atoms]), cutoff=cutoff, k=k)
    structure = Structure(
        Lattice(atoms.cell.array), atoms.numbers, atoms.positions, coords_are_cartesian=True
    )
    everything = edges(within(Crystals.of_atoms([atoms]), cutoff=cutoff))
    assert edges(found) <= everything
    for i, around in enumerate(structure.get_all_neighbors(cutoff)):
        expected = np.sort([one.nn_distance for one in around])[:k]
        mine = found.distances_E[found.first_A[i] : found.first_A[i + 1]]
        np.testing.assert_allclose(np.sort(mine), expected, atol=2e-6)
        assert (np.diff(np.rint(mine / 1e-6)) >= 0).all()


@settings(max_examples=25)
@given(st.lists(crystals(4), min_size=1, max_size=4), st.sampled_from([0, 12]))
def test_whoever_searches_finds_the_same(structures, k):
    batch = Crystals.of_atoms(structures)
    kernel = neighbours._neighbours(batch, 6.0, k)
    for large in (0, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(neighbours, "LARGE", large)
            other = neighbours._neighbours(batch, 6.0, k)
        for name in ("index_2E", "images_E3", "vectors_E3", "distances_E", "first_A"):
            np.testing.assert_array_equal(getattr(kernel, name), getattr(other, name))


@settings(max_examples=25)
@given(crystals())
def test_vectors_lead_to_images_and_back(atoms):
    found = within(Crystals.of_atoms([atoms]), cutoff=5.0)
    j, i = found.index_2E
    expected = atoms.positions[j] - atoms.positions[i] + found.images_E3 @ atoms.cell.array
    np.testing.assert_allclose(found.vectors_E3, expected, atol=1e-12)
    np.testing.assert_allclose(found.distances_E, np.linalg.norm(expected, axis=1), atol=1e-12)
    assert {(b, a, -x, -y, -z) for a, b, x, y, z in edges(found)} == edges(found)


@settings(max_examples=25)
@given(crystals(), st.integers(0, 2**32 - 1))
def test_turned_shifted_and_reordered_crystals_have_the_same_edges(atoms, seed):
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(seed)
    here = nearest(Crystals.of_atoms([atoms]), cutoff=8.0, k=7)
    turn = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    moved = Atoms(
        atoms.numbers, positions=(atoms.positions + rng.normal(size=3)) @ turn.T,
        cell=atoms.cell.array @ turn.T, pbc=True,
    )  # fmt: skip
    order = rng.permutation(len(atoms))
    there = nearest(Crystals.of_atoms([moved]), cutoff=8.0, k=7)
    np.testing.assert_array_equal(here.index_2E, there.index_2E)
    np.testing.assert_array_equal(here.images_E3, there.images_E3)
    np.testing.assert_allclose(here.vectors_E3 @ turn.T, there.vectors_E3, atol=1e-9)
    other = nearest(Crystals.of_atoms([atoms[order]]), cutoff=8.0, k=7)
    for new, old in enumerate(order):
        np.testing.assert_allclose(
            other.distances_E[other.first_A[new] : other.first_A[new + 1]],
            here.distances_E[here.first_A[old] : here.first_A[old + 1]], atol=2e-6,
        )  # fmt: skip


def test_of_equally_near_neighbours_the_first_are_taken():
    """18 of the face-centred cube: 12 at one distance, 6 at the next, of which the lowest images stay."""
    cube = bulk("Al", cubic=True)
    rng = np.random.default_rng(0)
    found = nearest(Crystals.of_atoms([cube]), cutoff=8.0, k=14)
    noisy = cube.copy()
    noisy.positions += rng.normal(scale=1e-13, size=(4, 3))
    again = nearest(Crystals.of_atoms([noisy]), cutoff=8.0, k=14)
    assert edges(found) == edges(again)
    last = found.images_E3[found.first_A[1] - 2 : found.first_A[1]]
    assert last.tolist() == [[-1, 0, 0], [0, -1, 0]]
    np.testing.assert_array_equal(found.index_2E[0, 12:14], [0, 0])


def test_fewer_than_k_is_fine_and_seen():
    found = nearest(Crystals.of_atoms([bulk("Al"), molecule("H2O"), Atoms("He")]), cutoff=3.0, k=12)
    assert found.counts_A.tolist() == [12, 2, 2, 2, 0]


@pytest.mark.parametrize(
    "atoms",
    [
        molecule("C2H6"),
        fcc111("Al", (2, 2, 3), vacuum=8.0),
        nanotube(4, 0),
        Atoms("Ar2", positions=[[0, 0, 0], [1, 2, 3]], cell=[[0, 0, 0], [3, 4, 0], [0, 0, 0]], pbc=[0, 1, 0]),
        Atoms("Ar2", positions=[[0, 0, 0], [1, 2, 3]], cell=[[5, 5, 1], [3, 4, 0], [9, 9, 9]], pbc=[1, 1, 0]),
        Atoms("Ar2", positions=[[0, 0, 0], [1, 2, 3]], cell=[[5, 5, 1], [0, 0, 0], [1, 0, 4]], pbc=[1, 0, 1]),
    ],
    ids=["molecule", "slab", "tube", "chain", "plane", "other-plane"],
)
@pytest.mark.parametrize("large", [0, 700])
def test_partly_periodic(atoms, large, monkeypatch):
    from ase.neighborlist import primitive_neighbor_list

    monkeypatch.setattr(neighbours, "LARGE", large)
    found = within(Crystals.of_atoms([bulk("Al"), atoms]), cutoff=6.05)
    mine = {(i - 1, j - 1, *image) for i, j, *image in edges(found) if i > 0}
    i, j, images = primitive_neighbor_list("ijS", atoms.pbc, atoms.cell.array, atoms.positions, 6.05)
    assert mine == {(int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, images, strict=True)}


def test_atoms_on_top_of_each_other_are_neighbours():
    found = nearest(Crystals.of_atoms([Atoms("H2", positions=[[0, 0, 0]] * 2)]), cutoff=3.0, k=3)
    assert found.distances_E.tolist() == [0.0, 0.0]


def test_none_has_no_edges():
    found = within(Crystals.of([]), cutoff=5.0)
    assert (len(found), found.first_A.tolist()) == (0, [0])


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("H", cell=np.zeros((3, 3)), pbc=True), "structure 1: the cell has no volume"),
        (Atoms("H", cell=[[1, 0, 0], [0, 1, 0], [1, 1, 0]], pbc=True), "structure 1: the cell has no volume"),
        (Atoms("H2", positions=[[0, 0, 0], [0, np.nan, 0]]), "structure 1: atom 1 has no finite position"),
        (Atoms("H", cell=[np.inf, 1, 1], pbc=False), "structure 1: the cell is not finite"),
    ],
    ids=["no-cell", "plane", "nan", "infinite"],
)
def test_what_cannot_be_searched_is_named(atoms, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        batch = Crystals.of_atoms([bulk("Al"), atoms])
    with pytest.raises(InputError, match=message):
        nearest(batch, cutoff=5.0, k=3)


def test_cells_in_the_wrong_unit_are_refused_and_not_searched_for_ever():
    tiny = Atoms("H", cell=np.diag([0.02, 0.03, 0.02]), pbc=True)
    batch = Crystals.of_atoms([bulk("Al"), tiny])
    with pytest.raises(InputError, match="structure 1: about 3e\\+08 cells are within 8 Å"):
        within(batch, cutoff=8.0)
    assert nearest(batch, cutoff=8.0, k=3).counts_A.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("cutoff", "k", "said"),
    [
        (0.0, 3, "a cutoff of 0"),
        (-1.0, 3, "a cutoff of -1"),
        (np.nan, 3, "a cutoff of nan"),
        (np.inf, 3, "a cutoff of inf"),
        (5.0, 0, "0 neighbours"),
    ],
)
def test_senseless_settings_are_refused(cutoff, k, said):
    with pytest.raises(InputError, match=said):
        nearest(Crystals.of_atoms([bulk("Al")]), cutoff=cutoff, k=k)
