"""Bounds of settings: the first that is broken is told by its field, its value and what it must be."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.atomistic.neb import NebSettings
from zonemelt.tasks.atomistic.phonons import PhononSettings
from zonemelt.tasks.atomistic.relax import RelaxSettings
from zonemelt.tasks.bounds import COUNT, FINITE, NOT_NEGATIVE, POSITIVE, Bound, check_bounds
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.sampling import SampleSettings


@given(st.floats())
def test_a_bound_is_what_it_says(value: float) -> None:
    finite = math.isfinite(value)
    assert FINITE.holds(value) == finite
    assert POSITIVE.holds(value) == (finite and value > 0)
    assert NOT_NEGATIVE.holds(value) == (finite and value >= 0)
    assert COUNT.holds(value) == (finite and value >= 1)
    assert Bound(0, 0.1, included=False).holds(value) == (finite and 0 < value <= 0.1)


def test_none_says_nothing_and_of_several_each_counts() -> None:
    settings = SimpleNamespace(absent=None, several=(1, 2, 0), more=[1.0, math.nan])
    check_bounds(settings, {"absent": POSITIVE}, where="x")
    for field, said in {"several": "0 cannot be used", "more": "nan cannot be used"}.items():
        with pytest.raises(InputError, match=rf"x: {field}: {said}\n.*give a number of 1 or more"):
            check_bounds(settings, {field: COUNT}, where="x")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RelaxSettings(force=-0.1), "relax: force: -0.1 cannot be used.*give a number above 0"),
        (lambda: RelaxSettings(pressure=math.inf), "relax: pressure: inf .*give a number that is finite"),
        (lambda: RelaxSettings(cell=False, pressure=0.1), "pressure 0.1 eV/Å³ of a cell that stays"),
        (lambda: NebSettings(images=0), "neb: images: 0 cannot be used.*of 1 or more"),
        (lambda: PhononSettings(displacement=0.2), "phonons: displacement: 0.2 .*above 0, up to 0.1"),
        (lambda: PhononSettings(temperatures=(0.0, -1.0)), "phonons: temperatures: -1.0 .*of 0 or more"),
        (lambda: PhononSettings(supercell=(2, 0, 2)), "phonons: supercell: 0 cannot be used"),
        (lambda: SampleSettings(together=0), "drawing crystals: together: 0 cannot be used"),
    ],
)
def test_settings_name_the_field_and_its_value(make, said: str) -> None:
    with pytest.raises(InputError, match=f"(?s){said}"):
        make()
