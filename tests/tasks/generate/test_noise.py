from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from generators_for_tests import salts
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import cells_of, stretches
from zonemelt.tasks.generate.noise import Noise, way_on_torus, wrapped
from zonemelt.tasks.generate.padded import CrystalSet, Standard, check_crystals

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


@given(seeds, st.integers(1, 8))
def test_the_way_on_the_torus_ends_at_a_translate(seed, atoms):
    draw = np.random.default_rng(seed)
    start, end = draw.uniform(size=(2, atoms, 3))
    way = way_on_torus(start, end)
    np.testing.assert_allclose(way.mean(axis=0), 0, atol=1e-12)
    moved = wrapped(start + way - end)
    np.testing.assert_allclose(wrapped(moved - moved[0]), 0, atol=1e-12)
    assert np.abs(wrapped(end - start)).max() <= 0.5


@given(seeds)
def test_whole_turns_and_translations_do_not_change_the_way(seed):
    draw = np.random.default_rng(seed)
    start, end = draw.uniform(size=(2, 4, 3))
    turns = draw.integers(-3, 4, (4, 3))
    np.testing.assert_allclose(way_on_torus(start + turns, end), way_on_torus(start, end), atol=1e-9)


def test_moments_of_the_noise():
    drawn = [Noise.drawn([3, number], atoms=5, species=4) for number in range(2000)]
    cells = np.array([one.cell_6 for one in drawn])
    places = np.array([one.places_N3 for one in drawn])
    gumbel = np.array([one.gumbel_NK for one in drawn])
    assert abs(cells.mean()) < 0.04
    assert cells.var() == pytest.approx(1, abs=0.05)
    assert places.mean() == pytest.approx(0.5, abs=0.01)
    assert places.var() == pytest.approx(1 / 12, abs=0.003)
    assert gumbel.mean() == pytest.approx(np.euler_gamma, abs=0.02)
    assert gumbel.var() == pytest.approx(np.pi**2 / 6, abs=0.05)


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
        apart = wrapped(places[row] - many.places_A3[2 * row : 2 * row + 2])
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
