"""The linear potential: physics, derivatives, and that it finds what the labels were made with."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.calculators.emt import EMT
from potential_contract import PotentialContract
from trained_potentials_for_tests import SPLIT, THEORY, labelled, structures

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges, graphs_of
from zonemelt.tasks.potentials.cluster_kernels import features
from zonemelt.tasks.potentials.cluster_products import couplings
from zonemelt.tasks.potentials.committee import COMMITTEE, Committee
from zonemelt.tasks.potentials.fitting.linear_design import design
from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
from zonemelt.tasks.potentials.linear import Basis, Linear, LinearCard
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.train.model_folder import CARD

torch.set_num_threads(1)
BASIS = Basis(cutoff=4.0, radial=2, degree=1)
HIGHER = Basis(cutoff=4.0, radial=2, degree=2, higher=(3, 3))
EDGES = Edges(cutoff=4.0, k=None)


def random_weights(basis, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(len(basis.elements), basis.features, generator=draw, dtype=torch.float64)


def made(elements, seed=0, basis=BASIS):
    """With random weights."""
    card = LinearCard(
        basis=basis.model_copy(update={"elements": elements}),
        references={symbol: -1.0 - place for place, symbol in enumerate(elements)},
        theory=THEORY,
        ridge=0.0,
    )
    return Linear("made", card, random_weights(card.basis, seed))


class TestLinear(PotentialContract):
    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        return made(("Cl", "Cu", "Na"))


class TestProductsOfFour(PotentialContract):
    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        return made(("Cl", "Cu", "Na"), basis=HIGHER)

    def test_smooth_where_an_atom_leaves_the_cutoff(self, potential):
        pair = bulk("Cu", cubic=True, a=20.0)[:2]
        energies = []
        for distance in (4.0 - 1e-4, 4.0 + 1e-4):
            pair.positions[1] = pair.positions[0] + (distance, 0, 0)
            found = self.evaluated(potential, [pair])
            energies.append(found.energies_G[0])
            assert np.abs(found.forces_A3).max() < 1e-6
        assert energies[0] == pytest.approx(energies[1], abs=1e-9)


@pytest.mark.parametrize("basis", [BASIS, HIGHER])
def test_the_design_is_linear_in_the_weights(basis):
    potential = made(("Al", "Cu"), basis=basis)
    crystals = Crystals.of_atoms(structures(4))
    found = design(graphs_of(crystals, EDGES), potential.card.basis)
    weights = random_weights(potential.card.basis).reshape(-1).numpy()
    said = potential.evaluate(crystals)
    references = [
        sum(potential.card.references[symbol] for symbol in atoms.symbols) for atoms in structures(4)
    ]
    np.testing.assert_allclose(found.energy_GK @ weights * 4 + references, said.energies_G, atol=1e-10)
    np.testing.assert_allclose(found.forces_A3K @ weights, said.forces_A3, atol=1e-10)


def test_products_of_two_are_as_published():
    """Against the sums themselves: all pairs of channels, orders m added up."""
    basis = BASIS.model_copy(update={"elements": ("Cu",)})
    sums = torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).numpy()
    found = features_of(basis, np.append(sums, 1.0))
    by_channel = sums.reshape(2, 4)
    expected = [*by_channel[:, 0]]
    for part, share in ((slice(0, 1), 1), (slice(1, 4), 3)):
        expected += [by_channel[a, part] @ by_channel[b, part] / share for a, b in ((0, 0), (0, 1), (1, 1))]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def features_of(basis, sums_V):
    polynomials = basis.products
    found = np.empty(basis.features)
    features(
        sums_V, polynomials.factors_M4, polynomials.coefficients_M, polynomials.feature_M, found,
        np.empty((len(sums_V), basis.features)),
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("degrees", "alike", "independent"),
    [
        ((1, 1, 2), (0, 1, 2), 1),
        ((1, 1, 1), (0, 1, 2), 1),  # a triple product
        ((1, 1, 1), (0, 0, 0), 0),  # of one vector with itself: nothing
        ((1, 1, 1, 1), (0, 1, 2, 3), 3),  # three ways to pair four vectors
        ((1, 1, 1, 1), (0, 0, 0, 0), 1),  # of one vector: the square of its square
        ((1, 1, 1, 1), (0, 0, 2, 2), 2),
        ((0, 0, 3, 0), (0, 1, 2, 3), 0),
    ],
)
def test_how_many_invariants_there_are(degrees, alike, independent):
    assert len(couplings(degrees, alike)) == independent


def test_functions_of_a_large_basis_are_independent():
    """On random surroundings no function is a combination of others: nothing is there twice."""
    basis = HIGHER.model_copy(update={"elements": ("Cu",)})
    draw = np.random.default_rng(0)
    found = np.array([features_of(basis, np.append(draw.normal(size=18), 1.0)) for _ in range(300)])
    assert np.linalg.matrix_rank(found / np.linalg.norm(found, axis=0)) == basis.features


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """To labels of a linear potential: nothing is left to chance but the ridge."""
    found = labelled(edges=EDGES)
    said = made(("Al", "Cu")).evaluate(Crystals.of_atoms(structures()))
    found.source.energies = said.energies_G
    found.source.forces = list(said.forces_A3.reshape(16, 4, 3))
    folder = tmp_path_factory.mktemp("linear")
    return folder, fit_linear(found, SPLIT, BASIS, theory=THEORY, directory=folder), said


def test_it_finds_what_the_labels_were_made_with(fitted):
    folder, card, said = fitted
    assert card.metrics["forces mae (eV/Å)"] < 0.1 * np.abs(said.forces_A3).mean()
    found = load_potential(str(folder), dtype="float64").evaluate(Crystals.of_atoms(structures()[12:]))
    errors = found.forces_A3 - said.forces_A3[48:]
    assert np.abs(errors).mean() == pytest.approx(card.metrics["forces mae (eV/Å)"], rel=1e-6)
    assert np.abs(found.energies_G - said.energies_G[12:]).mean() / 4 == pytest.approx(
        card.metrics["energy mae (eV/atom)"], rel=1e-5
    )


def test_a_member_of_a_committee(fitted):
    linear = load_potential(str(fitted[0]), dtype="float64")
    committee = Committee("two", [linear, made(("Al", "Cu"), seed=1)])
    some = Crystals.of_atoms(structures(2))
    spread = committee.spread(some)
    mean, same = committee.evaluate_with_spread(some, stress=True)
    assert (same.forces_A == spread.forces_A).all()
    alone = committee.evaluate(some, stress=True)
    assert (mean.energies_G == alone.energies_G).all()
    assert (mean.stresses_G33 == alone.stresses_G33).all()
    one, other = (member.evaluate(some) for member in committee.members)
    apart = np.abs(one.energies_G - other.energies_G) / some.sizes_G
    np.testing.assert_allclose(spread.energies_G, apart / np.sqrt(2))
    apart = np.linalg.norm(one.forces_A3 - other.forces_A3, axis=1)
    np.testing.assert_allclose(spread.forces_A, apart / np.sqrt(2))
    assert (spread.forces_A > 0).all()
    stranger = made(("Al", "Cu"))
    stranger.theory = THEORY.model_copy(update={"functional": "PBE"})
    with pytest.raises(InputError, match=r"mixed: emt EMT; emt PBE"):
        Committee("two", [linear, stranger])


def test_what_is_no_committee(fitted, tmp_path):
    linear = load_potential(str(fitted[0]), dtype="float64")
    with pytest.raises(InputError, match=r"one: 1 members\n.*two or more"):
        Committee("one", [linear])
    for text in ("[", "{}", '{"members": [3]}'):
        (tmp_path / COMMITTEE).write_text(text)
        with pytest.raises(InputError, match="it cannot be read: "):
            load_potential(str(tmp_path))


def test_the_validation_part_may_join(tmp_path):
    parts = {"train": np.arange(8), "validation": np.arange(8, 12), "test": np.arange(12, 16)}
    alone, joined = (
        fit_linear(
            labelled(edges=EDGES), parts, BASIS, theory=THEORY, directory=tmp_path / str(refit), refit=refit
        )
        for refit in (False, True)
    )
    assert alone.ridge == joined.ridge
    assert alone.metrics["forces mae (eV/Å)"] == joined.metrics["forces mae (eV/Å)"]
    assert joined.metrics["test forces mae (eV/Å)"] != alone.metrics["test forces mae (eV/Å)"]


def test_what_cannot_be_fitted(tmp_path):
    with pytest.raises(InputError, match="no validation part"):
        fit_linear(labelled(edges=EDGES), {"train": np.arange(4)}, BASIS, theory=THEORY, directory=tmp_path)


def test_a_validation_part_without_forces(tmp_path):
    found = labelled(edges=EDGES)
    for row in SPLIT["validation"]:
        found.source.forces[row] = np.full((4, 3), np.nan)
    with pytest.raises(InputError, match=r"'validation' of the split: its samples have no forces"):
        fit_linear(found, SPLIT, BASIS, theory=THEORY, directory=tmp_path)


def test_a_basis_too_large_for_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(InputError, match=r"48 weights to fit take 0\.0 GB"):
        fit_linear(labelled(edges=EDGES), SPLIT, BASIS, theory=THEORY, directory=tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_of_another_basis(fitted, tmp_path):
    folder, card, _ = fitted
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    other = card.model_copy(update={"basis": card.basis.model_copy(update={"radial": 4})})
    (tmp_path / CARD).write_text(other.model_dump_json())
    with pytest.raises(InputError, match="do not belong together"):
        load_potential(str(tmp_path))


def test_a_bootstrap_counts_structures_as_often_as_they_are_drawn(tmp_path):
    found = labelled(edges=EDGES)
    drawn = np.random.default_rng(5).integers(12, size=12)
    fit_linear(found, SPLIT, BASIS, theory=THEORY, directory=tmp_path / "weighed", seed=5)
    weighed = load_potential(str(tmp_path / "weighed"), dtype="float64")

    class Repeated:
        def read(self, indices):
            return source.read(np.concatenate([drawn, np.arange(12, 16)])[np.asarray(indices)])

    source, rows = found.source, np.concatenate([drawn, np.arange(12, 16)])
    copies = replace(
        found,
        source=Repeated(),
        names_N=[f"c{number}" for number in range(16)],
        costs_N=found.costs_N[rows],
        elements_N=[found.elements_N[row] for row in rows],
        values_NP=found.values_NP[rows],
    )
    fit_linear(copies, SPLIT, BASIS, theory=THEORY, directory=tmp_path / "copied")
    copied = load_potential(str(tmp_path / "copied"), dtype="float64")
    crystals = Crystals.of_atoms(structures()[12:])
    found, expected = (one.evaluate(crystals).forces_A3 for one in (weighed, copied))
    np.testing.assert_allclose(found, expected, atol=0.02)
    plain = fit_linear(labelled(edges=EDGES), SPLIT, BASIS, theory=THEORY, directory=tmp_path / "plain")
    assert plain.training["seed"] is None
    once = load_potential(str(tmp_path / "plain"), dtype="float64").evaluate(crystals).forces_A3
    assert np.abs(once - found).max() > 0.05  # else it would not be seen that some count twice


def test_what_symmetry_hides_has_no_weight(tmp_path):
    """Like atoms of two-atom cells form lattices: odd functions of theirs vanish, and are not made up."""
    small = []
    for number in range(16):
        pair = bulk("CuAl", "cesiumchloride", a=3.0 + 0.02 * number)
        pair.rattle(0.1, seed=number)
        pair.calc = EMT()
        small.append(pair)
    basis = Basis(cutoff=4.5, radial=4, degree=1)
    collection = labelled(small, edges=basis.edges)
    fit_linear(collection, SPLIT, basis, theory=THEORY, directory=tmp_path)
    found = load_potential(str(tmp_path), dtype="float64").evaluate(Crystals.of_atoms(structures(4)))
    assert np.abs(found.energies_G).max() < 1000  # of four atoms, eV; it was 1e10
