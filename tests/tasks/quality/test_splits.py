"""A split is a partition, leaks nothing, can be drawn again, and keeps the fractions it was asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_for_tests import record_of
from pydantic import ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.groups import by_calculation, by_composition, by_elements, by_prototype
from zonemelt.tasks.quality.splits import (
    Split,
    check_leaks,
    find_leaks,
    folds,
    joined,
    split_given,
    split_groups,
    split_time,
)
from zonemelt.tasks.records import Geometry

THREE = {"train": 0.7, "validation": 0.1, "test": 0.2}
names = st.integers(1, 150).map(lambda n: [f"r{i:03d}" for i in range(n)])


@st.composite
def grouped(draw):
    identifiers = draw(names)
    labels = draw(st.lists(st.integers(0, 12), min_size=len(identifiers), max_size=len(identifiers)))
    lonely = draw(st.integers(0, len(identifiers)))
    groups = {one: f"g{label}" for one, label in zip(identifiers[lonely:], labels, strict=False)}
    return identifiers, groups


def partition(split, identifiers):
    return sorted(one for members in split.parts.values() for one in members) == sorted(identifiers)


@settings(max_examples=60)
@given(grouped(), st.integers(0, 5), st.randoms())
def test_groups_stay_together_in_parts_of_the_right_size(data, seed, shuffler):
    identifiers, groups = data
    split = split_groups(identifiers, THREE, seed=seed, groups=groups)
    assert partition(split, identifiers)
    assert find_leaks(split, groups) == []
    largest = max([1, *(list(groups.values()).count(g) for g in set(groups.values()))])
    for name, fraction in THREE.items():
        assert abs(len(split.parts[name]) - fraction * len(identifiers)) <= 2 * largest
    shuffler.shuffle(identifiers)
    assert split_groups(identifiers, THREE, seed=seed, groups=groups).hash == split.hash


@settings(max_examples=30)
@given(names, st.integers(0, 5))
def test_a_random_split_has_its_fractions(identifiers, seed):
    split = split_groups(identifiers, THREE, seed=seed)
    assert (split.kind, split.seed) == ("random", seed)
    assert partition(split, identifiers)
    for name, fraction in THREE.items():
        assert abs(len(split.parts[name]) - fraction * len(identifiers)) <= 1


def test_another_seed_is_another_split():
    identifiers = [f"r{i}" for i in range(50)]
    assert len({split_groups(identifiers, THREE, seed=seed).hash for seed in range(8)}) == 8


def test_the_version_of_the_data_set_is_part_of_the_hash():
    one, other = (split_groups(["a", "b"], {"x": 0.5, "y": 0.5}, seed=0, dataset=d) for d in ("v1", "v2"))
    assert one.parts == other.parts
    assert one.hash != other.hash
    assert Split.model_validate_json(one.model_dump_json()) == one


@settings(max_examples=40)
@given(grouped(), st.data())
def test_the_future_is_only_tested_on(data, draw):
    identifiers, groups = data
    years = draw.draw(st.lists(st.integers(1990, 2020), min_size=len(identifiers), max_size=len(identifiers)))
    times = dict(zip(identifiers, years, strict=True))
    split = split_time(times, THREE, groups=groups)
    assert partition(split, identifiers)
    assert find_leaks(split, groups) == []
    first = {g: min(times[one] for one in groups if groups[one] == g) for g in set(groups.values())}
    known = {one: first[groups[one]] if one in groups else times[one] for one in identifiers}
    spans = [[known[one] for one in split.parts[part]] for part in THREE if split.parts[part]]
    assert all(max(earlier) < min(later) for earlier, later in pairwise(spans))


def test_time_keeps_the_fractions_where_it_can():
    split = split_time({f"r{i:03d}": i for i in range(100)}, THREE)
    assert [len(members) for members in split.parts.values()] == [70, 10, 20]
    with pytest.raises(InputError, match="no time for a"):
        split_time({"a": float("nan")}, THREE)


@settings(max_examples=30)
@given(grouped(), st.integers(2, 6), st.sampled_from([0.0, 0.25]))
def test_each_record_is_tested_once(data, count, validation):
    identifiers, groups = data
    blocks = len(set(groups.values())) + len(set(identifiers) - set(groups))
    if blocks < count:
        with pytest.raises(InputError, match="folds of"):
            folds(identifiers, count, seed=0, groups=groups)
        return
    made = folds(identifiers, count, seed=0, groups=groups, validation=validation)
    assert sorted(one for split in made for one in split.parts["test"]) == sorted(identifiers)
    for split in made:
        assert partition(split, identifiers)
        check_leaks(split, groups)
        assert ("validation" in split.parts) == bool(validation)


def test_a_leak_is_named():
    split = split_given({"train": ["a", "b"], "test": ["c"]}, ["a", "b", "c"])
    check_leaks(split, {"a": "x", "b": "x", "c": "y"})
    (leak,) = find_leaks(split, {"a": "x", "c": "x"})
    assert leak.members == {"test": ("c",), "train": ("a",)}
    with pytest.raises(InputError, match=r"1 groups .* x \(test: c; train: a\)"):
        check_leaks(split, {"a": "x", "c": "x"})


def test_an_official_split_is_part_of_the_data_set():
    assert split_given({"train": ["b"], "test": ["a"]}, ["a", "b", "c"]).part_of == {
        "b": "train",
        "a": "test",
    }
    with pytest.raises(InputError, match="1 that the data set does not hold: z"):
        split_given({"train": ["z"]}, ["a"])
    with pytest.raises(ValidationError, match="more than once: a"):
        split_given({"train": ["a"], "test": ["a"]}, ["a"])


@pytest.mark.parametrize("fractions", [{}, {"a": 1.5, "b": -0.5}, {"a": 0.5, "b": 0.4}])
def test_fractions_are_one_together(fractions):
    with pytest.raises(InputError, match="fractions"):
        split_groups(["x"], fractions, seed=0)


def test_a_name_comes_once():
    with pytest.raises(InputError, match="x comes twice"):
        split_groups(["x", "y", "x"], THREE, seed=0)


@settings(max_examples=40)
@given(grouped(), st.data())
def test_joined_groups_hold_for_each(data, draw):
    identifiers, groups = data
    others = {one: f"h{draw.draw(st.integers(0, 30))}" for one in identifiers[::2]}
    both = joined(groups, others)
    split = split_groups(identifiers, THREE, seed=0, groups=both)
    assert find_leaks(split, groups) == []
    assert find_leaks(split, others) == []
    assert joined(others, groups) == both


def test_groups_of_structures():
    rocksalt, halite = bulk("MgO", "rocksalt", a=4.2), bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    caesium = bulk("CsCl", "cesiumchloride", a=4.1)
    structures = [(n, Geometry.of(a)) for n, a in (("MgO", rocksalt), ("NaCl", halite), ("CsCl", caesium))]
    assert by_composition(structures) == {"MgO": "Mg1O1", "NaCl": "Cl1Na1", "CsCl": "Cl1Cs1"}
    assert by_elements(structures)["NaCl"] == "Cl-Na"
    types = by_prototype(structures)
    assert types["MgO"] == types["NaCl"] == "AB_cF8_225_a_b"
    assert types["CsCl"].startswith("AB_cP2_221")
    molecule = Geometry(cell=((0, 0, 0),) * 3, symbols=("H",), positions=((0, 0, 0),), periodic=(False,) * 3)
    assert by_prototype([("H", molecule)]) == {"H": "not periodic"}
    records = [record_of(rocksalt, "one"), record_of(halite, "two")]
    assert by_calculation(records) == {"one": "one", "two": "two"}
