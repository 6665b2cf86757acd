"""What a generator learns from: near the hull, small enough, in other cells the same crystals."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_for_tests import record_of
from pymatgen.analysis.structure_matcher import StructureMatcher

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.rounds.near_hull import (
    _ENOUGH,
    ABOVE_HULL,
    at_rest,
    known_as,
    larger_cells,
    meant,
    near_hull,
    near_hull_job,
    restless,
)

STILL = {"forces": ((0.0, 0.0, 0.0),) * 2, "stress": ((0.0,) * 3,) * 3}
MOVED = {"forces": ((0.5, 0.0, 0.0), (-0.5, 0.0, 0.0)), "stress": ((0.0,) * 3,) * 3}
CSCL = bulk("AlAu", "cesiumchloride", a=3.1)


def alloys():
    """The elements at zero, one compound at rest on the hull, one of the same composition above it."""
    pure = {
        name: record_of(bulk(name), name, energy_sigma0=0.0, forces=((0.0,) * 3,), stress=STILL["stress"])
        for name in ("Al", "Au")
    }
    low = record_of(CSCL, "low", energy_sigma0=-0.4, **STILL)
    high = record_of(bulk("AlAu", "zincblende", a=5.5), "high", energy_sigma0=-0.2, **MOVED)
    return [*pure.values(), low, high]


def test_the_lowest_come_first_and_high_ones_not_at_all():
    kept = near_hull(alloys(), within=0.05, most_atoms=2)
    assert [one.identifier for one, _ in kept] == ["Al", "Au", "low"]
    assert [above for _, above in near_hull(alloys(), within=0.2, most_atoms=2)] == pytest.approx(
        [0, 0, 0, 0.1]
    )
    assert [one.identifier for one, _ in near_hull(alloys(), within=0.2, most_atoms=1)] == ["Al", "Au"]


def test_what_the_target_does_not_allow_is_left_out_where_enough_remain():
    kept = [pair for pair in near_hull(alloys(), within=0.2, most_atoms=2) for _ in range(_ENOUGH // 2)]
    compounds = Target.of("above_hull < 0.1, at least 2 elements")
    assert {one.identifier for one, _ in meant(kept, compounds)} == {"low", "high"}
    assert meant(kept[:-1], compounds) == kept[:-1]  # one less is too few
    assert meant(kept, None) == kept
    assert meant(kept, Target.of("above_hull < 0.1")) == kept


def test_without_an_element_there_is_no_hull_and_nothing_is_left_out():
    kept = near_hull([one for one in alloys() if one.identifier != "Au"], within=0.01, most_atoms=2)
    assert {one.identifier for one, above in kept if above is None} == {"low", "high"}


def test_only_the_lowest_of_a_composition_must_be_at_rest():
    assert restless(alloys(), within=0.5, most=5) == []
    moving = [one.model_copy(update=MOVED) if one.identifier == "low" else one for one in alloys()]
    assert [one.identifier for one in restless(moving, within=0.5, most=5)] == ["low"]
    assert restless(moving, within=0.5, most=0) == []
    again = [
        one.model_copy(update={"identifier": one.identifier.replace("low", "x-refined-1")}) for one in moving
    ]
    assert restless(again, within=0.5, most=5) == []


def test_a_label_without_stress_is_not_known_to_be_at_rest():
    (low,) = [one for one in alloys() if one.identifier == "low"]
    assert at_rest(low)
    assert not at_rest(low.model_copy(update={"stress": None}))
    assert not at_rest(low.model_copy(update={"stress": ((0.1, 0, 0), (0, 0, 0), (0, 0, 0))}))


@settings(max_examples=15)
@given(most=st.integers(2, 9), each=st.integers(0, 3), seed=st.integers(0, 5))
def test_larger_cells_hold_the_same_crystal(most, each, seed):
    geometry = Geometry.of(CSCL)
    found = larger_cells(geometry, most_atoms=most, each=each, seed=seed)
    assert len(found) == sum(min(each, {2: 7, 3: 13, 4: 35}[times]) for times in range(2, most // 2 + 1))
    volume = CSCL.get_volume() / 2
    for one in found:
        assert len(one.symbols) <= most
        assert one.atoms().get_volume() / len(one.symbols) == pytest.approx(volume)
        assert one.symbols.count("Al") * 2 == len(one.symbols)
    for one in found[:1]:
        assert StructureMatcher(primitive_cell=True).fit(one.structure(), geometry.structure())


def test_the_dataset_of_a_generator(tmp_path):
    place = tmp_path / "all"
    commit(place, [write_part(place, alloys())], message="all")
    told = near_hull_job.original(
        dataset=str(place), version=open_dataset(place).version, directory=str(tmp_path / "near"),
        within=0.2, most_atoms=4, wish=ABOVE_HULL, cells=1,
    )  # fmt: skip
    made = {one.identifier: one for one in open_dataset(told["dataset"], told["version"]).records()}
    assert told["records"] == 4
    assert told["wish"] == ABOVE_HULL
    assert made["high"].properties[ABOVE_HULL].value == pytest.approx(0.1)
    cells = [one for name, one in made.items() if "-cell" in name]
    assert len(cells) == 2 * 3 + 2 * 1  # of one atom in 2, 3 and 4; of two in 4
    assert all(one.energy_sigma0 is None and ABOVE_HULL in one.properties for one in cells)
    assert {len(one.geometry.symbols) for one in made.values()} == {1, 2, 3, 4}
    with pytest.raises(InputError, match="most_atoms"):
        near_hull_job.original(
            dataset=str(place), version=open_dataset(place).version, directory=str(tmp_path / "none"),
            within=0.2, most_atoms=0, wish=ABOVE_HULL,
        )  # fmt: skip
    assert np.isfinite([one.geometry.atoms().get_volume() for one in made.values()]).all()


@pytest.mark.parametrize("name", ["mp-1", "NaCl-cells", "a-cell-b", "x-cell"])
def test_a_name_that_only_looks_like_that_of_a_cell_stays(name):
    assert known_as(name) == name
    assert known_as(f"{name}-cell12") == name
