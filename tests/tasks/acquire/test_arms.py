"""The arms of a comparison choose from one pool, each by its own strategy."""

from __future__ import annotations

import numpy as np
import pytest

from zonemelt.tasks.acquire.arms import choose, initial_job, select_job
from zonemelt.tasks.errors import InputError

POOL = [f"c{i}" for i in range(10)]


def test_random_choice_is_reproducible_and_excludes_the_chosen():
    arm = {"strategy": "random", "seed": 1, "chosen": POOL[:7]}
    assert choose(arm, {}, POOL, count=5) == POOL[7:]
    arm = {"strategy": "random", "seed": 1, "chosen": POOL[:2]}
    drawn = np.random.default_rng(1002).permutation(8)[:3]
    assert choose(arm, {}, POOL, count=3) == [POOL[2:][place] for place in sorted(drawn)]


def test_unknown_strategy_is_named():
    with pytest.raises(InputError, match="'greedy'"):
        choose({"strategy": "greedy", "seed": 0, "chosen": []}, {}, ["a"], count=1)


def test_arms_of_one_seed_begin_alike_and_share_what_is_wanted():
    plan = {"pool": POOL, "heldout": ["h"]}
    first = initial_job.original(plan=plan, strategies=["uncertainty", "random"], repeats=2, count=3, seed=0)
    one, other, *_ = first["arms"]
    assert one["chosen"] == other["chosen"]
    assert set(first["wanted"]) == {"h"} | {name for arm in first["arms"] for name in arm["chosen"]}
    arms = [{**arm, "first_predictions": None} for arm in first["arms"] if arm["strategy"] == "random"]
    known = {"energies": dict.fromkeys(first["wanted"], 0.0), "rejected": {}}
    grown = select_job.original(arms=arms, features={}, pool=POOL, labels=known, count=2)
    for before, after in zip(arms, grown["arms"], strict=True):
        assert after["chosen"][:3] == before["chosen"]
        assert len(set(after["chosen"])) == 5
    assert not set(grown["wanted"]) & set(first["wanted"])
