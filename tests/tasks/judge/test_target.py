"""Targets as a sentence, and how far a material is from one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.ranges import Range
from zonemelt.tasks.judge.target import Target

SOLAR = "band gap 1.1 to 1.7 eV and e_above_hull < 0.05, no Pb, ≤ 4 elements"


def test_a_line_of_words_is_the_same_as_its_fields():
    said = Target.of(
        {
            "ranges": {"band_gap": "1.1 to 1.7 eV", "e_above_hull": {"below": 0.05}},
            "forbid": ["Pb"],
            "most_elements": 4,
        }
    )
    assert Target.of(SOLAR) == said
    assert said.predicted == ["band_gap"]
    assert Target.of(said.model_dump(mode="json")) == said


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("band_gap 2 to 1", "lower bound must be below"),
        ("band_gap < 0", "nothing has band_gap < 0"),
        ("probability > 1", "nothing has probability > 1"),
        ("no Pb, with Pb", "Pb: both required and forbidden"),
        ("only Li O, with Na", "Na: required, and not among"),
        ("only Li O, no Li O", "at least 1 elements, of 0 that are allowed"),
        ("with Li Fe O, at most 2 elements", "3 elements are required"),
        ("at least 3 elements, at most 2 elements", "at least 3 and at most 2 elements"),
        ("at least 3 elements, at most 2 atoms", "at least 3 elements in at most 2 atoms"),
        ("above_hull < 0.05, above_hull > 0.1", "two ranges"),
        ("no Xy", "'Xy' is no element"),
        ("cheap", "'cheap' cannot be read"),
        ({"ranges": {"band_gap": "wide"}}, "ranges.band_gap: 'wide' cannot be used\n.*'wide' is no range"),
        ({"ranges": {"band_gap": {}}}, "a range without a bound"),
        ({"ranges": {"band_gap": {"least": float("nan")}}}, "finite"),
    ],
)
def test_what_contradicts_itself_is_refused_with_one_reason(said, match):
    with pytest.raises(InputError, match=match):
        Target.of(said)


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UnknownKeyError, match="did you mean 'most_elements'"):
        Target.of({"max_elements": 4})
    with pytest.raises(UnknownKeyError, match=r"ranges\.band_gap\.lest: .*\n.*did you mean 'least'"):
        Target.of({"ranges": {"band_gap": {"lest": 1.1}}})


def test_what_no_model_predicts_is_refused():
    target = Target.of(SOLAR)
    target.check_properties({"band_gap": "eV"})
    with pytest.raises(UnknownKeyError, match="did you mean 'band_gap_pbe'"):
        target.check_properties({"band_gap_pbe": "eV"})
    with pytest.raises(InputError, match="it is given in meV"):
        target.check_properties({"band_gap": "meV"})


def test_elements_that_nobody_knows_are_refused():
    with pytest.raises(InputError, match="the potential knows nothing of Og"):
        Target.of("with Og").check_elements({"Li", "O"}, who="the potential")
    with pytest.raises(InputError, match="knows nothing of Og"):
        Target.of("only Li Og, no Li").check_elements({"Li", "O"}, who="the potential")
    Target.of("only Li Og").check_elements({"Li", "O"}, who="the potential")  # Li alone is possible


def test_why_a_crystal_is_not_meant():
    target = Target.of(f"{SOLAR}, with O, at most 5 atoms")
    assert list(target.composition_faults(["Ca", "Ti", "O", "O", "O"])) == []
    assert list(target.composition_faults(["Pb", "Ti"])) == ["no O", "with Pb"]
    assert list(target.composition_faults(["O"] * 6)) == ["more than 5 atoms"]
    assert list(target.quantity_faults({"band_gap": 1.4, "above_hull": 0.01})) == []
    assert list(target.quantity_faults({"band_gap": 3.0, "above_hull": None})) == [
        "band_gap not >= 1.1 and <= 1.7 eV",
        "above_hull is not known",
    ]


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(-3, 3), st.floats(0.01, 2))
def test_probabilities_of_ranges_that_share_a_bound_add_up(value, deviation, low, width):
    parts = (Range(below=low), Range(least=low, most=low + width), Range(above=low + width))
    assert sum(one.probability(value, deviation) for one in parts) == pytest.approx(1)
    assert sum(one.probability(value, None) for one in parts) == 1
    assert parts[1].holds(low)
    assert not parts[0].holds(low)
