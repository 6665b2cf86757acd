"""A round is judged on what its committee knows: an element whose only label comes late ends no campaign."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from labels_for_tests import record_of
from potential_contract import metal
from potentials_for_tests import committee
from properties_for_tests import dataset_of

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.metrics.energies_forces import ENERGY_MAE, FORCES_MAE
from zonemelt.tasks.records import Quality
from zonemelt.tasks.rounds.judge import judge_job

GOOD = Quality(accepted=True)
TWO = committee(difference=0.1)


def copper(name):
    """As the committee has it, but for 0.2 eV an atom and 0.05 eV/Å on each component."""
    said = TWO.evaluate(Crystals.of_atoms([metal()]))
    energy, forces = float(said.energies_G[0]) + 0.2 * 4, (said.forces_A3 + 0.05).tolist()
    return record_of(metal(), name, energy_free=energy, forces=forces, quality=GOOD)


def iron(name):
    """Of an element that the committee does not know."""
    return record_of(bulk("Fe"), name, energy_free=-8.0, forces=[[0.0, 0.0, 0.0]], quality=GOOD)


@pytest.fixture
def judged(tmp_path, monkeypatch):
    monkeypatch.setattr("zonemelt.tasks.rounds.judge.load_potential", lambda name, **_: TWO)
    learnt = open_dataset(dataset_of([copper("new"), iron("late")], tmp_path / "labels"))

    def judged(held, before=None):
        place = open_dataset(dataset_of(held, tmp_path / "-".join(one.identifier for one in held)))
        gathered = {
            "dataset": str(learnt.directory), "version": learnt.version, "records": 2, "quarantine": 0,
            "accepted": ["new", "late"], "refused": {}, "failed": [], "pending": {}, "seconds": 0.0,
            "cpu_seconds": 0.0,
        }  # fmt: skip
        heldout = {"dataset": str(place.directory), "version": place.version}
        return judge_job.original(done={
            "number": 1, "gathered": gathered, "committee": {"folder": "two"}, "heldout": heldout,
            "choices": [], "before": before, "steered": {},
        })  # fmt: skip

    return judged


def test_what_the_committee_knows_is_judged(judged):
    first = judged([copper("held"), iron("strange")])
    assert first["heldout"][ENERGY_MAE] == pytest.approx(0.2)
    assert first["heldout"][FORCES_MAE] == pytest.approx(0.05)
    spread = TWO.spread(Crystals.of_atoms([metal()])).forces_A
    assert first["heldout"]["deviation factor"] == pytest.approx(np.sqrt(12 * 0.05**2 / (spread**2).sum()))
    assert first["surprise"] is None
    # the new label is as far from what was said as the held-out ones were: no surprise
    assert judged([copper("held"), iron("strange")], before=first)["surprise"] == pytest.approx(1.0)


def test_where_nothing_is_known_nothing_is_said(judged):
    first = judged([iron("strange")])
    assert first["heldout"] == {}
    assert judged([copper("held")], before=first)["surprise"] is None
