"""Every graph once an epoch, no rank idle, and a run goes on exactly where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.shards.sampler import Plan, share_out


def long_tailed(count, seed=0):
    """Sizes as in the Materials Project: 14 in the middle, hundreds at most."""
    return np.clip(np.exp(np.random.default_rng(seed).normal(2.65, 1.0, count)), 1, 444).astype(np.int64)


@st.composite
def plans(draw):
    ranks = draw(st.integers(1, 7))
    batch = draw(st.integers(ranks, 6 * ranks))
    steps = draw(st.integers(1, 6))
    graphs = draw(st.integers(max(ranks, (steps - 1) * batch + 1), steps * batch))
    if graphs // -(-graphs // batch) < ranks:
        graphs = steps * batch
    costs = draw(st.lists(st.integers(1, 400), min_size=graphs, max_size=graphs))
    return Plan(
        costs_G=np.array(costs), batch=batch, ranks=ranks, seed=draw(st.integers(0, 2**40)),
        gather_large=draw(st.booleans()),
    )  # fmt: skip


@settings(max_examples=60)
@given(plans(), st.integers(0, 5))
def test_every_graph_once_and_no_rank_without(plan, number):
    epoch = plan.epoch(number)
    shared = [epoch.share(step) for step in range(plan.steps)]
    everything = np.concatenate([mine for step in shared for mine in step])
    assert sorted(everything.tolist()) == list(range(len(plan.costs_G)))
    sizes = [len(graphs) for graphs in epoch.steps]
    assert max(sizes) <= plan.batch
    assert max(sizes) - min(sizes) <= 1
    assert min(len(mine) for step in shared for mine in step) >= 1


@settings(max_examples=60)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=80), st.integers(1, 9))
def test_the_busiest_rank_has_little_more_than_the_best_possible(costs, ranks):
    """At most half more than what none is below: the mean, the largest graph, the least two on one rank."""
    costs = np.array(costs)
    loads = [costs[mine].sum() for mine in share_out(costs, ranks)]
    assert sum(loads) == costs.sum()
    pigeons = np.sort(costs)[::-1][ranks - 1 : ranks + 1].sum() if len(costs) > ranks else 0
    assert max(loads) <= 1.5 * max(costs.max(), pigeons, costs.sum() / ranks)


@settings(max_examples=40)
@given(plans(), st.integers(0, 3), st.data())
def test_a_step_follows_from_the_settings_alone(plan, epoch, data):
    """A run that goes on asks for its next step, and has the batches that it would have had."""
    step = data.draw(st.integers(0, plan.steps - 1))
    whole = [[mine.tolist() for mine in plan.epoch(epoch).share(place)] for place in range(plan.steps)]
    again = replace(plan, costs_G=plan.costs_G.copy())
    assert [mine.tolist() for mine in again.epoch(epoch).share(step)] == whole[step]


@settings(max_examples=40)
@given(plans(), st.data())
def test_other_ranks_share_the_same_steps(plan, data):
    ranks = data.draw(st.integers(1, len(plan.costs_G) // plan.steps))
    epoch = plan.epoch(0)
    for step, expected in enumerate(epoch.steps):
        shared = epoch.share(step, ranks=ranks)
        assert len(shared) == ranks
        assert sorted(np.concatenate(shared).tolist()) == sorted(expected.tolist())


def test_the_seed_and_the_epoch_decide():
    costs = long_tailed(500)
    steps = {
        (seed, epoch): tuple(map(tuple, Plan(costs_G=costs, batch=64, ranks=4, seed=seed).epoch(epoch).steps))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(set(steps.values())) == 4
    assert steps[0, 1] == tuple(
        map(tuple, Plan(costs_G=costs.copy(), batch=64, ranks=4, seed=0).epoch(1).steps)
    )


def test_ranks_are_busy_on_a_long_tailed_set():
    costs = long_tailed(25_000)
    plan = Plan(costs_G=costs, batch=256 * 16, ranks=256, seed=1)
    random = []
    for graphs in plan.epoch(0).steps:
        loads = [costs[mine].sum() for mine in np.array_split(graphs, 256)]
        random.append(np.mean(loads) / np.max(loads))
    assert plan.epoch(0).efficiency() >= 0.97
    assert np.mean(random) < 0.65


def test_large_graphs_meet_in_few_steps():
    costs = np.array([1] * 96 + [100] * 4)
    plan = Plan(costs_G=costs, batch=10, ranks=4, seed=0)
    with_large = sum(costs[graphs].max() == 100 for graphs in plan.epoch(0).steps)
    assert with_large == 1
    spread = Plan(costs_G=costs, batch=10, ranks=4, seed=0, gather_large=False)
    assert sum(costs[graphs].max() == 100 for graphs in spread.epoch(0).steps) > 1
    places = {int(np.argmax([costs[g].max() for g in plan.epoch(e).steps])) for e in range(9)}
    assert len(places) > 1


@pytest.mark.parametrize(
    ("costs", "batch", "ranks", "said"),
    [
        ([1, 2], 4, 3, "2 graphs in steps of 4 do not give each of 3 ranks"),
        ([1] * 9, 2, 4, "9 graphs in steps of 2 do not give each of 4 ranks"),
        ([1] * 9, 8, 5, "9 graphs in steps of 8 do not give each of 5 ranks"),
        ([1, 0, 3], 3, 1, "costs must be positive numbers"),
        ([1, np.nan], 2, 1, "costs must be positive numbers"),
        ([], 2, 1, "0 graphs in steps of 2 do not give each of 1 ranks"),
    ],
)
def test_what_cannot_be_planned(costs, batch, ranks, said):
    with pytest.raises(InputError, match=said):
        Plan(costs_G=np.array(costs, float), batch=batch, ranks=ranks, seed=0)


def test_more_ranks_than_graphs_are_refused():
    epoch = Plan(costs_G=long_tailed(100), batch=10, ranks=2, seed=0).epoch(0)
    for ranks in (0, 11):
        with pytest.raises(InputError, match="share 10 graphs"):
            epoch.share(0, ranks=ranks)
