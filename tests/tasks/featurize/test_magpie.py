"""Statistics of elements: the same numbers as matminer's, gaps and all."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize import magpie as ours
from zonemelt.tasks.featurize.compositions import ELEMENTS, Compositions
from zonemelt.tasks.featurize.formulas import parse

pytest.importorskip("matminer", reason="matminer is the reference (extra 'databases')")
FORMULAS = ["Fe", "Al(NiB)2", "LiFePO4", "He0.5Ne0.5", "Cs2Rn", "Og", "CuAg", "Fe0.620C0.000953Mn0.000521"]


@cache
def reference(preset: str, impute: bool):
    from matminer.featurizers.composition import ElementProperty, IonProperty, Stoichiometry, ValenceOrbital

    kinds = {
        "magpie": lambda: ElementProperty.from_preset("magpie", impute_nan=impute),
        "norms": Stoichiometry,
        "orbitals": lambda: ValenceOrbital(impute_nan=impute),
        "ions": lambda: IonProperty(impute_nan=impute, fast=True),
    }
    return kinds[preset]()


def matminers(preset: str, compositions: Compositions, *, impute: bool) -> np.ndarray:
    from pymatgen.core import Composition, Element

    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for begin, end in zip(compositions.first_N[:-1], compositions.first_N[1:], strict=True):
            elements = [Element.from_Z(int(number)) for number in compositions.numbers_E[begin:end]]
            amounts = compositions.amounts_E[begin:end]
            composition = Composition(dict(zip(elements, amounts, strict=True)))
            rows.append(reference(preset, impute).featurize(composition))
    return np.array(rows, float)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


amounts = st.floats(0.001, 100) | st.integers(1, 30).map(float)
compositions = st.lists(
    st.dictionaries(st.integers(1, ELEMENTS), amounts, min_size=1, max_size=9), min_size=1, max_size=6
).map(Compositions.of)


@settings(max_examples=25)
@given(compositions, st.booleans())
def test_any_composition_has_matminers_numbers(given, impute):
    missing = "mean" if impute else "nan"
    same(ours.magpie(given, missing=missing), matminers("magpie", given, impute=impute))
    rest = ours.ward(given, missing=missing)
    norms = len(ours.NORMS)
    same(rest[:, :norms], matminers("norms", given, impute=impute))
    same(rest[:, norms:-2], matminers("orbitals", given, impute=impute))


@pytest.mark.parametrize("missing", ["nan", "mean"])
def test_formulas_have_matminers_numbers(missing):
    given = parse(FORMULAS).compositions
    impute = missing == "mean"
    same(ours.magpie(given, missing=missing), matminers("magpie", given, impute=impute))
    same(ours.ward(given, missing=missing)[:, -2:], matminers("ions", given, impute=impute)[:, 1:])


def test_labels_are_matminers_in_its_order():
    assert list(ours.labels()) == reference("magpie", False).feature_labels()
    assert len(ours.labels()) == 132
    rest = [
        *reference("norms", False).feature_labels(),
        *reference("orbitals", False).feature_labels(),
        *reference("ions", False).feature_labels()[1:],
    ]
    assert list(ours.ward_labels()) == rest


def test_the_table_of_elements_is_matminers():
    from matminer.utils.data import MagpieData
    from pymatgen.core import Element

    names, table = ours.elements()
    known = MagpieData(impute_nan=False).all_elemental_props
    symbols = [Element.from_Z(number).symbol for number in range(1, ELEMENTS + 1)]
    expected = np.array([[known[name][symbol] for name in names] for symbol in symbols])
    np.testing.assert_array_equal(table[1:], expected)
    assert np.isnan(table[0]).all()


def test_equally_frequent_elements_give_the_smallest_mode():
    mode = ours.labels().index("MagpieData mode Number")
    values = ours.magpie(parse(["AuAl", "Au1.00001Al", "Au1.0001Al"]).compositions)
    assert values[:, mode].tolist() == [13, 13, 79]


def test_a_gap_spreads_to_its_own_property_only():
    values = dict(zip(ours.labels(), ours.magpie(parse(["HeH"]).compositions)[0], strict=True))
    assert np.isnan(values["MagpieData mean Electronegativity"])
    assert values["MagpieData mean Number"] == 1.5


def test_nothing_gives_no_rows():
    assert ours.magpie(parse([]).compositions).shape == (0, 132)
    assert ours.ward(parse([]).compositions).shape == (0, 16)


def test_an_unknown_way_to_fill_gaps_is_named():
    with pytest.raises(InputError, match="'zero'"):
        ours.magpie(parse(["Fe"]).compositions, missing="zero")
