"""Potentials trained here: the trainer's promises, the physics of what comes out, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from ase.build import bulk
from potential_contract import PotentialContract, metal
from trained_potentials_for_tests import (
    SHIFT,
    SMALL,
    SPLIT,
    THEORY,
    Source,
    fit,
    in_ranks,
    labelled,
    structures,
)

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.potentials.by_ase import calculator
from zonemelt.tasks.potentials.card import PotentialCard, read_potential
from zonemelt.tasks.potentials.fitting.jobs import terms_of
from zonemelt.tasks.potentials.fitting.labels import read_labels, reference_energies
from zonemelt.tasks.potentials.fitting.objective import PotentialObjective, Terms
from zonemelt.tasks.potentials.fitting.start import start_of
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.potentials.trained import Trained
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, save_model

torch.set_num_threads(1)


class TestTrained(PotentialContract):
    """With random weights: what a potential must fulfil does not depend on what it has learnt."""

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls, tmp_path_factory):
        architecture = PotentialArchitecture(
            cutoff=4.5, channels=(6, 4, 3), layers=2, basis=5, hidden=(8,), elements=("Cl", "Cu", "Na"),
            neighbours=4.0,
        )  # fmt: skip
        torch.manual_seed(0)
        card = PotentialCard(
            network=architecture, scale=3.0, references={"Cl": -1.0, "Cu": -2.0, "Na": -3.0}, theory=THEORY
        )
        folder = tmp_path_factory.mktemp("random")
        save_model(folder, architecture.make().weights(), card)
        return load_potential(str(folder), dtype="float64")

    def test_smooth_where_an_atom_leaves_the_cutoff(self, potential):
        pair = bulk("Cu", cubic=True, a=20.0)[:2]
        energies, forces = [], []
        for distance in (4.5 - 1e-4, 4.5 + 1e-4):
            pair.positions[1] = pair.positions[0] + (distance, 0, 0)
            found = self.evaluated(potential, [pair])
            energies.append(found.energies_G[0])
            forces.append(np.abs(found.forces_A3).max())
        assert energies[0] == pytest.approx(energies[1], abs=1e-9)
        assert forces[0] < 1e-6
        assert forces[1] == 0.0


@pytest.fixture(scope="module")
def metals():
    return labelled()


@pytest.fixture(scope="module")
def trained(metals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, *fit(metals, folder, settings={"epochs": 6})


def crystals(rows):
    return Crystals.of_atoms([structures()[row] for row in rows])


def test_it_learns(trained):
    folder, outcome, card = trained
    first, *_, last = (folder / "metrics.jsonl").read_text().splitlines()
    losses = [
        {key: value for key, value in json.loads(line).items() if key.startswith("train ")}
        for line in (first, last)
    ]
    assert outcome.finished
    assert losses[1]["train energy"] < 0.7 * losses[0]["train energy"]
    assert losses[1]["train forces"] < losses[0]["train forces"]
    assert set(losses[0]) == {"train energy", "train forces", "train stress"}
    assert card.metrics["forces mae (eV/Å)"] < card.metrics["forces rmse (eV/Å)"]


def test_what_is_loaded_is_what_was_judged(trained, metals):
    folder, _, card = trained
    rows = SPLIT["validation"]
    found = load_potential(str(folder), dtype="float64").evaluate(crystals(rows), stress=True)
    source = metals.source
    forces = np.concatenate([source.forces[row] for row in rows])
    errors = {
        "energy mae (eV/atom)": (found.energies_G - source.energies[rows]) / 4,
        "forces mae (eV/Å)": found.forces_A3 - forces,
        "stress mae (eV/Å³)": found.stresses_G33 - source.stresses[rows],
    }
    for name, values in errors.items():
        assert np.abs(values).mean() == pytest.approx(card.metrics[name], rel=1e-6)
    assert card.units["forces"] == "eV/Å"
    assert card.theory == THEORY


def test_as_a_calculator_of_ase(trained):
    potential = load_potential(str(trained[0]), dtype="float64")
    atoms = structures()[0]
    expected = potential.evaluate(Crystals.of_atoms([atoms]), stress=True)
    atoms.calc = calculator(potential)
    assert atoms.get_potential_energy() == expected.energies_G[0]
    np.testing.assert_allclose(atoms.get_forces(), expected.forces_A3)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), expected.stresses_G33[0])


def test_elements_it_was_not_trained_on_are_refused(trained):
    with pytest.raises(InputError, match="does not know Ag"):
        load_potential(str(trained[0])).evaluate(Crystals.of_atoms([bulk("Ag")]))


def test_stopped_and_continued_it_is_the_same_to_the_last_bit(metals, tmp_path):
    few = {"train": SPLIT["train"][:8], "validation": SPLIT["validation"]}
    how = {"settings": {"epochs": 2, "ema": 0.9}, "split": few}
    fit(metals, tmp_path / "whole", **how)
    calls = 1
    while not fit(metals, tmp_path / "pieces", deadline=0.0, **how)[0].finished:
        calls += 1  # the deadline has always passed: each call takes one step
    assert calls >= 4
    for name in (WEIGHTS, CARD):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "pieces" / name).read_bytes()


def test_parts_of_a_step_add_up_to_it(metals, tmp_path):
    _, whole = fit(metals, tmp_path / "whole", settings={"epochs": 1})
    _, parts = fit(metals, tmp_path / "parts", settings={"epochs": 1, "accumulate": 4})
    assert parts.metrics == pytest.approx(whole.metrics, rel=1e-9)


@pytest.mark.slow
def test_two_ranks_are_one(metals, tmp_path):
    _, one = fit(metals, tmp_path / "one", settings={"epochs": 2})
    in_ranks(tmp_path / "two", 2)
    _, two = read_potential(tmp_path / "two")
    assert two.metrics == pytest.approx(one.metrics, rel=1e-9)
    assert two.references == one.references


def test_reference_energies_are_exact_where_atoms_do_not_interact():
    counts = np.array([[1, 0], [2, 2], [0, 3], [1, 5]])
    energies = counts @ [-1.5, -4.0]
    energies[3] = np.nan
    np.testing.assert_allclose(reference_energies(counts, energies), [-1.5, -4.0])
    # one composition leaves them open: the smallest that fit
    np.testing.assert_allclose(reference_energies(np.array([[2, 2]]), np.array([-8.0])), [-2.0, -2.0])


def test_the_zero_of_energy_does_not_matter(metals, trained, tmp_path, monkeypatch):
    monkeypatch.setitem(SHIFT, "Al", 100.0)
    monkeypatch.setitem(SHIFT, "Cu", -500.0)
    _, moved = fit(labelled(), tmp_path, settings={"epochs": 6})
    _, _, card = trained
    assert moved.references["Al"] - card.references["Al"] == pytest.approx(103.0)
    assert moved.references["Cu"] - card.references["Cu"] == pytest.approx(-496.0)
    assert moved.metrics == pytest.approx(card.metrics, rel=1e-3)


def test_validated_in_double_precision(metals, tmp_path):
    single = {"epochs": 1, "precision": "fp32"}
    _, card = fit(metals, tmp_path / "a", settings=single)
    _, double = fit(metals, tmp_path / "b", settings=single, double=True)
    assert double.metrics != card.metrics
    assert double.metrics == pytest.approx(card.metrics, rel=1e-3)


def test_missing_labels_add_nothing():
    source = Source(structures(3))
    source.stresses[1] = np.nan
    source.forces[2] = np.full((4, 3), np.nan)
    energies = np.array([np.nan, 0.2, 0.3])
    objective = PotentialObjective(terms=Terms(weights=dict.fromkeys(("energy", "forces", "stress"), 1.0)),
                                   scale=1.5, epochs=1)  # fmt: skip
    complete = SMALL.model_copy(update={"elements": ("Al", "Cu"), "neighbours": 3.0})
    torch.manual_seed(0)
    model = complete.make().double()

    def said(rows):
        batch = complete.batch(source.read(np.array(rows)), dtype="float64")
        batch.labels_GP = torch.from_numpy(energies[rows])[:, None]
        return objective.counts(batch), objective.totals(model, batch)

    counts, totals = said([0, 1, 2])
    assert counts == {"energy": 2, "forces": 24, "stress": 18}
    sum(totals.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.requires_grad)
    alone = [said([row])[1] for row in range(3)]
    for name, total in totals.items():
        assert total.item() == pytest.approx(sum(one[name].item() for one in alone))
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    assert said([0])[1]["forces"].isnan()


@pytest.mark.parametrize("loss", ["huber", "mse", "mae"])
def test_losses(loss):
    objective = PotentialObjective(terms=Terms(loss=loss, delta=0.5), scale=1.0, epochs=1)
    found = objective._loss(torch.tensor([0.0, 0.2, -2.0], dtype=torch.float64))
    expected = {"huber": [0, 0.04, 1.75], "mse": [0, 0.04, 4], "mae": [0, 0.2, 2]}[loss]
    np.testing.assert_allclose(found, expected)


def test_weights_change_from_epoch_to_epoch():
    terms = Terms(weights={"energy": 0.0, "forces": 1.0}, final_weights={"energy": 2.0, "forces": 0.5})
    objective = PotentialObjective(terms=terms, scale=1.0, epochs=5)
    assert objective.weights_in(0) == {"energy": 0.0, "forces": 1.0}
    assert objective.weights_in(2) == {"energy": 1.0, "forces": 0.75}
    assert objective.weights_in(4) == {"energy": 2.0, "forces": 0.5}


def test_fine_tuning_begins_with_the_weights_of_the_start(trained, metals, tmp_path):
    folder, _, card = trained
    other = {"train": np.arange(4, 15), "validation": SPLIT["validation"][3:]}
    _, tuned = fit(
        metals, tmp_path, split=other, start=str(folder), settings={"epochs": 1, "learning_rate": 1e-14}
    )
    assert tuned.scale != card.scale
    assert tuned.start == str(folder)
    rows = np.arange(4)
    before, after = (
        load_potential(str(place), dtype="float64").evaluate(crystals(rows)) for place in (folder, tmp_path)
    )
    np.testing.assert_allclose(after.forces_A3, before.forces_A3, atol=1e-9)
    shift = {symbol: tuned.references[symbol] - card.references[symbol] for symbol in ("Al", "Cu")}
    moved = [sum(shift[symbol] for symbol in structures()[row].symbols) for row in rows]
    np.testing.assert_allclose(after.energies_G, before.energies_G + moved, atol=1e-9)


def test_reference_energies_of_a_start_are_moved_to_those_of_the_labels(trained, metals, monkeypatch):
    start = start_of(str(trained[0]))
    network = start.architecture.make()
    network.give(start.weights)

    def references(found):
        labels = read_labels(found, SPLIT["train"])
        return start.references_for(network, start.scale, found, labels, device=torch.device("cpu"))

    before = references(metals)
    monkeypatch.setitem(SHIFT, "Al", SHIFT["Al"] + 7.0)
    after = references(labelled())
    assert after["Al"] - before["Al"] == pytest.approx(7.0)
    assert after["Cu"] - before["Cu"] == pytest.approx(0.0, abs=1e-6)


def test_a_published_potential_as_start():
    start = start_of("sevennet-0")
    network = start.architecture.make()
    network.give(start.weights)
    atoms = metal()
    card = PotentialCard(
        network=start.architecture, scale=start.scale, references=dict(start.references), theory=THEORY
    )
    ours = Trained("ours", network, card).evaluate(Crystals.of_atoms([atoms]), stress=True)
    theirs = load_potential("sevennet-0").evaluate(Crystals.of_atoms([atoms]), stress=True)
    assert start.licence == "MIT"
    assert ours.energies_G == pytest.approx(theirs.energies_G, abs=1e-4)
    np.testing.assert_allclose(ours.forces_A3, theirs.forces_A3, atol=1e-5)
    np.testing.assert_allclose(ours.stresses_G33, theirs.stresses_G33, atol=1e-6)


def test_a_start_that_does_not_exist():
    with pytest.raises(UnknownKeyError, match="did you mean 'sevennet-0'"):
        start_of("sevenet-0")


def test_a_start_of_several_fidelities_is_refused():
    with pytest.raises(InputError, match="several fidelities"):
        start_of("sevennet-mf-0")


def test_a_start_that_does_not_know_an_element(trained, tmp_path):
    silver = labelled()
    silver.source.atoms = [one.copy() for one in silver.source.atoms]
    silver.source.atoms[0].symbols[0] = "Ag"
    silver.elements_N[0] = frozenset({"Ag", "Cu"})
    with pytest.raises(InputError, match="does not know Ag"):
        fit(silver, tmp_path, start=str(trained[0]))


def test_another_cutoff_than_that_of_the_start(trained, metals, tmp_path):
    with pytest.raises(InputError, match=r"4\.0 Å, that of .* 3\.5 Å"):
        fit(metals, tmp_path, start=str(trained[0]), architecture=SMALL.model_copy(update={"cutoff": 4.0}))


def test_an_element_only_in_validation(metals, tmp_path):
    copper = [row for row in range(16) if row % 4 == 0]
    with pytest.raises(InputError, match="Al in 'validation'"):
        fit(metals, tmp_path, split={"train": np.array(copper), "validation": np.array([1, 2])})


def test_a_dataset_without_forces(tmp_path):
    found = labelled()
    found.source.forces = [np.full((4, 3), np.nan)] * 16
    with pytest.raises(InputError, match="no training sample has a label for 'forces'"):
        fit(found, tmp_path)
    with pytest.raises(InputError, match="no training sample has forces"):
        fit(found, tmp_path, weights={"energy": 1.0})


def test_a_stress_that_nobody_knows(tmp_path):
    found = labelled()
    found.source.stresses[:] = np.nan
    with pytest.raises(InputError, match="no training sample has a label for 'stress'"):
        fit(found, tmp_path)


def test_a_validation_part_that_says_nothing_of_what_is_learnt(tmp_path):
    found = labelled()
    for row in SPLIT["validation"]:
        found.source.forces[row] = np.full((4, 3), np.nan)
    with pytest.raises(InputError, match=r"'validation' of the split: none of its samples .* for forces"):
        fit(found, tmp_path, weights={"forces": 1.0})


@pytest.mark.parametrize("last", [{"forces": 1.0}, {"energy": 1.0, "forces": 1.0, "stress": 1.0}])
def test_final_weights_are_of_the_same_terms(last):
    with pytest.raises(InputError, match="give both of the same terms"):
        terms_of({"weights": {"energy": 1.0, "forces": 1.0}, "final_weights": last})


def test_half_precision_is_refused(metals, tmp_path):
    with pytest.raises(InputError, match="forces need more digits"):
        fit(metals, tmp_path, settings={"precision": "bf16"})


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"force": 1.0}, r"weights: .*\n.*'force' is none of energy, forces, stress"),
        ({}, r"weights: .*\n.*weights must be positive"),
        ({"energy": -1.0, "forces": 1.0}, r"weights: .*\n.*weights must be positive"),
        ({"energy": 0.0}, r"weights: .*\n.*weights must be positive"),
    ],
)
def test_weights_that_cannot_be_used(weights, said):
    with pytest.raises(InputError, match=said):
        terms_of({"weights": weights})


@pytest.mark.parametrize("damage", ["weights", "card", "kind"])
def test_a_damaged_folder(trained, tmp_path, damage):
    folder, _, card = trained
    weights, said = (folder / WEIGHTS).read_bytes(), (folder / CARD).read_bytes()
    if damage == "weights":
        weights = weights[:-8]
    elif damage == "card":
        wider = card.network.model_copy(update={"channels": (5, 3)})
        said = card.model_copy(update={"network": wider}).model_dump_json().encode()
    else:
        said = b'{"kind": "network"}'
    (tmp_path / WEIGHTS).write_bytes(weights)
    (tmp_path / CARD).write_bytes(said)
    with pytest.raises(InputError, match="no potential of ours"):
        load_potential(str(tmp_path))
