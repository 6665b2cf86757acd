"""Whatever happens in whatever order, the counters of a ledger say what its edges say."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledgers_for_tests import Driver, failure, row, success

from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import commit_failure, commit_plain, commit_success
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lines import follower, lengthen, take_back
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.states import (
    JobState,
)

if TYPE_CHECKING:
    from zonemelt.workflows.engine.graph import JobRow

S = JobState


class RandomCampaign(RuleBasedStateMachine):
    """Whatever happens in whatever order, the counters say what the edges say, and the end is reached."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.driver = Driver(Path(self._folder.name))
        self.count = 0
        self.behind: dict[str, int] = {}  # uuid → the job that went along behind it

    def teardown(self) -> None:
        ledger = self.driver.ledger
        self.driver.ask("resume")
        for job in ledger.ids(S.HELD):
            with ledger.transaction():
                control.resume(ledger, job)
        self.driver.check()
        for _ in range(1000):
            with ledger.transaction():
                ledger.mark_running(job.id for job in ledger.ready("cpu", 1000))
            running = self.running()
            if not running:
                break
            for job, uuid, index in running:
                with ledger.transaction():
                    commit_success(ledger, success(job, uuid, index))
            self.driver.check()
        assert ledger.unfinished == 0, self.driver.states()
        ledger.close()
        self._folder.cleanup()

    def running(self) -> list[tuple[int, str, int]]:
        return self.driver.ledger.connection.execute(
            'SELECT id, uuid, "index" FROM jobs WHERE state = ? ORDER BY id', (int(S.RUNNING),)
        ).fetchall()

    def uuids(self) -> list[str]:
        return sorted(self.driver.states())

    def fresh(self, data: st.DataObject, most: int, *, outside: bool) -> list[JobRow]:
        rows: list[JobRow] = []
        for _ in range(data.draw(st.integers(1, most))):
            self.count += 1
            known = [r.uuid for r in rows] + (self.uuids() if outside else [])
            parents = data.draw(st.lists(st.sampled_from(known), max_size=3, unique=True)) if known else []
            quorum = data.draw(st.sampled_from([0, 0, 0, 0.5])) if len(parents) > 1 else 0
            rows.append(
                row(
                    f"j{self.count}",
                    parents,
                    needs=data.draw(st.booleans()),
                    **({"quorum": quorum} if quorum else {}),
                )
            )
        return data.draw(st.permutations(rows))

    @rule(data=st.data())
    def submit(self, data) -> None:
        from zonemelt.workflows.engine.settle import settle

        rows = self.fresh(data, 4, outside=True)
        with self.driver.ledger.transaction():
            self.driver.ledger.insert(rows)
            settle(self.driver.ledger, [r.uuid for r in rows])

    @rule(data=st.data())
    def dispatch(self, data) -> None:
        ledger = self.driver.ledger
        with ledger.transaction():
            ledger.mark_running([job.id for job in ledger.ready("cpu", data.draw(st.integers(1, 3)))])

    @rule()
    def dispatch_a_line(self) -> None:
        ledger = self.driver.ledger
        with ledger.transaction():
            line = lengthen(ledger.ready("cpu", 1), partial(follower, ledger), lambda _: 0.01, most=5)
            ledger.mark_running([job.id for job in line])
        self.behind |= {job.after: job.id for job in line if job.after}

    def leave_behind(self, uuid: str) -> None:
        """What went along behind a job comes back unbegun."""
        ledger = self.driver.ledger
        while (job := self.behind.pop(uuid, None)) is not None:
            take_back(ledger, [job])
            uuid = ledger.connection.execute("SELECT uuid FROM jobs WHERE id = ?", (job,)).fetchone()[0]

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def finish(self, data) -> None:
        ledger = self.driver.ledger
        unbegun = set(self.behind.values())
        job, uuid, index = data.draw(st.sampled_from([r for r in self.running() if r[0] not in unbegun]))
        kind = data.draw(
            st.sampled_from(
                ["plain", "plain", "fail", "retry", "stop", "replace", "flow", "detour", "addition", "all"]
            )
        )
        with ledger.transaction():
            if kind == "plain":
                commit_plain(ledger, [success(job, uuid, index)])
                if data.draw(st.booleans()):
                    self.behind.pop(uuid, None)  # begun
                else:
                    self.leave_behind(uuid)
                return
            if kind in {"fail", "retry"}:
                policy = RetryPolicy(application=1 if kind == "retry" else 0, backoff_s=0)
                commit_failure(ledger, failure(job, self.driver.attempts(job)), policy)
                self.leave_behind(uuid)
                return
            rows: dict[str, list[JobRow]] = {}
            if kind in {"replace", "all"}:
                inner = self.fresh(data, 2, outside=False)
                rows["replace"] = [*inner, row(uuid, [r.uuid for r in inner], index=index + 1, needs=False)]
            if kind == "flow":
                rows["replace"] = self.fresh(data, 3, outside=False)
            if kind in {"detour", "all"}:
                rows["detour"] = self.fresh(data, 3, outside=False)
            if kind in {"addition", "all"}:
                rows["addition"] = self.fresh(data, 2, outside=False)
            response = {"stop_children": True} if kind == "stop" or data.draw(st.integers(0, 9)) == 0 else {}
            commit_success(ledger, success(job, uuid, index, rows=rows, **response))
            self.leave_behind(uuid)

    @precondition(lambda self: self.count)
    @rule(data=st.data(), verb=st.sampled_from(["pause", "resume", "cancel", "retry", "retry"]))
    def ask_for_a_job(self, data, verb) -> None:
        self.driver.ask(verb, data.draw(st.sampled_from(self.uuids())))

    @rule(verb=st.sampled_from(["pause", "resume", "retry"]))
    def ask_for_all(self, verb) -> None:
        self.driver.ask(verb)

    @rule()
    def crash(self) -> None:
        ledger = self.driver.ledger
        directory = ledger.directory
        ledger.close()
        self.driver.ledger = Ledger(directory)
        with self.driver.ledger.transaction():
            self.driver.ledger.reset_running()
        self.behind = {}

    @invariant()
    def counters_are_right(self) -> None:
        self.driver.check()


TestRandomCampaign = RandomCampaign.TestCase
TestRandomCampaign.settings = settings(max_examples=60, stateful_step_count=25)


@pytest.mark.slow
def test_random_campaigns_at_length() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        RandomCampaign, settings=settings(max_examples=400, stateful_step_count=40, derandomize=False)
    )
