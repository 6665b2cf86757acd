"""Formulas as people and tables write them, and what is said of those that cannot be read."""

from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_numbers, chemical_symbols
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.compositions import Compositions
from zonemelt.tasks.featurize.formulas import parse


def amounts(formula: str) -> dict[str, float]:
    found = parse([formula]).compositions
    return {chemical_symbols[z]: a for z, a in zip(found.numbers_E, found.amounts_E, strict=True)}


@pytest.mark.parametrize(
    "formula",
    [
        "Fe2O3",
        "Al(NiB)2",
        "Ca(OH)2",
        "Li0.95CoO2",
        "K4[Fe(CN)6]",
        "Fe2 O3",
        "CH3COOH",
        "Fe.5O",
        "Fe0O1",
        "Fe0.620C0.0000616",
        "{(NaCl)2(KBr)0.5}3",
        "C1e-3Fe",
        "NaN",
        "  Ca(OH)2 ",
    ],
)
def test_agrees_with_pymatgen(formula):
    assert amounts(formula) == pytest.approx(Composition(formula.strip()).get_el_amt_dict())


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4*5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("Fe₂O₃", {"Fe": 2, "O": 3}),
        ("Na+", {"Na": 1}),
        ("Fe+++", {"Fe": 1}),
        ("Fe[3+]", {"Fe": 1}),
        ("Fe(3+)", {"Fe": 1}),
        ("SO4^2-", {"S": 1, "O": 4}),
        ("SO4[2-]", {"S": 1, "O": 4}),
        ("SO₄²⁻", {"S": 1, "O": 4}),
        ("(NH4)+", {"N": 1, "H": 4}),
    ],
)
def test_hydrates_subscripts_and_charges(formula, expected):
    assert amounts(formula) == expected


@pytest.mark.parametrize(
    ("formula", "reason", "remedy"),
    [
        ("", "empty", "LiFePO4"),
        ("   ", "empty", "LiFePO4"),
        (None, "NoneType is no formula", "LiFePO4"),
        (float("nan"), "float is no formula", "LiFePO4"),
        ("Xx2O", "'Xx' is no element", "Na, not NA"),
        ("NACL", "'A' is no element", "Na, not NA"),
        ("nacl", "'n' at place 1", "LiFePO4"),
        ("D2O", "isotope", "write H"),
        ("Fe3+", "an amount or a charge", r"Fe\[3\+\]"),
        ("SO42-", "an amount or a charge", r"SO4\^2-"),
        ("Ca(OH2", "never closed", "LiFePO4"),
        ("Ca(OH]2", "closes nothing", "LiFePO4"),
        ("CaOH)2", "closes nothing", "LiFePO4"),
        ("2Fe", "'2' at place 1", "LiFePO4"),
        ("Fe1.2.3", "'.' at place 6", "LiFePO4"),
        ("Fe0", "no atoms", "above zero"),
        ("()", "no atoms", "above zero"),
        ("Fe-1O", "'-' at place 3", "LiFePO4"),
        ("Fe1e999", "more than", "LiFePO4"),
        ("CuSO4·", "a part of it is empty", "LiFePO4"),
        ("Fe\x00", "at place 3", "LiFePO4"),
        ("Fe٣", "at place 3", "LiFePO4"),
    ],
)
def test_bad_formulas_are_named_with_row_value_and_remedy(formula, reason, remedy):
    with pytest.raises(InputError, match=f"(?s)row 1: .*{reason}.*{remedy}") as caught:
        parse(["Fe2O3", formula])
    assert repr(formula) in str(caught.value)


def test_quarantine_keeps_the_good_and_lists_the_bad():
    parsed = parse(["Fe2O3", "Xx", "NaCl", None], errors="quarantine")
    assert parsed.rows_N.tolist() == [0, 2]
    assert parsed.compositions.lengths_N.tolist() == [2, 2]
    assert [(refused.row, refused.value) for refused in parsed.refused] == [(1, "'Xx'"), (3, "None")]
    assert all(refused.reason and refused.remedy for refused in parsed.refused)
    with pytest.raises(InputError, match="and 1 more rows"):
        parse(["Fe2O3", "Xx", "NaCl", None])


@settings(max_examples=60)
@given(st.text(max_size=12) | st.text("FeO2.()[]+-^·CaNA 0e", max_size=12))
def test_any_text_is_read_or_refused(text):
    parsed = parse([text], errors="quarantine")
    assert len(parsed.compositions) + len(parsed.refused) == 1
    assert (parsed.compositions.amounts_E > 0).all()


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(chemical_symbols[1:]), st.integers(1, 99), min_size=1, max_size=6))
def test_what_is_written_is_read(given):
    formula = "".join(f"{symbol}{amount if amount > 1 else ''}" for symbol, amount in given.items())
    assert amounts(formula) == given
    assert amounts(f"({formula})3") == {symbol: 3 * amount for symbol, amount in given.items()}


def test_compositions_of_crystals_count_atoms():
    from ase import Atoms

    crystals = Crystals.of_atoms([Atoms("NaClNa"), Atoms("Og"), Atoms("HOH")])
    found = Compositions.of_crystals(crystals)
    assert found.numbers_E.tolist() == [11, 17, 118, 1, 8]
    assert found.amounts_E.tolist() == [2, 1, 1, 2, 1]
    assert found.first_N.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize("bad", [{}, {26: 0.0}, {26: -1.0}, {26: np.nan}, {0: 1.0}, {119: 1.0}])
def test_compositions_refuse_what_is_none(bad):
    with pytest.raises(InputError, match="row 1"):
        Compositions.of([{26: 1.0}, bad])


def test_compositions_leave_out_amounts_of_none():
    assert Compositions.of([{26: 1.0, atomic_numbers["O"]: 0.0}]).numbers_E.tolist() == [26]
