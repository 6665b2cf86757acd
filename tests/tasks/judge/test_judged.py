"""Energies that are corrected before they are compared, and what cannot be."""

from __future__ import annotations

import pytest
from ase.build import bulk

from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.explore.candidate import Candidate
from zonemelt.tasks.judge.competitors import Competitor
from zonemelt.tasks.judge.examine import Examined
from zonemelt.tasks.judge.judged import judged
from zonemelt.tasks.judge.judging import Judging
from zonemelt.tasks.judge.sift import UNKNOWN_ORIGIN
from zonemelt.tasks.records import Geometry


def relaxed(name, atoms, energy):
    geometry = Geometry.of(atoms)
    return Examined(
        candidate=Candidate(identifier=name, geometry=geometry, origin=UNKNOWN_ORIGIN),
        geometry=geometry, energy_per_atom=energy, outcome=Outcome.CONVERGED, volume_change=0.0,
        space_group=1,
    )  # fmt: skip


def known(name, atoms, energy):
    return Competitor(identifier=name, geometry=Geometry.of(atoms), energy_per_atom=energy)


def test_candidates_are_corrected_as_their_references_are():
    elements = [
        known(el, bulk(el, "fcc", a=4.0), energy) for el, energy in (("Fe", -8.0), ("O", -5.0), ("Po", -3.0))
    ]
    given = [
        relaxed("FeO", bulk("FeO", "rocksalt", a=4.3), -6.6),
        relaxed("PoO", bulk("PoO", "rocksalt", a=5.0), -5.0),
    ]
    plain = judged(given, elements, judging=Judging())
    corrected = judged(given, elements, judging=Judging(), correct=True)
    assert plain[0].above_hull == pytest.approx(-0.1)
    assert corrected[0].above_hull == pytest.approx(-0.1 - 2.943 / 2)
    assert corrected[0].energy_per_atom == plain[0].energy_per_atom == -6.6
    assert plain[1].above_hull == pytest.approx(-1.0)
    assert corrected[1].verdict == "undefined"
    assert corrected[1].undefined == "it cannot be corrected: the Materials Project has no potential for Po"
