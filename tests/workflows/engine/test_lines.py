"""Short jobs in a line travel together, and nothing else changes by it."""

from __future__ import annotations

from functools import partial

import graphs_for_tests as g
import pytest
from comparing_runs import assert_same, built, ours, reference
from jobflow import Flow

from zonemelt.workflows.engine.dispatch import Durations
from zonemelt.workflows.engine.graph import job_rows
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lines import follower, lengthen
from zonemelt.workflows.engine.pools import InlineWorkers

SHORT = 0.001


def behind(ledger):
    return partial(follower, ledger)


class CountingWorkers(InlineWorkers):
    """Counts the chunks that go out."""

    def __init__(self):
        self.chunks = []

    def submit(self, pool, chunk, arrived):
        self.chunks.append([task.index for task in chunk.tasks])
        super().submit(pool, chunk, arrived)


def chain(length, **middle):
    """Jobs of one kind, whose duration is soon known; one of them does something else."""
    jobs = [last := g.act({"value": 0})]
    for i in range(1, length):
        plan = {"value": i, **(middle if i == length // 2 else {})}
        jobs.append(last := g.act(plan, last.output))
    return Flow(jobs)


def test_a_chain_goes_in_few_chunks(tmp_path, monkeypatch):
    def of(self, kind):  # how long jobs take here depends on what else the machine does
        return SHORT if kind in self.estimates else None

    monkeypatch.setattr(Durations, "of", of)
    flow, workers = chain(120), CountingWorkers()
    run = ours(flow, tmp_path / "c", workers)
    assert run.ran == {(job.uuid, 1) for job in flow.jobs}
    # The first alone, to learn how long they take; a slow worker gives back what it has not begun.
    assert len(workers.chunks) < 20
    assert sum(map(len, workers.chunks)) >= 120


SUB = {"jobs": [{"value": 1}, {"value": 2, "after": [0]}], "shape": "flow"}


@pytest.mark.parametrize(
    "middle",
    [{"fails": True}, {"stop_children": True}, {"replace": SUB}, {"detour": SUB}, {"addition": SUB}],
    ids=lambda middle: next(iter(middle)),
)
def test_whatever_one_of_them_does(tmp_path, middle):
    def build():
        return chain(25, **middle)

    assert_same(ours(built(build), tmp_path / "c", CountingWorkers()), reference(built(build), root=tmp_path))


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def insert(ledger, *jobs):
    with ledger.transaction():
        ledger.insert(job_rows(Flow(list(jobs))))
    return ledger.ready("cpu", 100)


def names(jobs):
    return [job.name for job in jobs]


def line(length):
    jobs = [g.same(0)]
    for _ in range(length - 1):
        jobs.append(g.same(jobs[-1].output))
    for i, job in enumerate(jobs):
        job.name = str(i)
    return jobs


def test_it_is_no_longer_than_the_jobs_are_short(ledger):
    ready = insert(ledger, *line(30))
    assert len(lengthen(ready, behind(ledger), lambda _: 0.01, most=100)) == 10
    assert len(lengthen(ready, behind(ledger), lambda _: SHORT, most=4)) == 5
    assert len(lengthen(ready, behind(ledger), lambda _: 0.2, most=100)) == 1
    assert len(lengthen(ready, behind(ledger), lambda _: None, most=100)) == 1


def test_each_comes_after_the_one_it_follows(ledger):
    first = line(3)
    found = lengthen(insert(ledger, *first), behind(ledger), lambda _: SHORT, most=100)
    assert [job.uuid for job in found] == [job.uuid for job in first]
    assert [job.after for job in found] == ["", first[0].uuid, first[1].uuid]


def test_a_fork_ends_a_line(ledger):
    a, b = line(2)
    fork = [g.same(b.output), g.same(b.output)]
    assert names(lengthen(insert(ledger, a, b, *fork), behind(ledger), lambda _: SHORT, most=100)) == [
        "0",
        "1",
    ]


def test_a_job_that_waits_for_another_too_stays(ledger):
    a, b = g.same(1), g.same(2)
    both = g.total([a.output, b.output])
    insert(ledger, a, b, both)
    assert len(lengthen(ledger.ready("cpu", 1), behind(ledger), lambda _: SHORT, most=100)) == 1


@pytest.mark.parametrize("config", [{"pool": "gpu"}, {"ranks_per_node": 2}], ids=["pool", "ranks"])
def test_a_job_for_somewhere_else_stays(tmp_path, config):
    ledger = Ledger(tmp_path, pools={"cpu": None, "gpu": None})
    a, b = line(2)
    b.update_config({"manager_config": config})
    assert names(lengthen(insert(ledger, a, b), behind(ledger), lambda _: SHORT, most=100)) == ["0"]
