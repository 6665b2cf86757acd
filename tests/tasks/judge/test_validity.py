"""Validity of generated crystals is that of CDVAE's evaluation; what is no crystal is counted, not raised."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import smact
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Structure
from smact.screening import pauling_test

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.judge.validity import valid


def test_known_crystals_are_valid():
    found = valid(
        Crystals.of_atoms([bulk("Al"), bulk("NaCl", "rocksalt", 5.64), bulk("GaAs", "zincblende", 5.65)])
    )
    assert found.both_G.all()
    assert not found.reasons


@pytest.mark.parametrize(
    ("apart", "good"), [(0.501, True), (0.499, False)], ids=["half an Å and more", "less than half an Å"]
)
def test_the_least_distance_counts_images(apart, good):
    atoms = Atoms("NaCl", [[0, 0, 0.1], [0, 0, 5.0 + 0.1 - apart]], cell=[4, 4, 5], pbc=True)
    found = valid(Crystals.of_atoms([atoms]))
    assert found.structure_G.tolist() == [good]
    assert bool(found.reasons) is not good


def test_what_is_no_crystal_is_counted_with_its_reason():
    nan = bulk("NaCl", "rocksalt", 5.64)
    nan.positions[1, 2] = np.nan
    infinite = bulk("NaCl", "rocksalt", 5.64)
    infinite.cell[0, 0] = np.inf
    flat = Atoms("NaCl", [[0, 0, 0], [2, 0, 0]], cell=[[4, 0, 0], [0, 4, 0], [4, 4, 0]], pbc=True)
    small = Atoms("Na", cell=[0.4, 0.4, 0.4], pbc=True)
    slab = bulk("NaCl", "rocksalt", 5.64)
    slab.pbc = [True, True, False]
    dummy = Atoms("XCl", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    superheavy = Atoms("OgCl", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    noble = Atoms("HeO", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    empty = Atoms(cell=[4, 4, 4], pbc=True)
    overlap = Atoms("NaCl", [[1, 1, 1], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    odd = Atoms("Na2Cl", [[0, 0, 0], [2, 2, 2], [2, 0, 0]], cell=[4, 4, 4], pbc=True)
    said = {
        "nan": (nan, False, True, "not finite"),
        "infinite": (infinite, False, True, "not finite"),
        "flat": (flat, False, True, "less than 0.1 Å³"),
        "small": (small, False, True, "less than 0.1 Å³"),
        "slab": (slab, False, True, "not periodic"),
        "dummy": (dummy, True, False, "atomic number 0"),
        "superheavy": (superheavy, True, False, "SMACT does not know Og"),
        "noble": (noble, True, False, "no oxidation state of He"),
        "empty": (empty, False, False, "no atoms"),
        "overlap": (overlap, False, True, "two of its atoms are nearer"),
        "odd": (odd, True, False, "no oxidation states are neutral"),
    }
    found = valid(Crystals.of_atoms([one[0] for one in said.values()]))
    assert found.structure_G.tolist() == [one[1] for one in said.values()]
    assert found.composition_G.tolist() == [one[2] for one in said.values()]
    for row, (_, _, _, why) in enumerate(said.values()):
        assert why in found.reasons[row][-1 if why.startswith("no ") else 0]
    assert found.both_G.sum() == 0
    assert len(valid(Crystals.of_atoms([])).both_G) == 0


def as_published(symbols: list[str], counts: list[int]) -> bool:
    """All combinations of oxidation states, one by one, as the published evaluation tries them."""
    if len(symbols) == 1 or all(symbol in smact.metals for symbol in symbols):
        return True
    elements = [smact.Element(symbol) for symbol in symbols]
    return any(
        sum(state * count for state, count in zip(states, counts, strict=True)) == 0
        and pauling_test(states, [element.pauling_eneg for element in elements])
        for states in itertools.product(*(element.oxidation_states_smact14 for element in elements))
    )


ELEMENTS = ["Li", "Na", "Al", "Fe", "Ti", "Si", "N", "O", "F", "S", "Cl", "H", "C"]


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3)
)
def test_compositions_are_valid_as_published_however_often_the_formula_is_in_the_cell(counts, times):
    symbols = [symbol for symbol, count in counts.items() for _ in range(count * times)]
    atoms = Atoms(
        symbols, np.arange(len(symbols))[:, None] * [2.0, 0, 0], cell=[2 * len(symbols), 3, 3], pbc=True
    )
    found = valid(Crystals.of_atoms([atoms]))
    divisor = np.gcd.reduce(list(counts.values()))
    reduced = [count // divisor for count in counts.values()]
    assert found.composition_G[0] == as_published(list(counts), reduced)
    assert found.structure_G[0]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_structures_are_valid_as_published(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 6))
    cell = rng.normal(size=(3, 3)) * rng.uniform(0.3, 4)
    atoms = Atoms(["O"] * count, cell=cell, pbc=True)
    atoms.set_scaled_positions(rng.uniform(size=(count, 3)))
    structure = Structure(cell, ["O"] * count, atoms.get_scaled_positions())
    distances = structure.distance_matrix + 10 * np.eye(count)
    expected = structure.volume >= 0.1 and distances.min() >= 0.5
    assert valid(Crystals.of_atoms([atoms])).structure_G[0] == expected


def test_large_cells_are_valid_by_the_same_distances():
    large = bulk("NaCl", "rocksalt", 5.64, cubic=True).repeat(4)
    near = large.copy()
    near.positions[7] = near.positions[300] + [0.3, 0.2, 0.1]
    crowd = large.copy()
    crowd.positions[:] = 1.0
    dense = large.copy()
    dense.set_cell([2.0, 2.0, 2.0], scale_atoms=True)
    found = valid(Crystals.of_atoms([large, near, crowd, dense]))
    assert found.structure_G.tolist() == [True, False, False, False]
