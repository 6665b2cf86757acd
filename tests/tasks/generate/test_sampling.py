from __future__ import annotations

import numpy as np
import pytest
import torch
from generators_for_tests import salts, trained

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.generator import Generator, GeneratorCard, load_generator
from zonemelt.tasks.generate.noise import wrapped
from zonemelt.tasks.generate.sampling import SampleSettings, sample, vary
from zonemelt.tasks.generate.wishes import Wish
from zonemelt.tasks.models.denoiser import DenoiserArchitecture

torch.set_num_threads(1)
FEW = SampleSettings(steps=8, seed=3)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    place = tmp_path_factory.mktemp("generator")
    crystals = salts(64)
    volumes = np.abs(np.linalg.det(crystals.cells_G33))
    trained(place, crystals, epochs=40, wish=("volume", "Å³", volumes), batch_size=32, learning_rate=1e-2)
    return load_generator(place)


def symbols(crystals):
    return [crystals.atoms(i).get_chemical_symbols() for i in range(len(crystals))]


class Exact(torch.nn.Module):
    """Knows the only crystal there is: the exact velocities towards it."""

    def __init__(self, cell, places):
        super().__init__()
        self.cell = torch.nn.Parameter(torch.tensor(cell))
        self.places = torch.tensor(places)

    def forward(self, batch):
        left = 1 - batch["time"][:, None]
        ways = wrapped(self.places - batch["places"])
        ways = ways - wrapped(ways[:, :1])  # as for the first atom at its place
        ways = wrapped(ways) - wrapped(ways).mean(dim=1, keepdim=True)
        species = torch.zeros(*batch["tokens"].shape, 2)
        species[..., 1] = 50.0
        return {
            "cells": (self.cell - batch["cells"]) / left,
            "places": ways / left[..., None],
            "species": species,
        }


def test_with_the_exact_velocities_every_noise_becomes_the_crystal():
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    card = GeneratorCard(
        network=DenoiserArchitecture(), elements=("Na", "Cl"), sizes={2: 1},
        stretch_mean=(1.2,) * 3 + (0.0,) * 3, stretch_deviation=0.1,
    )  # fmt: skip
    exact = Generator(name="exact", network=Exact([0.5, -0.5, 0.0, 0.1, 0.0, 0.0], places), card=card)
    found = sample(exact, [Wish()] * 20, SampleSettings(steps=40, hurry=0.0, seed=1))
    expected = found.atoms(0)
    for index in range(20):
        atoms = found.atoms(index)
        assert atoms.get_chemical_symbols() == ["Cl", "Cl"]
        np.testing.assert_allclose(atoms.cell.array, expected.cell.array, atol=1e-4)
        apart = np.diff(atoms.get_scaled_positions(), axis=0)[0]
        np.testing.assert_allclose(np.abs(wrapped(apart)), 0.5, atol=1e-4)


def test_seeds_reproduce_whatever_the_batch(generator):
    found = sample(generator, [Wish()] * 5, FEW)
    again = sample(generator, [Wish()] * 3, SampleSettings(steps=8, seed=3, together=1))
    np.testing.assert_array_equal(again.numbers_A, found.numbers_A[: len(again.numbers_A)])
    np.testing.assert_allclose(again.cells_G33, found.cells_G33[:3], rtol=1e-4)
    other = sample(generator, [Wish()] * 5, SampleSettings(steps=8, seed=4))
    assert not np.allclose(other.cells_G33, found.cells_G33)


def test_drawn_crystals_have_volumes_like_those_of_the_training(generator):
    found = sample(generator, [Wish()] * 64, SampleSettings(steps=30, seed=5))
    volumes = np.abs(np.linalg.det(found.cells_G33))
    assert (found.sizes_G == 2).all()
    assert 20 < np.median(volumes) < 55  # 36 and 40 Å³ in the training
    places = [found.atoms(i).get_scaled_positions() for i in range(64)]
    assert all((one >= 0).all() and (one < 1 + 1e-9).all() for one in places)


def test_wishes(generator):
    wishes = [
        Wish(composition={"Na": 1, "Cl": 1}),
        Wish(system=frozenset({"K", "Cl"})),
        Wish(atoms=3),
        Wish(composition={"Mg": 2, "O": 1}, system=frozenset({"Mg", "O"}), value=40.0),
    ]
    found = symbols(sample(generator, wishes, FEW))
    assert found[0] == ["Na", "Cl"]
    assert set(found[1]) <= {"K", "Cl"}
    assert len(found[2]) == 3
    assert sorted(found[3]) == ["Mg", "Mg", "O"]


def test_a_wish_for_a_value_is_heard(generator):
    def volume(value, guidance):
        settings = SampleSettings(steps=20, seed=7, guidance=guidance)
        found = sample(generator, [Wish(value=value)] * 48, settings)
        return np.median(np.abs(np.linalg.det(found.cells_G33)))

    assert volume(30.0, 2.0) < volume(46.0, 2.0)


def test_varying_a_little_changes_little(generator):
    crystals = salts(6, seed=9)
    little = vary(generator, crystals, SampleSettings(steps=6, seed=1), strength=0.02, species=False)
    much = vary(generator, crystals, SampleSettings(steps=6, seed=1), strength=1.0, species=True)
    assert symbols(little) == symbols(crystals)

    def change(other):
        return np.abs(
            np.log(np.abs(np.linalg.det(other.cells_G33)) / np.abs(np.linalg.det(crystals.cells_G33)))
        ).mean()

    assert change(little) < 0.1
    assert change(little) < change(much)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(composition={"Xe": 1}), "does not know Xe.*it draws O, Na"),
        (Wish(system=frozenset({"Pb", "O"})), "does not know Pb"),
        (Wish(composition={"Na": 0, "Cl": 1}), "composition .*must agree"),
        (Wish(composition={"Na": 1, "Cl": 1}, atoms=4), "4 atoms, and a composition of 2"),
        (Wish(composition={"Na": 1}, system=frozenset({"K"})), "outside the system K"),
        (Wish(atoms=0), "0 atoms"),
    ],
)
def test_wishes_that_cannot_be_granted(generator, wish, said):
    with pytest.raises(InputError, match=f"(?s)wish 1: .*{said}"):
        sample(generator, [Wish(), wish], FEW)


def test_bad_settings_and_strengths(generator):
    with pytest.raises(InputError, match="settings of drawing crystals"):
        SampleSettings(steps=0)
    with pytest.raises(InputError, match=r"strength 1\.5"):
        vary(generator, salts(2), FEW, strength=1.5, species=False)
    unwished = Generator(
        name="g", network=generator.network, card=generator.card.model_copy(update={"target": None})
    )
    with pytest.raises(InputError, match="trained for none"):
        sample(unwished, [Wish(value=1.0)], FEW)


def test_nothing_asked_for_is_nothing_drawn(generator):
    assert len(sample(generator, [], FEW)) == 0
    assert isinstance(sample(generator, [], FEW), Crystals)
