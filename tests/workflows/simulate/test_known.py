"""Graphs and machines small enough to say by hand what must come out."""

from __future__ import annotations

import pytest
from machines_for_tests import chain, fan, machine, run

from zonemelt.workflows.engine.dispatch import Limits
from zonemelt.workflows.engine.resources import Resources
from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.simulate import GraphBuilder, Machine, PoolModel
from zonemelt.workflows.simulate.amounts import Amount
from zonemelt.workflows.simulate.machine import Failures, Overheads


def test_two_workers_ten_jobs():
    found = run(fan(10), machine(workers=2), 1.0)
    assert found.makespan == pytest.approx(5.0)
    assert found.states == {"done": 10}
    assert found.pools["cpu"].utilisation == pytest.approx(1.0)
    assert found.node_hours == pytest.approx(5 / 3600)


def test_the_queue_and_the_start_of_workers_come_before():
    found = run(fan(10), machine(workers=2, wait=Amount((100.0,)), start=Amount((7.0,))), 1.0)
    assert found.makespan == pytest.approx(112.0)
    assert found.node_hours == pytest.approx(12 / 3600)  # waiting is not allocated


def test_a_chain_waits_for_every_step():
    assert run(chain(10), machine(workers=4), 1.0).makespan == pytest.approx(10.0)


def test_every_step_of_a_chain_takes_the_way_there_and_back():
    overheads = Overheads(head_job=0.01, send=0.1, give_back=0.2, worker_job=0.0)
    found = run(chain(10), machine(overheads=overheads), 1.0)
    assert found.makespan == pytest.approx(10 * (1.0 + 0.1 + 0.2 + 0.02), abs=0.05)


def test_short_jobs_of_a_line_travel_together():
    overheads = Overheads(head_job=0.0, send=0.1, give_back=0.1, worker_job=0.0)
    found = run(chain(100), machine(overheads=overheads), 0.001)
    assert found.states == {"done": 100}
    assert found.makespan < 100 * 0.2 / 10


def test_a_walltime_splits_the_work():
    # Of a block of 100 s the last 15 are for draining: jobs of 10 s begin at 0, 10, … 80, which is 9.
    found = run(fan(18), machine(walltime=100.0, drain=15.0, poll=1.0), 10.0)
    assert found.pools["cpu"].blocks == 2
    assert found.states == {"done": 18}
    assert 180 <= found.makespan <= 185
    assert found.retries == {}


def test_a_job_that_begins_too_late_is_cut_and_goes_again():
    # Without a drain the tenth job of each block is lost at its end.
    found = run(fan(12), machine(walltime=95.0, poll=1.0, notice=5.0), 10.0)
    assert found.retries == {"infrastructure": 1}
    assert found.states == {"done": 12}
    assert found.pools["cpu"].attempts == 13


def test_a_job_that_no_block_can_finish_ends():
    found = run(fan(1), machine(walltime=5.0, poll=1.0, notice=1.0), 10.0)
    assert found.states == {"failed": 1}
    assert found.pools["cpu"].attempts == 6
    assert found.pools["cpu"].blocks >= 6


def test_a_job_is_stopped_at_its_own_walltime():
    found = run(fan(1, resources=Resources(walltime=3.0)), machine(), 10.0, retry=RetryPolicy(walltime=2))
    assert found.states == {"failed": 1}
    assert found.retries == {"walltime": 2}
    assert found.makespan == pytest.approx(3 * 3.0 + 1 + 2)  # and the rests between


def test_blocks_are_asked_for_as_work_waits_and_given_back():
    on = machine(min_blocks=0, init_blocks=0, max_blocks=4, idle=10.0)
    builder = GraphBuilder()
    first = [builder.add("m.f") for _ in range(8)]
    last = builder.add("m.g", after=first)
    builder.add("m.h", after=[last])
    found = run(builder.graph(), on, [10.0] * 8 + [500.0, 1.0])
    assert found.pools["cpu"].blocks == 4
    alone = run(builder.graph(), machine(min_blocks=0, init_blocks=0, max_blocks=4, idle=10.0,
                                         give_back_some=True), [10.0] * 8 + [500.0, 1.0])  # fmt: skip
    assert alone.makespan == pytest.approx(found.makespan)
    assert alone.node_hours < 0.5 * found.node_hours  # three blocks do not wait for the long job


def test_a_block_that_comes_too_late_is_given_back():
    waits = Amount((10.0, 1000.0))  # some blocks come at once, some when nearly everything is done
    builder = GraphBuilder()
    first = [builder.add("m.f") for _ in range(40)]
    builder.add("m.g", after=first)
    on = machine(
        workers=10, min_blocks=0, init_blocks=0, max_blocks=4, wait=waits, give_back_some=True, idle=10
    )
    found = run(builder.graph(), on, [100.0] * 40 + [3000.0], seed=2)
    late = found.pools["cpu"].blocks - 1
    assert found.pools["cpu"].blocks == 4
    assert found.node_hours * 3600 <= found.makespan + late * 450


