"""Selecting a batch: any order of the pool gives the same, what cannot be trusted is refused and counted."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.acquire.select import STRATEGIES, Pool, Selecting, select
from zonemelt.tasks.errors import InputError


def pool(seed=0, size=9):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(size, 3))
    return Pool(
        names=tuple(f"c{row}" for row in range(size)),
        scores={
            "worth": generator.normal(size=size),
            "other": generator.normal(size=size),
            "truth": generator.normal(size=size),
        },
        features_NF=features,
        known_MF=generator.normal(size=(2, 3)),
        covariance_NN=features @ features.T + 0.1 * np.eye(size),
        noise=0.1,
        blocks=list(generator.normal(size=(size, 2, 3))),
        known_KK=0.1 * np.eye(3),
    )


def asked(strategy, **more):
    aims = {"worth": -3.0, "other": -3.0} if strategy == "pareto" else {}
    return Selecting(strategy=strategy, aims=aims, **more)


@settings(max_examples=40)
@given(
    strategy=st.sampled_from(sorted(STRATEGIES)),
    seed=st.integers(0, 1000),
    count=st.integers(0, 12),
    order=st.permutations(range(9)),
    shortlist=st.sampled_from([None, 1.5]),
)
def test_batch_has_no_duplicates_and_does_not_depend_on_the_order(strategy, seed, count, order, shortlist):
    known = pool(seed)
    found = select(known, asked(strategy, shortlist=shortlist), count=count, seed=seed)
    assert len(set(found.chosen)) == len(found.chosen) == min(count, 9)
    again = select(known.take(order), asked(strategy, shortlist=shortlist), count=count, seed=seed)
    assert again.chosen == found.chosen
    assert again.scores == found.scores


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), count=st.integers(1, 4))
def test_top_is_the_best_of_all_batches(seed, count):
    known = pool(seed)
    worth = dict(zip(known.names, known.scores["worth"], strict=True))
    found = select(known, asked("top", score="worth"), count=count, seed=0).chosen
    best = max(combinations(known.names, count), key=lambda names: sum(worth[name] for name in names))
    assert set(found) == set(best)
    assert select(known, asked("oracle_best"), count=1, seed=0).chosen == (
        known.names[int(np.argmax(known.scores["truth"]))],
    )


def test_windows_refuse_what_is_certain_and_what_is_not_physical():
    known = Pool(
        names=("certain", "good", "wild", "lost", "better"),
        scores={
            "force_spread": np.array([0.01, 0.2, 9.0, np.nan, 0.3]),
            "force": np.array([1.0, 2, 80, 1, 3]),
        },
    )
    settings = Selecting(windows={"force": (None, 50.0), "force_spread": (0.05, 1.0)})
    found = select(known, settings, count=10, seed=0)
    assert found.chosen == ("better", "good")
    assert found.summary == {
        "strategy": "top", "asked": 10, "chosen": 2, "candidates": 5, "trusted": 2,
        "refused": {
            "force above 50": 1, "force_spread below 0.05": 1, "force_spread is not a number": 1,
        },
    }  # fmt: skip
    assert found.scores["lost"]["force_spread"] is None


def test_pool_that_is_smaller_or_exhausted_says_so():
    assert select(pool(size=2), asked("top"), count=5, seed=0).summary["chosen"] == 2
    for strategy in STRATEGIES:
        empty = select(pool().take([]), asked(strategy), count=5, seed=0)
        assert empty.chosen == ()
        assert empty.summary["candidates"] == 0
    nothing = Pool(names=("a", "b"), scores={"worth": np.full(2, np.nan)})
    assert select(nothing, asked("top"), count=1, seed=0).summary["refused"] == {"worth is not a number": 2}


def test_shortlist_keeps_diversity_among_the_best():
    known = pool(size=9)
    best = {known.names[row] for row in np.argsort(-known.scores["worth"])[:4]}
    for strategy in ("farthest", "conditional_variance", "d_optimal", "v_optimal"):
        found = select(known, asked(strategy, score="worth", shortlist=2.0), count=2, seed=0)
        assert set(found.chosen) <= best


@pytest.mark.parametrize(
    ("strategy", "more", "words"),
    [
        ("topp", {}, "did you mean 'top'"),
        ("top", {"score": "wort"}, "did you mean 'worth'"),
        ("top", {"windows": {"forc": [None, 1.0]}}, "unknown key 'forc'"),
        ("pareto", {"aims": {"worth": 0.0}}, "1 aims"),
    ],
)
def test_bad_settings_are_told(strategy, more, words):
    with pytest.raises(InputError, match=words):
        select(pool(), Selecting(strategy=strategy, **more), count=2, seed=0)


def test_what_a_pool_lacks_is_told():
    bare = Pool(names=("a", "b"))
    for strategy, words in (
        ("top", "no score"),
        ("farthest", "needs features"),
        ("conditional_variance", "needs a covariance"),
        ("d_optimal", "needs rows of a linear model"),
        ("v_optimal", "needs rows of a linear model"),
    ):
        with pytest.raises(InputError, match=words):
            select(bare, asked(strategy), count=1, seed=0)
    with pytest.raises(InputError, match="'a' is there twice"):
        select(Pool(names=("a", "a")), asked("random"), count=1, seed=0)
    with pytest.raises(InputError, match="a batch of -1"):
        select(pool(), asked("random"), count=-1, seed=0)


def test_own_strategy_is_checked(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "twice", lambda _pool, _settings, _count, _generator: [0, 0])
    with pytest.raises(InputError, match="picked a candidate twice"):
        select(pool(), asked("twice"), count=2, seed=0)
