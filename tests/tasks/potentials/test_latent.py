"""Features from the layers of a potential: the same for the same crystal, one of each name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import bulk, make_supercell
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from potential_contract import metal, salt
from potentials_for_tests import Morse

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.latent import latent_features, latent_job
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def potential():
    return load_potential("sevennet-0", dtype="float64")


def features(potential, *atoms):
    return latent_features(potential, Crystals.of_atoms(atoms))[0]


def changed():
    """One crystal: as it is, rotated, moved with its atoms in another order, and as a supercell."""
    rotated, other = salt(), salt()[[1, 0]]
    rotated.rotate(40, (1, 2, 3), rotate_cell=True)
    other.translate((0.3, 0.1, -0.2))
    return salt(), rotated, other, make_supercell(salt(), np.diag([1, 1, 2]))


def test_what_does_not_matter_does_not_show(potential):
    found = features(potential, *changed())
    np.testing.assert_allclose(found[1:], np.broadcast_to(found[0], found[1:].shape), atol=1e-7)


def test_other_crystals_have_other_features(potential):
    one, other, wider = features(potential, salt(), metal(), bulk("NaCl", "rocksalt", a=5.8))
    assert np.abs(one - other).max() > 0.1
    assert np.abs(one - wider).max() > 0.01


def test_every_feature_has_a_name_and_passes_do_not_matter(potential, monkeypatch):
    at_once, names = latent_features(potential, Crystals.of_atoms([salt(), metal(), bulk("Si")]))
    assert at_once.shape == (3, len(names))
    assert len(set(names)) == len(names) == 5 * 128 * 4
    monkeypatch.setattr(potential, "atoms_at_once", 2)
    np.testing.assert_allclose(features(potential, salt(), metal(), bulk("Si")), at_once, atol=1e-9)


def test_what_has_no_layers_or_is_strange_is_refused(potential):
    with pytest.raises(InputError, match=r"(?s)features of a potential: morse has no layers.*SevenNet"):
        features(Morse(), salt())
    with pytest.raises(InputError, match=r"does not know Po"):
        features(potential, bulk("Po", "sc", a=3.3))


def test_as_a_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = latent_job(potential="sevennet-0", geometries=[Geometry.of(salt()).model_dump(mode="json")])
    responses = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True)
    found = responses[made.uuid][1].output
    assert len(found["features"][0]) == len(found["names"])
    np.testing.assert_allclose(
        found["features"], features(load_potential("sevennet-0"), salt()), rtol=1e-4, atol=1e-4
    )