def test_failures_come_with_the_seed():
    failures = Failures(attempts={Cause.INFRASTRUCTURE: 0.2})
    on = machine(workers=4, failures=failures)
    one, same, other = (run(fan(200), on, 1.0, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.retries != other.retries or one.makespan != other.makespan
    assert 20 <= one.retries["infrastructure"] <= 90
    assert one.pools["cpu"].attempts == 200 + one.retries["infrastructure"]


def test_what_needs_a_failed_job_is_skipped():
    builder = GraphBuilder()
    broken = builder.add("m.f")
    builder.mark(broken, fails=True)
    builder.add("m.g", after=[builder.add("m.g", after=[broken])])
    builder.add("m.h", after=[broken], needs_parents=False)
    assert run(builder.graph(), machine(), 1.0).states == {"done": 1, "failed": 1, "skipped": 2}


def test_a_quorum_does_not_wait_for_all():
    builder = GraphBuilder()
    parents = [builder.add("m.f") for _ in range(4)]
    builder.add("m.g", after=parents, resources=Resources(quorum=0.5))
    found = run(builder.graph(), machine(workers=5), [1.0, 1.0, 50.0, 50.0, 60.0])
    assert found.makespan == pytest.approx(61.0)


def test_a_node_that_is_lost_takes_its_block_along():
    on = machine(nodes=10, workers=10, failures=Failures(nodes=1.0), poll=1.0, notice=2.0)
    found = run(fan(100), on, 60.0, seed=3)
    assert found.pools["cpu"].nodes_lost > 0
    assert found.states == {"done": 100}
    assert found.retries["infrastructure"] > 0


def test_a_block_may_go_on_without_the_node():
    losses = Failures(nodes=1.0)
    wanted = {"nodes": 10, "workers": 40, "failures": losses, "poll": 1.0, "notice": 2.0}
    ends = run(fan(400), machine(**wanted), 60.0, seed=3)
    goes_on = run(fan(400), machine(**wanted, outlives_nodes=True), 60.0, seed=3)
    assert goes_on.states == ends.states == {"done": 400}
    assert goes_on.pools["cpu"].nodes_lost > 0
    assert goes_on.pools["cpu"].blocks == 1 < ends.pools["cpu"].blocks
    assert goes_on.retries["infrastructure"] <= 4 * goes_on.pools["cpu"].nodes_lost


def test_jobs_that_span_nodes_take_a_whole_block():
    on = machine(nodes=4, workers=1, whole_block=True, max_blocks=2)
    wanted = Resources(nodes=4, ranks_per_node=8)
    found = run(fan(4, resources=wanted), on, 100.0)
    assert found.makespan == pytest.approx(200.0, abs=2)
    assert found.node_hours == pytest.approx(4 * 400 / 3600, rel=0.02)


def test_jobs_of_several_ranks_wait_for_as_many_workers():
    found = run(fan(3, resources=Resources(ranks_per_node=4)), machine(workers=4), 10.0)
    assert found.makespan == pytest.approx(30.0)


def test_the_urgent_goes_first():
    builder = GraphBuilder()
    for _ in range(9):
        builder.add("m.f")
    builder.add("m.g", after=[builder.add("m.f", resources=Resources(priority=5))])
    found = run(builder.graph(), machine(), [10.0] * 10 + [1.0])
    assert found.makespan == pytest.approx(101.0)


def test_pools_run_side_by_side():
    pool = PoolModel(min_blocks=1, init_blocks=1)
    on = Machine(pools={"cpu": pool, "gpu": pool}, overheads=Overheads(head_job=0.0, send=0.0, give_back=0.0))
    builder = GraphBuilder()
    for number in range(10):
        builder.add("m.f", resources=Resources(pool="gpu" if number % 2 else ""))
    found = run(builder.graph(), on, 10.0)
    assert found.makespan == pytest.approx(50.0, abs=0.1)
    assert {name: pool.attempts for name, pool in found.pools.items()} == {"cpu": 5, "gpu": 5}


def test_a_job_beside_the_head_needs_no_block():
    builder = GraphBuilder()
    seen = builder.add("m.look_up", beside_head=True)
    builder.add("m.f", after=[seen])
    found = run(builder.graph(), machine(min_blocks=0, init_blocks=0), 10.0)
    assert found.makespan == pytest.approx(20.0, abs=1)
    assert found.node_hours * 3600 == pytest.approx(10.0, abs=1)


def test_a_budget_pauses():
    found = run(fan(100), machine(), 60.0, limits=Limits(node_hours=0.5))
    assert found.status == "paused"
    assert 29 <= found.states["done"] <= 33
    assert 0.5 <= found.node_hours <= 0.6


def test_no_more_jobs_in_flight_than_asked():
    found = run(fan(20), machine(workers=10), 1.0, limits=Limits(in_flight=2))
    assert found.makespan == pytest.approx(10.0)
    assert max(moment.running for moment in found.timeline) == 2


def test_jobs_that_wait_for_one_another_are_noticed():
    builder = GraphBuilder()
    one, two = builder.new_signal(), builder.new_signal()
    builder.add("m.f", after=[two], signal=one)
    builder.add("m.f", after=[one], signal=two)
    assert run(builder.graph(), machine(), 1.0).status == "stuck"


def test_jobs_that_come_while_it_runs():
    builder = GraphBuilder()
    first = builder.add("m.grow")
    brought = [builder.add("m.f", origin=first) for _ in range(4)]
    for job in brought:
        builder.hold(first, job)
    builder.add("m.total", after=[first])
    found = run(builder.graph(), machine(workers=2), 10.0)
    assert found.makespan == pytest.approx(10 + 20 + 10)


def test_what_a_job_that_failed_would_have_brought_never_is():
    builder = GraphBuilder()
    first = builder.add("m.grow")
    builder.mark(first, fails=True)
    builder.add("m.f", origin=first)
    assert run(builder.graph(), machine(), 1.0).states == {"failed": 1, "unborn": 1}


def test_an_empty_graph_takes_no_time():
    assert run(GraphBuilder().graph(), machine(), 1.0).makespan == 0.0
