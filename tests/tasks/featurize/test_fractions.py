"""Fractions of elements, and blocks of columns."""

from __future__ import annotations

import numpy as np
import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.formulas import parse
from zonemelt.tasks.featurize.fractions import composition_blocks, fraction_labels, fractions


def test_fractions_are_counted_and_sum_to_one():
    found = fractions(parse(["Fe2O3", "Og", "Ca(OH)2"]).compositions)
    column = {label: place for place, label in enumerate(fraction_labels())}
    assert found.shape == (3, 118)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert found[0, column["fraction Fe"]] == pytest.approx(0.4)
    assert found[1, column["fraction Og"]] == 1.0
    assert found[2, column["fraction H"]] == found[2, column["fraction O"]] == pytest.approx(0.4)


def test_blocks_say_where_their_columns_are():
    found = composition_blocks(["NaCl", "He", "Fe0.5Ni0.5"])
    assert found["labels"][:5] == tuple(f"fraction {s}" for s in ("He", "Na", "Cl", "Fe", "Ni"))
    assert list(found["blocks"]) == ["fractions", "magpie", "ward"]
    assert found["blocks"]["fractions"] == (0, 5)
    assert found["blocks"]["magpie"] == (5, 137)
    assert found["blocks"]["ward"][1] == len(found["labels"]) == found["values"].shape[1]
    assert np.isfinite(found["values"]).all()
    alone = composition_blocks(["NaCl", "He", "Fe0.5Ni0.5"], blocks=["magpie"])
    assert alone["values"].tolist() == found["values"][:, 5:137].tolist()


def test_bad_formulas_and_blocks_are_refused():
    with pytest.raises(InputError, match="row 1"):
        composition_blocks(["NaCl", "Xx"])
    with pytest.raises(InputError, match="choose from fractions, magpie, ward"):
        composition_blocks(["NaCl"], blocks=["soap"])
