"""Several aims: fronts and volumes against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.acquire.pareto import by_hypervolume, fronts, hypervolume
from zonemelt.tasks.errors import InputError


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 3), st.booleans())
def test_fronts_are_those_of_the_definition(seed, aims, ties):
    values = np.random.default_rng(seed).normal(size=(12, aims))
    values = np.rint(values) if ties else values
    found = fronts(values)

    def beats(one, other):
        return bool((values[one] >= values[other]).all() and (values[one] > values[other]).any())

    for row in range(12):
        above = [found[other] for other in range(12) if beats(other, row)]
        assert found[row] == (max(above) + 1 if above else 0)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_volume_is_what_lots_find(seed, aims):
    generator = np.random.default_rng(seed)
    values = generator.uniform(0, 1, (5, aims))
    points = generator.uniform(0, 1, (20_000, aims))
    inside = (points[:, None] <= values[None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(values, reference_D=np.zeros(aims)) == pytest.approx(inside, abs=0.015)


def test_what_is_worth_nothing_adds_nothing():
    assert hypervolume(np.array([[2.0, -1.0]]), reference_D=np.zeros(2)) == 0.0
    assert hypervolume(np.array([[2.0, 3.0], [1.0, 1.0]]), reference_D=np.zeros(2)) == 6.0
    with pytest.raises(InputError, match="7 aims"):
        hypervolume(np.ones((2, 7)), reference_D=np.zeros(7))


def test_batch_spreads_along_the_front_and_then_goes_by_front():
    aims = np.array([[1.0, 0.1], [0.99, 0.11], [0.1, 1.0], [0.6, 0.6], [0.05, 0.05]])
    picked = by_hypervolume(aims, count=5, reference_D=np.zeros(2))
    assert picked[0] == 3
    assert set(picked[:3]) == {0, 2, 3} or set(picked[:3]) == {1, 2, 3}
    assert picked[-1] == 4
    assert sorted(picked) == list(range(5))
