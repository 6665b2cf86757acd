"""Noise and the ways out of it: distributions, symmetry, and what a lattice does not tell apart."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from ase.build import bulk
from generators_for_tests import salts
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import cells_of, stretches
from zonemelt.tasks.generate.noise import Draws, Noise, gumbel, wrapped
from zonemelt.tasks.generate.padded import CrystalSet, Standard, check_crystals
from zonemelt.tasks.generate.pairing import paired

SPECIES = np.array([8, 11, 12, 17, 19, 20])
STANDARD = Standard(mean_6=np.zeros(6), deviation=1.0)
seeds = st.integers(0, 2**32 - 1)


def crystal_set(crystals):
    return CrystalSet(crystals, elements=SPECIES, standard=STANDARD)


@given(seeds)
def test_a_stretch_is_the_cell_but_for_its_orientation(seed):
    draw = np.random.default_rng(seed)
    cells = draw.normal(size=(3, 3, 3)) + 4 * np.eye(3)
    sizes = draw.integers(1, 20, 3)
    found = stretches(cells, sizes)
    turned = cells @ Rotation.random(random_state=seed).as_matrix()
    np.testing.assert_allclose(stretches(turned, sizes), found, atol=1e-9)
    back = cells_of(found, sizes)
    np.testing.assert_allclose(back @ back.transpose(0, 2, 1), cells @ cells.transpose(0, 2, 1), rtol=1e-8)
    assert (np.linalg.det(back) > 0).all()
    np.testing.assert_allclose(
        np.exp(found[:, :3].sum(axis=1)) * sizes, np.abs(np.linalg.det(cells)), rtol=1e-9
    )


@given(seeds, st.integers(1, 6))
def test_ways_end_at_a_translate_of_the_crystal(seed, atoms):
    draw = np.random.default_rng(seed)
    start, end = draw.uniform(size=(2, 3, atoms, 3))
    kinds = draw.integers(0, 2, (3, atoms))
    order, ways = paired(start, end, kinds, np.full(3, atoms))
    np.testing.assert_allclose(ways.mean(axis=1), 0, atol=1e-12)
    assert (np.sort(order, axis=1) == np.arange(atoms)).all()
    np.testing.assert_array_equal(np.take_along_axis(kinds, order, axis=1), kinds)
    moved = wrapped(start + ways - np.take_along_axis(end, order[..., None], axis=1))
    np.testing.assert_allclose(wrapped(moved - moved[:, :1]), 0, atol=1e-9)


@given(seeds)
def test_whole_turns_and_translations_of_a_crystal_do_not_change_the_way(seed):
    draw = np.random.default_rng(seed)
    start, end = draw.uniform(size=(2, 2, 4, 3))
    sizes, kinds = np.full(2, 4), np.full((2, 4), -1)
    moved = end + draw.integers(-3, 4, end.shape) + draw.uniform(size=(2, 1, 3))
    found, expected = (paired(start, one, kinds, sizes)[1] for one in (moved, end))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_pairs_are_the_shortest_there_are():
    draw = np.random.default_rng(4)
    start, end = draw.uniform(size=(2, 1, 4, 3))
    _, ways = paired(start, end, np.full((1, 4), -1), np.array([4]))

    def length(order, shift):
        way = wrapped(end[0, list(order)] + shift - start[0])
        return ((way - way.mean(axis=0)) ** 2).sum()

    shifts = [start[0, atom] - end[0, 0] for atom in range(4)]
    cheapest = []
    for shift in shifts:  # the assignment is the best before the common motion is taken off
        costs = [
            (((wrapped(end[0, list(order)] + shift - start[0])) ** 2).sum(), order)
            for order in permutations(range(4))
        ]
        cheapest.append(length(min(costs)[1], shift))
    assert (ways**2).sum() == pytest.approx(min(cheapest))


def test_pairing_leaves_padding_alone_and_does_not_see_it():
    draw = np.random.default_rng(0)
    start, end = draw.uniform(size=(2, 2, 5, 3))
    kinds = np.full((2, 5), -1)
    order, ways = paired(start, end, kinds, np.array([3, 5]))
    alone, way = paired(start[:1, :3], end[:1, :3], kinds[:1, :3], np.array([3]))
    np.testing.assert_array_equal(order[0, :3], alone[0])
    np.testing.assert_allclose(ways[0, :3], way[0])
    assert not ways[0, 3:].any()


def test_numbers_drawn_by_place_are_even_and_independent():
    draws = Draws([3], np.arange(4000))
    numbers = draws.uniform(np.arange(12))
    assert ((numbers > 0) & (numbers < 1)).all()
    assert kstest(numbers.ravel(), "uniform").pvalue > 0.01
    correlations = np.corrcoef(np.concatenate([numbers.T, np.roll(numbers, 1, axis=0).T]))
    assert np.abs(correlations - np.eye(24)).max() < 0.08
    np.testing.assert_array_equal(Draws([3], np.array([7])).uniform(np.array([5])), numbers[7:8, 5:6])
    assert not np.isin(Draws([4], np.arange(100)).uniform(np.arange(12)), numbers).any()


def test_moments_of_the_noise():
    draws = Draws([3], np.arange(2000))
    noise, choice = Noise.drawn(draws, atoms=5), gumbel(draws, atoms=5, species=4)
    assert abs(noise.cells_G6.mean()) < 0.04
    assert noise.cells_G6.var() == pytest.approx(1, abs=0.05)
    assert noise.places_GN3.mean() == pytest.approx(0.5, abs=0.01)
    assert noise.places_GN3.var() == pytest.approx(1 / 12, abs=0.003)
    assert choice.mean() == pytest.approx(np.euler_gamma, abs=0.02)
    assert choice.var() == pytest.approx(np.pi**2 / 6, abs=0.05)
    np.testing.assert_array_equal(Noise.drawn(draws, atoms=2).places_GN3, noise.places_GN3[:, :2])


def test_on_the_way_cells_are_between_noise_and_data():
    many = crystal_set(Crystals.of_atoms([bulk("NaCl", "rocksalt", a=5.4)] * 4000))
    batch = many.noisy(np.arange(4000), [5, 0], shown=0.0, wished=0.0)
    time, cells = batch["time"].numpy(), batch["cells"].numpy()
    assert time.mean() == pytest.approx(0.5, abs=0.02)
    middle = abs(time - 0.5) < 0.1
    deviations = cells[middle] - time[middle, None] * many.cells_M6[0]
    assert deviations.std() == pytest.approx(0.5, abs=0.05)  # 1 - t times a standard normal
    hidden = (batch["tokens"] == 6).numpy().mean(axis=1)
    assert hidden[middle].mean() == pytest.approx(0.5, abs=0.06)
    assert np.isnan(batch["wish"].numpy()).all()


def test_from_any_time_the_way_leads_to_the_crystal():
    crystals = salts(6)
    many = crystal_set(crystals)
    batch = {
        name: value.double().numpy()
        for name, value in many.noisy(np.arange(6), [0, 7], shown=0, wished=0).items()
    }
    left = 1 - batch["time"]
    cells = batch["cells"] + left[:, None] * batch["way_cells"]
    np.testing.assert_allclose(cells, many.cells_M6, atol=1e-5)
    places = batch["places"] + left[:, None, None] * batch["way_places"]
    for row in range(6):
        order = [many.species_MN[row].tolist().index(kind) for kind in batch["species"][row]]
        apart = wrapped(places[row] - many.places_MN3[row, order])
        np.testing.assert_allclose(wrapped(apart - apart[0]), 0, atol=1e-5)


def test_noise_belongs_to_the_crystal_and_not_to_the_batch():
    many = crystal_set(salts(8))
    whole = many.noisy(np.arange(8), [1, 2], shown=0.5, wished=0.5)
    alone = many.noisy(np.array([5]), [1, 2], shown=0.5, wished=0.5)
    for name, value in alone.items():
        np.testing.assert_array_equal(value[0].numpy(), whole[name][5].numpy(), err_msg=name)
    other = many.noisy(np.array([5]), [1, 3], shown=0.5, wished=0.5)
    assert not np.array_equal(other["cells"].numpy(), alone["cells"].numpy())


def test_shown_species_and_told_values():
    many = CrystalSet(salts(400), elements=SPECIES, standard=STANDARD, values_M=np.linspace(-1, 1, 400))
    batch = many.noisy(np.arange(400), [9, 9], shown=0.5, wished=0.8)
    known = (batch["tokens"] == batch["species"]).all(dim=1).numpy()
    assert known.mean() == pytest.approx(0.5 + 0.5 / 3, abs=0.08)  # shown, or both atoms before their time
    assert batch["wish"].isfinite().float().mean().item() == pytest.approx(0.8, abs=0.06)


def test_what_is_no_crystal_is_refused():
    slab = bulk("NaCl", "rocksalt", a=5.4)
    slab.pbc = (True, True, False)
    flat = bulk("NaCl", "rocksalt", a=5.4)
    flat.cell[2] = 0
    for bad, said in ((slab, "does not repeat"), (flat, "no volume")):
        crystals = Crystals.of_atoms([bulk("NaCl", "rocksalt", a=5.4), bad])
        with pytest.raises(InputError, match=f"structure b: it {said}|structure b: it has {said}"):
            check_crystals(crystals, ["a", "b"])
    with pytest.raises(InputError, match="Cs, which it does not know"):
        crystal_set(Crystals.of_atoms([bulk("CsCl", "cesiumchloride", a=4.1)]))
