"""Batches: what greedy choices promise, against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from zonemelt.tasks.acquire.batches import conditional_variance, d_optimal, farthest_points, gain, v_optimal
from zonemelt.tasks.acquire.likeness import kernel_of_spread, taken


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_conditional_variance_conditions_on_every_pick(seed, count):
    root = drawn(seed, 12, 5)
    covariance = root @ root.T
    picked = conditional_variance(covariance, noise=0.1, count=count)
    assert len(set(picked)) == count
    assert picked[0] == covariance.diagonal().argmax()
    left = covariance
    for place in picked:  # the same, by the formula for one label after the other
        open_rows = np.setdiff1d(np.arange(12), picked[: picked.index(place)])
        assert left[place, place] == pytest.approx(left.diagonal()[open_rows].max(), abs=1e-9)
        left = left - np.outer(left[place], left[place]) / (left[place, place] + 0.01)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_a_kernel_that_is_made_row_by_row_chooses_as_the_whole_matrix_does(seed, count):
    features, spread = drawn(seed, 12, 3), np.abs(drawn(seed + 1, 12))
    kernel = kernel_of_spread(spread, features)
    length = np.median(cdist(features, features)[np.triu_indices(12, 1)])
    alike = np.exp(-0.5 * (cdist(features, features) / length) ** 2)
    whole = spread[:, None] * alike * spread
    assert np.array([kernel[row] for row in range(12)]) == pytest.approx(whole)
    assert kernel.diagonal() == pytest.approx(whole.diagonal())
    some = np.array([7, 0, 3])
    assert taken(kernel, some)[1] == pytest.approx(whole[0, some])
    assert conditional_variance(kernel, noise=0.1, count=count) == conditional_variance(
        whole, noise=0.1, count=count
    )


def test_ten_thousands_of_candidates_need_no_matrix_of_all_pairs():
    """A matrix would take 7 GB."""
    kernel = kernel_of_spread(np.abs(drawn(1, 30_000)), drawn(0, 30_000, 4))
    assert len(set(conditional_variance(kernel, noise=0.1, count=5))) == 5


def test_conditional_variance_avoids_duplicates_of_its_own():
    covariance = np.array([[1.0, 0.999, 0.0], [0.999, 0.998, 0.0], [0.0, 0.0, 0.5]])
    assert conditional_variance(covariance, noise=1e-3, count=2) == [0, 2]
    assert sorted(conditional_variance(np.zeros((3, 3)), noise=0.0, count=3)) == [0, 1, 2]


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_farthest_points_cover_at_most_twice_as_badly_as_the_best(seed, count):
    features = drawn(seed, 9, 2)
    picked = farthest_points(features, count=count)
    assert len(set(picked)) == count

    def radius(rows):
        return cdist(features, features[list(rows)]).min(axis=1).max()

    best = min(radius(rows) for rows in combinations(range(9), count))
    assert radius(picked) <= 2 * best + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_farthest_points_keep_away_from_what_is_known(seed):
    features, known = drawn(seed, 10, 3), drawn(seed + 1, 4, 3)
    first = farthest_points(features, count=1, known_MF=known)[0]
    assert first == cdist(features, known).min(axis=1).argmax()


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))
def test_d_optimal_is_the_greedy_choice_and_its_determinant_grows(seed, count, rows):
    blocks = list(drawn(seed, 8, rows, 3))
    known = 0.1 * np.eye(3)
    picked = d_optimal(blocks, known, count=count)
    assert len(set(picked)) == count
    information = known.copy()
    for place, one in enumerate(picked):
        left = [other for other in range(8) if other not in picked[:place]]
        gains = {other: gain(blocks[other], information) for other in left}
        assert gains[one] == pytest.approx(max(gains.values()), abs=1e-9)
        before = np.linalg.slogdet(information)[1]
        information = information + blocks[one].T @ blocks[one]
        assert np.linalg.slogdet(information)[1] - before == pytest.approx(gains[one], abs=1e-9)
        assert gains[one] > 0


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_d_optimal_reaches_the_promised_share_of_the_best_batch(seed):
    blocks, known = list(drawn(seed, 7, 1, 3)), np.eye(3)

    def worth(rows):
        return gain(np.vstack([blocks[row] for row in rows]), known)

    best = max(worth(rows) for rows in combinations(range(7), 3))
    assert worth(d_optimal(blocks, known, count=3)) >= (1 - 1 / np.e) * best


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))
def test_v_optimal_is_the_greedy_choice_and_the_mean_variance_falls(seed, count, rows):
    blocks, aims = list(drawn(seed, 8, rows, 3)), drawn(seed + 1, 5, 3)
    information, target = 0.1 * np.eye(3), aims.T @ aims

    def variance(more):
        return np.trace(np.linalg.solve(information + more.T @ more, target))

    picked = v_optimal(blocks, information, target, count=count)
    assert len(set(picked)) == count
    before = variance(np.zeros((1, 3)))
    for place, one in enumerate(picked):
        left = [other for other in range(8) if other not in picked[:place]]
        assert variance(blocks[one]) == pytest.approx(min(variance(blocks[other]) for other in left))
        assert variance(blocks[one]) < before
        before = variance(blocks[one])
        information = information + blocks[one].T @ blocks[one]


def test_v_optimal_looks_where_it_will_be_asked():
    """A determinant counts both directions alike; what is to be predicted lies along one of them."""
    along, across = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    known, target = np.eye(2), np.diag([1.0, 1e-4])
    assert d_optimal([along, across], known, count=1) == [1]
    assert v_optimal([along, across], known, target, count=1) == [0]


def test_d_optimal_does_not_pick_a_copy():
    one, other = np.array([[3.0, 0.0]]), np.array([[0.0, 1.0]])
    assert d_optimal([one, one, other], 1e-2 * np.eye(2), count=2) == [0, 2]
