"""Features of vibrations as one job: each structure has a row or a reason."""

from __future__ import annotations

import numpy as np
from ase.build import bulk, molecule
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic import vibration_jobs
from zonemelt.tasks.atomistic.vibration_features import vibration_features
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.records import Geometry

SALT, COPPER = bulk("NaCl", "rocksalt", a=5.5), bulk("Cu", cubic=True, a=3.7)
ATOMS = [SALT, bulk("Cu"), bulk("MgO", "rocksalt", a=4.2), COPPER, molecule("NaCl")]


def test_each_has_features_or_a_reason(monkeypatch):
    monkeypatch.setattr(vibration_jobs, "_TOGETHER", 1)
    found = vibration_jobs.features_or_reasons(Morse(), Crystals.of_atoms(ATOMS))
    expected, names = vibration_features(Morse(), Crystals.of_atoms([SALT, COPPER]))
    assert found["names"] == list(names)
    np.testing.assert_allclose([found["features"][0], found["features"][3]], expected, rtol=1e-6, atol=1e-4)
    assert [row is None for row in found["features"]] == [False, True, True, False, True]
    assert found["reasons"][0] is None
    assert "one atom" in found["reasons"][1]
    assert "Mg, O" in found["reasons"][2]
    assert "does not repeat" in found["reasons"][4]


def test_atoms_on_top_of_each_other_are_a_reason_and_not_the_end_of_all():
    twins = bulk("NaCl", "rocksalt", a=5.5)
    twins.symbols[:] = "Cu"
    twins.positions[1] = twins.positions[0]
    found = vibration_jobs.features_or_reasons(Morse(), Crystals.of_atoms([SALT, twins, COPPER]))
    assert [row is None for row in found["features"]] == [False, True, False]
    assert "no symmetry" in found["reasons"][1]


def test_as_a_job(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vibration_jobs, "load_potential", lambda name, device: Morse())
    made = vibration_jobs.vibrations_job(
        potential="morse", geometries=[Geometry.of(SALT).model_dump(mode="json")]
    )
    responses = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True)
    found = responses[made.uuid][1].output
    assert found["reasons"] == [None]
    assert len(found["features"][0]) == len(found["names"])


def test_nothing_that_can_be_described():
    found = vibration_jobs.features_or_reasons(Morse(), Crystals.of_atoms([bulk("Cu")]))
    assert found["features"] == [None]
    assert found["names"] == []
