"""Candidates placed on one hull together, beside that of pymatgen."""

from __future__ import annotations

import random

import pytest
from hulls_for_tests import above_hull_by_pymatgen
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.judge.hull import Phase, References
from zonemelt.tasks.judge.joint_hull import placed_together

ELEMENTS = ("Li", "Fe", "O")
KNOWN = [Phase("Li2O", {"Li": 2, "O": 1}, -2.0), Phase("FeO", {"Fe": 2, "O": 2}, -1.4)]
REFERENCES = References(KNOWN, elements=ELEMENTS)

compositions = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 4), min_size=1, max_size=3)


def by_pymatgen(candidate, others):
    """A whole diagram of all elements for each candidate, without it."""
    return above_hull_by_pymatgen(candidate, [*KNOWN, *others], elements=ELEMENTS)


@settings(max_examples=40)
@given(st.lists(st.tuples(compositions, st.floats(-3, 1), st.integers(0, 3)), min_size=1, max_size=9))
def test_each_is_placed_as_if_a_diagram_of_all_others_were_built_for_it(rows):
    phases = [Phase(f"n{number}", made, energy) for number, (made, energy, _) in enumerate(rows)]
    # crystals can only be the same where their formula is
    same = {one.identifier: f"{one.shares} {row[2]}" for one, row in zip(phases, rows, strict=True)}
    found = {one.identifier: one for one in placed_together(phases, REFERENCES, same=same)}
    assert set(found) == set(same)
    energies = {one.identifier: one.energy for one in [*KNOWN, *phases]} | dict.fromkeys(ELEMENTS, 0.0)
    for one in phases:
        others = [each for each in phases if same[each.identifier] != same[one.identifier]]
        placed = found[one.identifier]
        assert placed.above_hull == pytest.approx(by_pymatgen(one, others), abs=1e-6)
        assert sum(placed.decomposition.values()) == pytest.approx(1)
        assert not {name for name in placed.decomposition if same.get(name) == same[one.identifier]}
        mixed = sum(energies[name] * share for name, share in placed.decomposition.items())
        assert one.energy - mixed == pytest.approx(placed.above_hull, abs=1e-6)


def test_of_two_that_are_found_together_only_one_is_stable():
    good, poor = Phase("good", {"Fe": 2, "O": 3}, -1.9), Phase("poor", {"Fe": 3, "O": 4}, -1.6)
    alone = {one.identifier: one.above_hull for one in REFERENCES.place([good, poor])}
    assert alone["good"] < 0
    assert alone["poor"] < 0
    found = {one.identifier: one for one in placed_together([good, poor], REFERENCES)}
    assert alone["good"] < found["good"].above_hull < 0  # the poor one is what it falls apart into
    assert found["poor"].above_hull > 0.1
    assert "good" in found["poor"].decomposition
    assert found["poor"].formation_energy == pytest.approx(-1.6)  # from the references, whoever competes
    without = placed_together([good, poor], REFERENCES, competing={"poor"})
    assert {one.identifier: one.above_hull < 0 for one in without} == {"good": True, "poor": True}


def test_a_candidate_of_a_smaller_system_competes_in_a_larger_one():
    oxide = Phase("Fe2O3", {"Fe": 2, "O": 3}, -3.0)
    ternary = Phase("LiFeO2", {"Li": 1, "Fe": 1, "O": 2}, -2.2)
    found = {one.identifier: one for one in placed_together([ternary, oxide], REFERENCES)}
    assert set(found["LiFeO2"].decomposition) == {"Li2O", "Fe2O3"}
    assert found["LiFeO2"].above_hull == pytest.approx(by_pymatgen(ternary, [oxide]), abs=1e-9)
    assert found["Fe2O3"].above_hull == pytest.approx(by_pymatgen(oxide, []), abs=1e-9)


def test_one_named_like_a_reference_and_a_lower_element_change_nothing_else():
    pure, twin = Phase("O", {"O": 2}, -0.1), Phase("FeO", {"Fe": 1, "O": 1}, -1.6)
    found = {one.identifier: one for one in placed_together([pure, twin], REFERENCES)}
    assert found["O"].above_hull == pytest.approx(-0.1)
    assert found["FeO"].above_hull == pytest.approx(-0.2)
    assert found["FeO"].decomposition == {"FeO": pytest.approx(1)}  # the known one
    assert found["FeO"].formation_energy == pytest.approx(-1.6)


def test_without_an_element_there_is_no_hull_and_the_others_compete():
    odd, fine = Phase("odd", {"Na": 1, "O": 1}, -9.0), Phase("fine", {"Li": 1, "O": 1}, -2.0)
    found = {one.identifier: one for one in placed_together([odd, fine], REFERENCES)}
    assert found["odd"].undefined == "there is no reference for Na"
    assert found["odd"].above_hull is None
    assert found["fine"].above_hull is not None


def test_the_work_grows_with_the_candidates(monkeypatch):
    """Entries that go into diagrams and linear programmes, at 10 and 100 times as many candidates."""
    from zonemelt.tasks.judge import hull, joint_hull

    work = []
    for module, name in ((hull, "_diagram_of"), (joint_hull, "mixed")):
        original = getattr(module, name)

        def counted(*arguments, original=original):
            work.append(len(arguments[-1]))
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)

    def of(count):
        drawn, work[:] = random.Random(0), []
        phases = []
        for number in range(count):
            made = {one: drawn.randint(1, 3) for one in drawn.sample(ELEMENTS, drawn.randint(1, 3))}
            phases.append(Phase(str(number), made, drawn.gauss(-1, 0.5)))
        assert len(list(placed_together(phases, REFERENCES))) == count
        return sum(work)

    small, large, larger = of(30), of(300), of(3000)
    assert large < 10 * small
    assert larger < 10 * large
