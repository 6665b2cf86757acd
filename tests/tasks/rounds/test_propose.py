"""What the oracle is asked for: what may be within the target, one of each, and a share of what is unsure."""

from __future__ import annotations

from typing import Any

import pytest
from ase.build import bulk

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.explore.candidate import Origin
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.judge.verdict import Estimate, Verdict, Word
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.rounds.draws import Draw, read_draws
from zonemelt.tasks.rounds.propose import eligible, promise, proposed, proposing_of, to_refine

TARGET = Target.of("above_hull < 0.05, no Pb")
CELL = Geometry.of(bulk("AlAu", "cesiumchloride", a=3.1))


def verdict(name: str, above: float | None = 0.0, **changes: Any) -> Verdict:
    said = {
        "identifier": name, "formula": "Al1Au1", "geometry": CELL, "above_hull": above, "deviation": 0.02,
        "group": name, "novel": True, "converged": True, "verdict": Word.METASTABLE, **changes,
    }  # fmt: skip
    return Verdict(**said)


def test_promise_is_a_probability_and_falls_with_the_energy():
    values = [promise(verdict("a", above), TARGET) for above in (-0.1, 0.0, 0.05, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[2] == pytest.approx(0.5)
    assert 0 <= values[3] < values[0] <= 1


def test_promise_of_several_ranges_is_a_product():
    target = Target.of("above_hull < 0.05, band_gap 1 to 2 eV")
    gap = {"band_gap": Estimate(value=1.0, unit="eV", deviation=0.1)}
    one = verdict("a", 0.05, properties=gap)
    assert promise(one, target) == pytest.approx(0.25, abs=1e-6)
    assert promise(verdict("b", 0.05), target) == 0  # nobody knows its gap


def test_what_is_no_candidate_for_a_label():
    lead = Geometry.of(bulk("PbAu", "cesiumchloride", a=3.3))
    out = [
        verdict("copy", group="fit"), verdict("known", novel=False), verdict("no hull", None),
        verdict("lead", geometry=lead), verdict("lost", verdict=Word.UNCONVERGED),
        verdict("burst", verdict=Word.COLLAPSED),
    ]  # fmt: skip
    assert [one.identifier for one in eligible([verdict("fit"), *out], TARGET)] == ["fit"]


def test_a_share_of_the_batch_is_for_the_unsure():
    some = [verdict(f"sure {n}", 0.001 * n, deviation=0.001) for n in range(6)]
    vague = [verdict(f"vague {n}", 0.12, deviation=0.1 + 0.01 * n) for n in range(3)]
    chosen, summary = proposed([*some, *vague], TARGET, proposing_of({"unsure": 0.25}), count=4, seed=0)
    assert [one.identifier for one in chosen] == ["sure 0", "sure 1", "sure 2", "vague 2"]
    assert summary["chosen"] == 4
    chosen, _ = proposed([*some, *vague], TARGET, proposing_of({"unsure": 0}), count=4, seed=0)
    assert all(one.identifier.startswith("sure") for one in chosen)


def test_what_is_predicted_far_above_the_hull_gets_no_label():
    chosen, summary = proposed([verdict("far", 0.4)], TARGET, proposing_of({}), count=4, seed=0)
    assert chosen == []
    assert summary["chosen"] == 0


def test_what_the_committee_knows_nothing_of_gets_no_label():
    some = [verdict("known", 0.04), verdict("blind", -0.4, deviation=1.1)]
    chosen, summary = proposed(some, TARGET, proposing_of({"unsure": 0.5}), count=2, seed=0)
    assert [one.identifier for one in chosen] == ["known"]
    assert summary["refused"] == {"deviation above 0.3": 1}
    chosen, _ = proposed(some, TARGET, proposing_of({"reach": 2.0}), count=2, seed=0)
    assert len(chosen) == 2


def test_what_a_relaxation_carried_far_away_gets_no_label():
    some = [verdict("near", volume_change=-0.1), verdict("far", volume_change=0.5)]
    chosen, _ = proposed(some, TARGET, proposing_of({}), count=4, seed=0)
    assert [one.identifier for one in chosen] == ["near"]
    chosen, _ = proposed(some, TARGET, proposing_of({"volume": 1.0}), count=4, seed=0)
    assert len(chosen) == 2


def test_chance_does_not_look_and_repeats_with_its_seed():
    some = [verdict(f"c{n}", 0.01 * n) for n in range(20)]
    settings = proposing_of({"strategy": "random", "reach": 10})
    first, _ = proposed(some, TARGET, settings, count=5, seed=3)
    again, _ = proposed(some[::-1], TARGET, settings, count=5, seed=3)
    assert [one.identifier for one in first] == [one.identifier for one in again]
    assert len(first) == 5


def test_known_crystals_on_the_hull_are_labelled_again_at_rest():
    origin = Origin(explorer="refined", parent="Al")
    assert [one.identifier for one in to_refine([verdict("a", 0.0, origin=origin, novel=False)])] == ["a"]
    assert to_refine([verdict("a", 0.3, origin=origin), verdict("b", 0.0)]) == []
    assert to_refine([verdict("a", 0.0, origin=origin, left_basin=True)]) == []


def test_draws_say_what_they_wish_for():
    (one,) = read_draws([{"count": 3, "atoms": [2, 4], "elements": ["Al"], "guided": True}])
    assert one.wishes(0.0) == [{"system": ["Al"], "value": 0.0, "atoms": n} for n in (2, 4)]
    assert one.wishes(None) == [{"system": ["Al"], "atoms": n} for n in (2, 4)]
    assert Draw(count=1).wishes(0.0) == [{}]


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": 1, "near": 2, "atoms": [3]}, "near known crystals"),
        ({"count": 1, "composition": {"Al": 1}, "elements": ["Al"]}, "says atoms and elements"),
        ({"count": 1, "composition": {"Al": 0}}, "1 or more"),
    ],
)
def test_draws_that_make_no_sense(draw, said):
    with pytest.raises(InputError, match=said):
        read_draws([draw])


def test_unknown_keys_name_the_nearest():
    with pytest.raises(UnknownKeyError, match="atoms"):
        read_draws([{"count": 3, "atom": [2]}])
    with pytest.raises(UnknownKeyError, match="unsure"):
        proposing_of({"unsur": 1})
