"""Drawing crystals: exact velocities lead home, wishes are granted, and batches do not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from generators_for_tests import salts, trained

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate import sampling
from zonemelt.tasks.generate.cells import stretches
from zonemelt.tasks.generate.generator import Generator, GeneratorCard, load_generator
from zonemelt.tasks.generate.noise import wrapped
from zonemelt.tasks.generate.sampling import SampleSettings, sample, vary
from zonemelt.tasks.generate.wishes import Wish, check_seen
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


@pytest.mark.parametrize("hurry", [0.0, 5.0, 50.0, 1e6])
def test_with_the_exact_velocities_every_noise_becomes_the_crystal(hurry):
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    card = GeneratorCard(
        network=DenoiserArchitecture(), elements=("Na", "Cl"), sizes={2: 1},
        stretch_mean=(1.2,) * 3 + (0.0,) * 3, stretch_deviation=0.1,
    )  # fmt: skip
    exact = Generator(name="exact", network=Exact([0.5, -0.5, 0.0, 0.1, 0.0, 0.0], places), card=card)
    found = sample(exact, [Wish()] * 20, SampleSettings(steps=40, hurry=hurry, seed=1))
    expected = found.atoms(0)
    for index in range(20):
        atoms = found.atoms(index)
        assert atoms.get_chemical_symbols() == ["Cl", "Cl"]
        np.testing.assert_allclose(atoms.cell.array, expected.cell.array, atol=1e-4)
        apart = np.diff(atoms.get_scaled_positions(), axis=0)[0]
        np.testing.assert_allclose(np.abs(wrapped(apart)), 0.5, atol=1e-4)


def test_beginnings_are_made_when_their_batch_is_drawn(monkeypatch):
    """10⁵ crystals of 20 atoms would need more than a gigabyte; wishes are looked at before all the same."""
    card = GeneratorCard(
        network=DenoiserArchitecture(), elements=("Na", "Cl"), sizes={2: 1},
        stretch_mean=(1.2,) * 3 + (0.0,) * 3, stretch_deviation=0.1,
    )  # fmt: skip
    exact = Generator(name="exact", network=Exact([0.0] * 6, np.array([[0.0] * 3, [0.5] * 3])), card=card)
    made, seen = [], []
    begin = sampling.start_of
    monkeypatch.setattr(sampling, "start_of", lambda *a, **k: made.append(a[2]) or begin(*a, **k))
    settings = SampleSettings(steps=1, together=2, seed=1)
    sample(exact, [Wish()] * 5, settings, progress=lambda done: seen.append((done, len(made))))
    assert seen == [(2, 2), (4, 4), (5, 5)]
    with pytest.raises(InputError, match="wish 4: exact does not know Xe"):
        sample(exact, [Wish()] * 4 + [Wish(system=frozenset({"Xe"}))], settings, progress=seen.append)
    assert len(seen) == 3


class Gaussian(torch.nn.Module):
    """The exact velocity where standardized stretches are normal; see the test."""

    def __init__(self, mean, deviation):
        super().__init__()
        self.mean, self.deviation = torch.nn.Parameter(torch.tensor(mean)), deviation

    def forward(self, batch):
        time = batch["time"][:, None]
        variance = (1 - time) ** 2 + (time * self.deviation) ** 2
        share = (time * self.deviation**2 - (1 - time)) / variance
        shape = batch["tokens"].shape
        return {
            "cells": self.mean + share * (batch["cells"] - time * self.mean),
            "places": torch.zeros(*shape, 3),
            "species": torch.tensor([0.2, 0.5, 0.3]).log().expand(*shape, 3),
        }


class Blurred(torch.nn.Module):
    """The exact velocity where two atoms are apart by a normal number of mean 0; see the test."""

    def __init__(self, deviation):
        super().__init__()
        self.none, self.deviation = torch.nn.Parameter(torch.zeros(6)), deviation
        self.shown = []

    def share(self, time):
        variance = (1 - time) ** 2 + (time * self.deviation) ** 2
        return (time * self.deviation**2 - (1 - time)) / variance

    def forward(self, batch):
        places = batch["places"]
        time = batch["time"][:, None, None]
        self.shown.append((batch["tokens"] < 3).numpy().mean(axis=1))
        return {
            "cells": self.none.expand(len(places), 6),
            "places": self.share(time) * (places - places.mean(dim=1, keepdim=True)),
            "species": torch.zeros(*batch["tokens"].shape, 3),
        }


class Copying(torch.nn.Module):
    """Every atom is what an atom that is shown already is; the first one is anything."""

    def __init__(self):
        super().__init__()
        self.none = torch.nn.Parameter(torch.zeros(6))

    def forward(self, batch):
        shape = batch["tokens"].shape
        shown = torch.nn.functional.one_hot(batch["tokens"], 4)[..., :3].sum(dim=1, keepdim=True)
        species = (50.0 * shown).expand(*shape, 3)
        return {
            "cells": self.none.expand(len(shown), 6),
            "places": torch.zeros(*shape, 3),
            "species": species,
        }


def known(network, *, sizes, elements=("O", "Na", "Cl")):
    card = GeneratorCard(
        network=DenoiserArchitecture(), elements=elements, sizes=sizes,
        stretch_mean=(1.2,) * 3 + (0.0,) * 3, stretch_deviation=0.1,
    )  # fmt: skip
    return Generator(name="known", network=network, card=card)


def test_of_a_known_velocity_the_moments_come_out():
    """x_t = (1-t) x_0 + t x_1 with x_0 ~ N(0, 1) and x_1 ~ N(m, s²) are jointly normal, and so

    E[x_1 - x_0 | x_t] = m + (t s² - (1-t)) / ((1-t)² + t² s²) (x_t - t m).
    """
    mean, deviation = [0.5, -1.0, 0.2, 0.0, 0.3, -0.4], 0.3
    found = sample(
        known(Gaussian(mean, deviation), sizes={1: 1}), [Wish()] * 2000, SampleSettings(steps=60, seed=2)
    )
    values = (stretches(found.cells_G33, found.sizes_G) - np.array([1.2] * 3 + [0.0] * 3)) / 0.1
    np.testing.assert_allclose(values.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(values.std(axis=0), deviation, rtol=0.1)
    shares = [(found.numbers_A == number).mean() for number in (8, 11, 17)]
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.035)


@pytest.mark.parametrize("wish", [Wish(composition={"Na": 1, "Cl": 1}), Wish(atoms=2)])
@pytest.mark.parametrize("hurry", [0.0, 5.0, 50.0])
def test_atoms_in_a_hurry_come_nearer_to_the_likeliest_place_and_never_pass_it(hurry, wish):
    """The velocity is linear, so each step multiplies the distance of the atoms by what is known."""
    network, steps = Blurred(0.05), 60
    found = sample(
        known(network, sizes={2: 1}), [wish] * 40, SampleSettings(steps=steps, seed=4, hurry=hurry)
    )
    begun = sample(known(Copying(), sizes={2: 1}), [wish] * 40, SampleSettings(steps=1, seed=4))
    left = np.ones(40)
    for step, shown in enumerate(network.shown):
        now = step / steps
        factor = np.minimum((1 + hurry * now * shown**3) / steps, 1 - now)
        left *= 1 + factor * network.share(now)
        assert (left > 0).all()
    apart, before = (
        np.array([np.diff(one.atoms(row).get_scaled_positions(), axis=0)[0] for row in range(40)])
        for one in (found, begun)
    )
    np.testing.assert_allclose(wrapped(apart), wrapped(left[:, None] * before), atol=1e-5)
    if hurry == 0:
        assert left == pytest.approx(0.05, rel=0.2)
    elif wish.composition:
        assert (network.shown[0] == 1).all()
        assert (left < 1e-6).all()
    else:
        assert (network.shown[0] == 0).all()
        assert (left < 0.05).all()


def test_each_species_is_chosen_knowing_those_before_it():
    generator = known(Copying(), sizes={3: 1})
    found = symbols(sample(generator, [Wish()] * 300, SampleSettings(steps=60, seed=3)))
    assert {len(set(one)) for one in found} == {1}
    counts = [sum(one[0] == symbol for one in found) for symbol in ("O", "Na", "Cl")]
    assert min(counts) > 70  # of the first, all are as likely


def test_crystals_begin_in_the_noise_and_not_all_at_one_place():
    found = sample(known(Copying(), sizes={4: 1}), [Wish()] * 200, SampleSettings(steps=1, seed=5))
    places = np.array([found.atoms(row).get_scaled_positions() for row in range(200)])
    assert places.var(axis=(0, 1)) == pytest.approx(1 / 12, abs=0.01)


def test_in_bf16_crystals_are_nearly_the_same(generator):
    wishes = [Wish(composition={"Na": 1, "Cl": 1})] * 6
    found = sample(generator, wishes, FEW)
    rough = sample(generator, wishes, SampleSettings(steps=8, seed=3, precision="bf16"))
    np.testing.assert_allclose(np.linalg.det(rough.cells_G33), np.linalg.det(found.cells_G33), rtol=0.05)
    with pytest.raises(InputError, match=r"precision: 'fp8' cannot be used\n.*fp32 or bf16"):
        SampleSettings(precision="fp8")


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
        Wish(atoms=1),
        Wish(composition={"Mg": 1, "O": 1}, system=frozenset({"Mg", "O"}), value=40.0),
    ]
    found = symbols(sample(generator, wishes, FEW))
    assert found[0] == ["Na", "Cl"]
    assert set(found[1]) <= {"K", "Cl"}
    assert len(found[2]) == 1
    assert sorted(found[3]) == ["Mg", "O"]


def test_a_wish_for_a_value_is_heard(generator):
    def volume(value, guidance):
        settings = SampleSettings(steps=20, seed=7, guidance=guidance)
        found = sample(generator, [Wish(value=value)] * 48, settings)
        return np.median(np.abs(np.linalg.det(found.cells_G33)))

    assert volume(35.0, 2.0) < volume(45.0, 2.0)


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


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(atoms=3), "3 atoms, and it has seen 2 in a cell at most"),
        (Wish(composition={"Na": 2, "Cl": 2}), "4 atoms, and it has seen 2"),
        (Wish(value=500.0), r"volume 500 Å³, and crystals with .* to .* were seen"),
    ],
)
def test_wishes_beyond_all_that_was_seen(generator, wish, said):
    with pytest.raises(InputError, match=said):
        check_seen(generator, wish)


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
