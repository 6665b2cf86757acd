"""Draws near known crystals begin with the best of them, in one of their cells after the other."""

from __future__ import annotations

from ase.build import bulk
from labels_for_tests import record_of

from zonemelt.tasks.records import Property
from zonemelt.tasks.rounds.draws import beginnings
from zonemelt.tasks.rounds.near_hull import ABOVE_HULL, known_as


def record(name, atoms, above):
    made = record_of(atoms, name, energy_sigma0=0.0)
    return made.model_copy(update={"properties": {ABOVE_HULL: Property(value=above, unit="eV/atom")}})


def test_each_of_the_best_in_each_of_its_cells():
    pair, pure = bulk("AlAu", "cesiumchloride", a=3.1), bulk("Al")
    records = [
        record("high", pair, 0.3), record("low", pair, 0.0), record("pure", pure, 0.1),
        record("low-cell1", pair.repeat((2, 1, 1)), 0.0), record("low-cell2", pair.repeat((3, 1, 1)), 0.0),
        record("pure-cell1", pure.repeat((1, 2, 1)), 0.1),
    ]  # fmt: skip
    found = beginnings(records, 2, count=7)
    assert [name for name, _ in found] == ["low", "pure", "low", "pure", "low", "pure", "low"]
    assert [one.identifier for name, one in found if name == "low"] == [
        "low-cell2",
        "low-cell1",
        "low",
        "low-cell2",
    ]
    assert [one.identifier for name, one in found if name == "pure"] == ["pure-cell1", "pure", "pure-cell1"]
    assert [known_as(one.identifier) for _, one in found] == [name for name, _ in found]
    assert len(beginnings(records, 50, count=4)) == 4
    without = [one for one in records if "-cell" not in one.identifier]
    assert [one.identifier for _, one in beginnings(without, 1, count=2)] == ["low", "low"]
