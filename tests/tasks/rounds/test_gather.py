"""Gathering labels: nothing lost, nothing twice, contradictions and other levels of theory told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_for_tests import VASP, record_of

from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, OracleError
from zonemelt.tasks.rounds.collection import split_of_names
from zonemelt.tasks.rounds.contradictions import without_contradictions
from zonemelt.tasks.rounds.gather import check_worth_going_on, gather, gather_job

if TYPE_CHECKING:
    from pathlib import Path


def label(number: int, *, energy: float = -14.0, **changes: Any) -> Any:
    """Four atoms of copper, each number another structure."""
    atoms = bulk("Cu", cubic=True, a=3.6 + 0.05 * number)
    fields = {
        "energy_free": energy, "energy_sigma0": energy, "forces": [[0.0, 0.0, 0.0]] * 4, **changes,
    }  # fmt: skip
    return record_of(atoms, f"cu-{number}", **fields)


def documents(*records: Any) -> dict[str, Any]:
    return {one.identifier: one.model_dump(mode="json") for one in records}


def test_what_arrives_later_joins_and_nothing_is_twice(tmp_path: Path):
    first = gather({**documents(label(0), label(1)), "cu-2": None}, tmp_path, message="one")
    assert (first["records"], first["missing"], len(first["accepted"])) == (2, ["cu-2"], 2)
    again = gather(documents(label(0), label(1)), tmp_path, message="again")
    assert again["version"] == first["version"]
    second = gather(documents(label(2)), tmp_path, message="two")
    assert second["records"] == 3
    assert open_dataset(tmp_path, first["version"]).version == first["version"]


def test_a_lesson_that_was_killed_after_it_committed_adds_what_came_meanwhile(tmp_path: Path):
    gather({**documents(label(0)), "cu-1": None}, tmp_path, message="killed")
    found = gather(documents(label(0), label(1)), tmp_path, message="again")
    names = [record.identifier for record in open_dataset(tmp_path).records()]
    assert sorted(names) == ["cu-0", "cu-1"]
    assert found["records"] == 2


def test_labels_that_contradict_each_other_are_named(tmp_path: Path):
    gather(documents(label(0)), tmp_path, message="first")
    other = label(0, energy=-14.4).model_copy(update={"identifier": "liar"})
    found = gather(documents(other, label(1)), tmp_path, message="second")
    assert found["accepted"] == ["cu-1"]
    assert "the structure of cu-0" in found["refused"]["liar"]
    assert "100.0 meV/atom" in found["refused"]["liar"]
    (kept,) = open_dataset(tmp_path).quarantine.records()
    assert kept.identifier == "liar"


def test_two_new_labels_that_contradict_each_other_both_wait_for_a_person():
    liar = label(0, energy=-14.4).model_copy(update={"identifier": "liar"})
    found = without_contradictions([label(0), liar, label(1)])
    verdicts = {one.identifier: one.quality for one in found}
    assert not verdicts["cu-0"].accepted
    assert "liar" in verdicts["cu-0"].reasons[0]
    assert not verdicts["liar"].accepted
    assert verdicts["cu-1"] is None


def test_the_same_structure_turned_and_shifted_is_the_same():
    atoms = bulk("Cu", cubic=True, a=3.6)
    atoms.translate([0.3, 0.1, 0.2])
    atoms.rotate(37, "z", rotate_cell=True)
    turned = record_of(atoms, "turned", energy_free=-14.4)
    assert not without_contradictions([turned], [label(0)])[0].quality.accepted
    assert without_contradictions([turned], [label(0, energy=-14.401)])[0].quality is None


def test_another_level_of_theory_is_refused(tmp_path: Path):
    gather(documents(label(0)), tmp_path, message="first")
    other = label(1, theory=VASP.model_copy(update={"functional": "r2SCAN"}))
    with pytest.raises(InputError, match=r"mixed: .*PBE.*r2SCAN"):
        gather(documents(other), tmp_path, message="second")
    assert len(open_dataset(tmp_path)) == 1


def test_another_setup_of_an_element_is_refused_before_it_is_kept(tmp_path: Path):
    first, other = (
        {"theory": VASP.model_copy(update={"setups": {"Cu": setup}})} for setup in ("Cu", "Cu_pv")
    )
    gather(documents(label(0, **first)), tmp_path, message="first")
    with pytest.raises(InputError, match="record cu-1: two setups for Cu: Cu and Cu_pv"):
        gather(documents(label(1, **other)), tmp_path, message="second")
    assert len(open_dataset(tmp_path)) == 1


def test_labels_without_forces_are_refused(tmp_path: Path):
    found = gather(documents(label(0), label(1, forces=None)), tmp_path, message="first")
    assert "it has no forces" in found["refused"]["cu-1"]


def test_an_oracle_that_does_not_work():
    found = {"accepted": ["a"], "refused": {"b": "no", "c": "never"}, "missing": []}
    check_worth_going_on(found, most_failed=0.7)
    with pytest.raises(OracleError, match=r"2 of 3 labels failed or were refused: b: no; c: never"):
        check_worth_going_on(found, most_failed=0.5)
    with pytest.raises(OracleError, match="none of 2 labels came"):
        check_worth_going_on({"accepted": [], "refused": {}, "missing": ["a", "b"]}, most_failed=0.5)


def test_what_is_missing_is_pending_until_the_end(tmp_path: Path):
    labels = {**documents(label(0)), "cu-1": None}
    waiting = {name: {"label": f"uuid of {name}", "geometry": {}} for name in labels}
    common = {"waiting": waiting, "dataset": str(tmp_path), "message": "", "need": [], "most_failed": 0.5}
    found = gather_job.original(labels=labels, **common)
    assert (found["pending"], found["failed"]) == ({"cu-1": waiting["cu-1"]}, [])
    found = gather_job.original(labels=labels, last=True, **common)
    assert (found["pending"], found["failed"]) == ({}, ["cu-1"])


@settings(max_examples=60)
@given(count=st.integers(2, 40), share=st.floats(0.01, 0.9), seed=st.integers(0, 5), kinds=st.integers(1, 4))
def test_splits_are_of_all_records_and_keep_what_they_had(count, share, seed, kinds):
    names = [f"record {number}" for number in range(count)]
    elements = ["Al", "Al-Cu", "Cu", "Ni"][:kinds]
    of_each = [elements[number % kinds] for number in range(count)]
    split = split_of_names(names, of_each, validation=share, seed=seed)
    assert sorted(split["train"] + split["validation"]) == list(range(count))
    assert split["train"]
    assert split["validation"]
    if kinds == 1:  # nothing had to be moved for the sake of an element
        turned = split_of_names(names[::-1], of_each, validation=share, seed=seed)
        assert [names[::-1][row] for row in turned["train"]] == [names[row] for row in split["train"]]


def test_one_record_cannot_be_split():
    with pytest.raises(InputError, match="1 records"):
        split_of_names(["a"], ["Al"], validation=0.1, seed=0)


def test_molecules_are_gathered_too(tmp_path: Path):
    def nitrogen(name: str, energy: float, stretched: float = 1.0) -> Any:
        atoms = molecule("N2")
        atoms.positions *= stretched
        return record_of(atoms, name, energy_free=energy, forces=[[0.0] * 3] * 2)

    gather(documents(nitrogen("one", -16.0)), tmp_path, message="first")
    found = gather(
        documents(nitrogen("liar", -15.0), nitrogen("far", -12.0, 1.5)), tmp_path, message="second"
    )
    assert found["accepted"] == ["far"]
    assert "the structure of one" in found["refused"]["liar"]
