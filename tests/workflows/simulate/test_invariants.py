"""What must hold for every graph and machine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines_for_tests import fan, machine, run

from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.simulate import GraphBuilder
from zonemelt.workflows.simulate.amounts import Amount
from zonemelt.workflows.simulate.machine import Failures

SECONDS = st.floats(0.06, 1000.0)  # longer than what the engine would let travel together
DURATIONS = st.lists(SECONDS, min_size=1, max_size=60)


@st.composite
def graphs(draw):
    """A graph of up to 40 jobs, what they take, and the parents of each."""
    builder = GraphBuilder()
    parents = []
    for job in range(draw(st.integers(1, 40))):
        above = draw(st.sets(st.integers(0, job - 1), max_size=3)) if job else set()
        builder.add(f"m.{draw(st.sampled_from('fgh'))}", after=sorted(above))
        parents.append(above)
    seconds = draw(st.lists(st.floats(0.001, 100.0), min_size=len(parents), max_size=len(parents)))
    return builder.graph(), seconds, parents


def longest_path(seconds, parents):
    ends = []
    for own, above in zip(seconds, parents, strict=True):
        ends.append(own + max((ends[parent] for parent in above), default=0.0))
    return max(ends)


@settings(max_examples=150)
@given(graphs(), st.integers(1, 4), st.integers(1, 3))
def test_no_faster_than_the_longest_path_nor_than_the_work(graph, workers, blocks):
    jobs, seconds, parents = graph
    found = run(jobs, machine(workers=workers, max_blocks=blocks), seconds)
    assert found.states == {"done": len(jobs)}
    assert found.makespan >= longest_path(seconds, parents) * (1 - 1e-9)
    assert found.makespan >= sum(seconds) / (workers * blocks) * (1 - 1e-9)
    pool = found.pools["cpu"]
    assert pool.job_hours * 3600 == pytest.approx(sum(seconds))
    assert pool.node_hours * 3600 * workers >= sum(seconds) * (1 - 1e-9)  # one node a block
    assert pool.utilisation <= 1 + 1e-9


@settings(max_examples=100)
@given(DURATIONS, st.integers(1, 10), st.integers(1, 10))
def test_more_nodes_never_lengthen_a_fan(seconds, fewer, more):
    few = run(fan(len(seconds)), machine(workers=fewer), seconds)
    many = run(fan(len(seconds)), machine(workers=fewer + more), seconds)
    assert many.makespan <= few.makespan * (1 + 1e-9)


@settings(max_examples=100)
@given(
    graphs(),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.2),
    st.integers(0, 100),
    st.tuples(st.sampled_from([float("inf"), 250.0, 150.0]), st.sampled_from([1, 4])),
)
def test_every_job_ends_once_whatever_fails(graph, losses, errors, seed, blocks):
    jobs, seconds, _ = graph
    walltime, nodes = blocks
    failures = Failures(attempts={Cause.INFRASTRUCTURE: losses, Cause.APPLICATION: errors}, nodes=2.0)
    on = machine(
        nodes=nodes, workers=2 * nodes, outlives_nodes=True, max_blocks=2, min_blocks=0, init_blocks=0,
        walltime=walltime, drain=20.0, wait=Amount((30.0,), 2.0), give_back_some=True, idle=10.0,
        failures=failures,
    )  # fmt: skip
    found = run(jobs, on, seconds, seed=seed)
    assert found.status == "finished"
    assert sum(found.states.values()) == len(jobs)
    assert set(found.states) <= {"done", "failed", "skipped"}
    tried = found.states.get("done", 0) + found.states.get("failed", 0)
    assert found.pools["cpu"].attempts == tried + sum(found.retries.values())
    pool = found.pools["cpu"]
    assert pool.job_hours * 3600 <= pool.node_hours * 3600 * 2 * (1 + 1e-9)
    assert found.timeline[-1].ended == len(jobs)
    assert found == run(jobs, on, seconds, seed=seed)


def test_the_cost_of_a_job_is_flat():
    """Events, not seconds: a machine that is busy otherwise changes nothing."""
    failures = Failures(attempts={Cause.INFRASTRUCTURE: 0.01})
    events = {}
    for jobs in (1_000, 10_000):
        on = machine(nodes=10, workers=10, max_blocks=10, walltime=6000.0, drain=600.0, failures=failures)
        found = run(fan(jobs), on, [100.0 + number % 97 for number in range(jobs)])
        events[jobs] = found.events
        assert len(found.timeline) <= 800
    assert events[10_000] <= 11 * events[1_000]
    assert events[10_000] <= 5 * 10_000


def test_the_cost_of_an_edge_is_flat():
    events = {}
    for width in (100, 1_000):
        builder = GraphBuilder()
        first = [builder.add("m.f") for _ in range(width)]
        middle = builder.add("m.g", after=first)
        for _ in range(width):
            builder.add("m.h", after=[middle])
        events[width] = run(builder.graph(), machine(workers=10), 1.0).events
    assert events[1_000] <= 11 * events[100]
