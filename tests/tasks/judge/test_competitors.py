"""Known crystals as a potential relaxed them: which of them a hull may be drawn through."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.build import bulk

from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.judge.competitors import relaxed_competitors
from zonemelt.tasks.records import Geometry


def relaxed(atoms: Atoms, energy: float | None, outcome: Outcome = Outcome.CONVERGED) -> dict:
    return {
        "geometry": Geometry.of(atoms).model_dump(mode="json"), "energy": energy, "outcome": str(outcome),
        "members": [energy, energy],
    }  # fmt: skip


def test_what_fell_into_a_hole_of_the_potential_spans_no_hull():
    whole, hole = bulk("Al", "fcc", a=4.05), bulk("Al", "fcc", a=2.0)
    pair = Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.3)], cell=[5, 5, 5], pbc=True)  # and was so before
    given = {
        "whole": (whole, relaxed(whole, -3.0)),
        "stopped": (whole, relaxed(whole, -2.9, Outcome.OUT_OF_STEPS)),
        "hole": (whole, relaxed(hole, -90.0)),
        "exploded": (whole, relaxed(whole, -3.0, Outcome.EXPLODED)),
        "nothing": (whole, relaxed(whole, None)),
        "pair": (pair, relaxed(pair, -6.0)),
    }
    crystals = [(name, Geometry.of(before)) for name, (before, _) in given.items()]
    found, lost = relaxed_competitors(crystals, [after for _, after in given.values()], closest=0.7)
    assert {one.identifier: one.energy_per_atom for one in found} == {
        "whole": -3.0, "stopped": -2.9, "pair": -3.0,
    }  # fmt: skip
    assert found[0].members == pytest.approx((-3.0, -3.0))
    assert lost.keys() == {"hole", "exploded", "nothing"}
    assert lost["hole"].startswith("its relaxation ended in no structure: ")
    assert lost["exploded"] == "its relaxation exploded"
