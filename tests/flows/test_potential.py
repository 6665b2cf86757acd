"""Potentials as jobs, from a collection on disk to a folder that is opened; and committees of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from inline_runs import output_of
from labels_for_tests import VASP, record_of
from trained_potentials_for_tests import SMALL, structures

from zonemelt.flows.potential import CommitteeMaker, LinearPotentialMaker, PotentialMaker
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError, JobError, UnknownKeyError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.potentials.committee import Committee, assemble
from zonemelt.tasks.potentials.fitting.collection import read_structures
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Quality
from zonemelt.tasks.shards.jobs import shard_of
from zonemelt.tasks.shards.shard_set import write_index
from zonemelt.tasks.train.jobs import check_edges

SPLIT = {"train": list(range(8)), "validation": [8, 9], "test": [10, 11]}
SETTINGS = {"seed": 1, "epochs": 2, "batch_size": 4, "learning_rate": 0.01}
ARCHITECTURE = SMALL.model_dump(mode="json")
BASIS = {"cutoff": SMALL.cutoff, "radial": 2, "degree": 1}


def stored(directory, *, cutoff=SMALL.cutoff, functionals=("PBE",)):
    """Twelve metals with energies and forces, one of them without a stress, as a collection on disk."""
    records = []
    for number, atoms in enumerate(structures(12)):
        changes = {
            "energy_free": float(atoms.get_potential_energy()),
            "forces": atoms.get_forces().tolist(),
            "stress": None if number == 3 else atoms.get_stress(voigt=False).tolist(),
            "theory": VASP.model_copy(
                update={
                    "functional": functionals[number % len(functionals)],
                    "setups": {"Cu": "Cu_pv"} if "Cu" in atoms.symbols else {},
                }
            ),
            "quality": Quality(accepted=True),
        }
        records.append(record_of(atoms, f"m{number}", **changes))
    dataset, shards = directory / "dataset", directory / "shards"
    commit(dataset, [write_part(dataset, records)], message="made for a test")
    version = open_dataset(dataset).version
    source = {"dataset": str(dataset), "version": version, "start": 0, "stop": len(records)}
    write_index(shards, [shard_of(source, edges=Edges(cutoff=cutoff, k=None), directory=shards)])
    return {"shards": str(shards), "dataset": str(dataset), "version": version}


@pytest.fixture(scope="module")
def metals(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("metals"))


def maker(directory="", **more):
    values = {"architecture": ARCHITECTURE, "settings": SETTINGS, "device": "cpu", **more}
    return PotentialMaker(directory=str(directory), **values)


def test_a_committee_from_a_collection(metals, tmp_path):
    loss = {"weights": {"energy": 1, "forces": 1, "stress": 0.1}}
    flow = CommitteeMaker(train=maker(loss=loss), members=2, directory=str(tmp_path / "model"))
    said = output_of(flow.make(metals, SPLIT), tmp_path / "campaign")
    assert said["members"] == ["member-0", "member-1"]
    assert said["metrics"]["test forces mae (eV/Å) spread"] > 0
    committee = load_potential(said["folder"], dtype="float64")
    assert isinstance(committee, Committee)
    card = committee.members[0].card
    assert card.theory == VASP.model_copy(update={"setups": {"Cu": "Cu_pv"}})
    assert card.training["seed"] == committee.members[1].card.training["seed"] - 1
    assert set(card.references) == {"Al", "Cu"}
    crystals = Crystals.of_atoms(structures(3))
    each = [member.evaluate(crystals, stress=True) for member in committee.members]
    mean, spread = committee.evaluate(crystals, stress=True), committee.spread(crystals)
    for name in ("energies_G", "forces_A3", "stresses_G33"):
        one, other = (getattr(found, name) for found in each)
        np.testing.assert_allclose(getattr(mean, name), (one + other) / 2)
    differences = np.abs(each[0].energies_G - each[1].energies_G)
    np.testing.assert_allclose(spread.energies_G, differences / np.sqrt(2) / 4)
    assert spread.forces_A.shape == (12,)


def test_a_committee_of_linear_ones(metals, tmp_path):
    linear = LinearPotentialMaker(basis=BASIS)
    flow = CommitteeMaker(train=linear, members=3, directory=str(tmp_path / "model"))
    said = output_of(flow.make(metals, SPLIT), tmp_path / "campaign")
    assert said["metrics"]["test forces mae (eV/Å) spread"] > 0
    committee = load_potential(said["folder"], dtype="float64")
    assert [member.card.training["seed"] for member in committee.members] == [0, 1, 2]
    assert all(member.card.references == committee.members[0].card.references for member in committee.members)
    crystals = Crystals.of_atoms(structures(3))
    assert (committee.spread(crystals).forces_A > 0).all()
    again = output_of(
        LinearPotentialMaker(basis=BASIS, seed=2, directory=str(tmp_path / "alone")).make(metals, SPLIT),
        tmp_path / "second",
    )
    alone = load_potential(again["folder"], dtype="float64").evaluate(crystals)
    np.testing.assert_array_equal(alone.forces_A3, committee.members[2].evaluate(crystals).forces_A3)


def test_a_committee_of_two_kinds(metals, tmp_path):
    members = {
        "linear": LinearPotentialMaker(basis=BASIS, directory=str(tmp_path / "linear")),
        "network": maker(tmp_path / "network", settings=SETTINGS | {"epochs": 1}),
    }
    done = {
        name: output_of(one.make(metals, SPLIT), tmp_path / f"campaign-{name}")
        for name, one in members.items()
    }
    assemble(tmp_path, {name: one | {"metrics": {}} for name, one in done.items()}, least=2)
    opened = load_potential(str(tmp_path))
    assert [type(member).__name__ for member in opened.members] == ["Linear", "Trained"]
    assert np.isfinite(opened.spread(Crystals.of_atoms(structures(2))).energies_G).all()


def test_linear_ones_that_cannot_be(metals, tmp_path):
    for more, error, match in (
        ({"basis": {"radials": 3}}, UnknownKeyError, "did you mean 'radial'"),
        ({"basis": {"cutoff": -1}}, InputError, "cutoff"),
        ({"seed": -1}, InputError, "seed -1"),
        ({"energy_weight": -1.0}, InputError, "energy_weight -1"),
        ({"directory": "here"}, InputError, "not absolute"),
    ):
        with pytest.raises(error, match=match):
            LinearPotentialMaker(**{"directory": str(tmp_path), **more}).make(metals, SPLIT)


def test_a_training_goes_on_as_another_job(metals, tmp_path, monkeypatch):
    monkeypatch.setattr("zonemelt.tasks.train.jobs.deadline_of_job", lambda: 0.0)
    monkeypatch.setattr("zonemelt.tasks.train.tally._HURRIED", 100)
    one = maker(tmp_path / "model", settings=SETTINGS | {"epochs": 1})
    said = output_of(one.make(metals, {"train": SPLIT["train"]}), tmp_path / "campaign")
    assert said["jobs"] == 3
    assert said["steps"] == 2
    assert load_potential(said["folder"]).card.model_dump(mode="json") == json.loads(json.dumps(said["card"]))


def test_mixed_functionals_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"mixed: .*PBE.*r2SCAN"):
        read_structures(stored(tmp_path, functionals=("PBE", "r2SCAN")))


def test_shards_of_another_cutoff(tmp_path):
    labelled, _ = read_structures(stored(tmp_path, cutoff=4.0))
    with pytest.raises(InputError, match=r"'cutoff': 4\.0.*'cutoff': 3\.5"):
        check_edges(labelled, SMALL.edges)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"architecture": {"chanels": [4]}}, "did you mean 'channels'"),
        ({"loss": {"weight": {"forces": 1}}}, "did you mean 'weights'"),
        ({"settings": {**SETTINGS, "epoch": 3}}, "did you mean 'epochs'"),
    ],
)
def test_a_word_that_nobody_knows(metals, tmp_path, more, match):
    with pytest.raises(UnknownKeyError, match=match):
        maker(tmp_path, **more).make(metals, SPLIT)


def test_committees_that_cannot_be(metals, tmp_path):
    for more, match in (
        ({"members": 1}, "1 members"),
        ({"train": maker(tmp_path)}, "have the directory"),
        ({"members": 3, "starts": ["a", "b"]}, "2 starts for 3 members"),
        ({"members": 3, "least": 4}, "of which 4 must be there"),
        ({"train": maker(settings=SETTINGS | {"seed": "first"})}, "seed: 'first' cannot be used"),
    ):
        with pytest.raises(InputError, match=match):
            CommitteeMaker(**{"train": maker(), "directory": str(tmp_path), **more}).make(metals, SPLIT)


def test_too_few_members(tmp_path):
    with pytest.raises(JobError, match="1 of 3 members are there, 2 are needed"):
        assemble(tmp_path, {"a": {"metrics": {}}, "b": None, "c": None}, least=2)
