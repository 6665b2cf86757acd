"""The ledger: transitions, counters, transactions; against a recount from its edges after every step."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zonemelt.tasks.errors import CampaignError, InputError, LedgerVersionError, UnknownKeyError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import commit_failure, commit_plain, commit_success
from zonemelt.workflows.engine.graph import JobRow
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.lines import follower, lengthen, take_back
from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.schema import WAITS_FOR
from zonemelt.workflows.engine.settle import standing
from zonemelt.workflows.engine.states import (
    FINISHED,
    PENDING,
    UNFINISHED,
    JobState,
    Outcome,
    may_follow,
    next_state,
    outcome,
)

S = JobState


def row(uuid: str, parents: list[str] = (), *, index: int = 1, needs: bool = True, **config: Any) -> JobRow:  # type: ignore[assignment]
    return JobRow(uuid, index, uuid, "module.function", "{}", list(parents), config, needs, False)


def success(
    job: int, uuid: str, index: int = 1, *, rows: dict[str, list[JobRow]] | None = None, **response: Any
) -> Any:
    result: dict[str, Any] = {
        "ok": True,
        "job": job,
        "attempt": 1,
        "uuid": uuid,
        "index": index,
        "start": 0.0,
        "end": 1.0,
        "document": json.dumps({"uuid": uuid, "index": index, "output": job}),
    }
    if response:
        result["response"] = response
    if rows:
        result["rows"] = rows
    return result


def failure(job: int, attempt: int = 1, cause: Cause = Cause.APPLICATION) -> Any:
    return {
        "ok": False,
        "job": job,
        "attempt": attempt,
        "start": 0.0,
        "end": 1.0,
        "cause": cause.value,
        "error": "RuntimeError",
        "message": "on purpose",
        "traceback": "",
    }


class Driver:
    """A ledger and what a head does with it, without workers."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.ledger = Ledger(directory, **options)

    def insert(self, *rows: JobRow) -> list[int]:
        with self.ledger.transaction():
            return self.ledger.insert(rows)

    def start(self, *uuids: str) -> None:
        ids = [job.id for job in self.ledger.ready("cpu", 1000) if job.uuid in uuids]
        assert len(ids) == len(uuids), "not ready"
        with self.ledger.transaction():
            self.ledger.mark_running(ids)

    def job(self, uuid: str) -> int:
        return self.ledger.connection.execute(
            'SELECT id FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', (uuid,)
        ).fetchone()[0]

    def attempts(self, job: int) -> int:
        return self.ledger.connection.execute("SELECT attempts FROM jobs WHERE id = ?", (job,)).fetchone()[0]

    def succeed(self, uuid: str, *, start: bool = True, **response: Any) -> None:
        if start:
            self.start(uuid)
        job = self.job(uuid)
        index = self.ledger.connection.execute('SELECT "index" FROM jobs WHERE id = ?', (job,)).fetchone()[0]
        with self.ledger.transaction():
            commit_success(self.ledger, success(job, uuid, index, **response))

    def fail(
        self,
        uuid: str,
        *,
        start: bool = True,
        policy: RetryPolicy | None = None,
        cause: Cause = Cause.APPLICATION,
    ) -> JobState:
        if start:
            self.start(uuid)
        with self.ledger.transaction():
            return commit_failure(
                self.ledger,
                failure(self.job(uuid), self.attempts(self.job(uuid)), cause),
                policy or RetryPolicy(),
            )

    def ask(self, verb: str, uuid: str | None = None) -> None:
        control.ask(self.ledger.directory, verb, job=None if uuid is None else self.job(uuid))
        control.obey(self.ledger)

    def states(self) -> dict[str, JobState]:
        rows = self.ledger.connection.execute('SELECT uuid, state FROM jobs ORDER BY uuid, "index"')
        return {uuid: JobState(state) for uuid, state in rows}

    def check(self) -> None:
        """The counters say what the edges say."""
        ledger, execute = self.ledger, self.ledger.connection.execute
        assert ledger.unfinished == ledger.count(*UNFINISHED)
        for job, waits, arrived, failed, stopped, quorum, needs in execute(
            "SELECT id, waits, arrived, failed, stopped, quorum, needs_parents FROM jobs"
            f" WHERE state = {S.WAITING:d}"  # those of held jobs are set when they are released
        ).fetchall():
            parents = execute(
                "SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR)
            ).fetchall()
            how = [standing(ledger, parent) for (parent,) in parents]
            assert (waits, arrived, failed, stopped) == tuple(how.count(o) for o in (None, *Outcome)), job
            following = next_state(
                waits=waits,
                arrived=arrived,
                failed=failed,
                stopped=stopped,
                quorum=quorum,
                needs_parents=needs,
            )
            assert following is S.WAITING, job
        for uuid, holds in execute("SELECT uuid, holds FROM jobs").fetchall():
            assert holds >= 0, uuid


@pytest.fixture
def driver(tmp_path) -> Driver:
    return Driver(tmp_path)


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────


def test_groups_of_states() -> None:
    assert set(S) == FINISHED | UNFINISHED
    assert not FINISHED & UNFINISHED
    assert UNFINISHED - {S.RUNNING} == PENDING
    assert [int(state) for state in S] == list(range(9))  # they are on people's disks


def test_what_may_follow() -> None:
    allowed = {(old, new) for old, new in itertools.product(S, S) if may_follow(old, new)}
    assert not {pair for pair in allowed if pair[0] in {S.DONE, S.STOPPED}}
    assert {new for old, new in allowed if old is S.RUNNING} == {
        S.DONE, S.FAILED, S.READY, S.WAITING, S.CANCELLED
    }  # fmt: skip
    assert {old for old, new in allowed if new is S.RUNNING} == {S.READY, S.WAITING}
    for old, new in allowed:
        if old in FINISHED:
            assert new in {S.WAITING, S.READY}


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("stops", [True, False])
def test_outcomes(state, stops) -> None:
    if state in UNFINISHED:
        with pytest.raises(ValueError, match=state.name):
            outcome(state, stops_children=stops)
        return
    expected = {
        S.DONE: Outcome.ARRIVED,
        S.FAILED: Outcome.FAILED,
        S.SKIPPED: Outcome.FAILED,
        S.STOPPED: Outcome.STOPPED,
        S.CANCELLED: Outcome.STOPPED,
    }
    assert outcome(state, stops_children=stops) is (Outcome.STOPPED if stops else expected[state])


@pytest.mark.parametrize("counts", list(itertools.product(range(3), repeat=4)))
@pytest.mark.parametrize("quorum", [None, 1, 2])
@pytest.mark.parametrize("needs", [True, False])
def test_next_states(counts, quorum, needs) -> None:
    """All cases: a stop wins over a failure, a quorum over both, and nobody starts before his time."""
    waits, arrived, failed, stopped = counts
    state = next_state(
        waits=waits, arrived=arrived, failed=failed, stopped=stopped, quorum=quorum, needs_parents=needs
    )
    if quorum is not None and arrived + (0 if needs else failed) >= quorum:
        assert state is S.READY
    elif waits:
        assert state is S.WAITING
    elif stopped:
        assert state is S.STOPPED
    elif quorum is not None or (failed and needs):
        assert state is S.SKIPPED
    else:
        assert state is S.READY


# ── jobs come and go ────────────────────────────────────────────────────────────────────────────────────


def test_children_may_come_before_their_parents(driver) -> None:
    driver.insert(row("c", ["a", "b"]), row("b", ["a"]), row("a"))
    assert driver.states() == {"a": S.READY, "b": S.WAITING, "c": S.WAITING}
    driver.succeed("a")
    driver.succeed("b")
    assert driver.states() == {"a": S.DONE, "b": S.DONE, "c": S.READY}
    driver.check()


def test_a_parent_that_is_known_already(driver) -> None:
    driver.insert(row("a"), row("x"))
    driver.succeed("a")
    driver.fail("x")
    driver.insert(
        row("b", ["a"]), row("y", ["x"]), row("z", ["y"]), row("w", ["x"], needs=False), row("n", ["nobody"])
    )
    with driver.ledger.transaction():
        pass
    assert driver.states()["b"] is S.READY
    assert driver.states()["w"] is S.READY
    assert driver.states()["n"] is S.READY  # of another campaign
    assert driver.states()["y"] is S.SKIPPED


def test_the_same_job_twice_is_refused(driver) -> None:
    driver.insert(row("a"))
    with pytest.raises(InputError, match="already"):
        driver.insert(row("b"), row("a"))
    assert driver.states() == {"a": S.READY}
    assert driver.ledger.unfinished == 1
    driver.insert(row("b"))  # ids go on
    driver.check()


def test_an_unknown_pool_or_key_is_refused_as_a_whole(driver) -> None:
    for config, error in (
        ({"pool": "gpu"}, InputError),
        ({"walltim": 3}, UnknownKeyError),
        ({"nodes": 0}, InputError),
    ):
        with pytest.raises(error):
            driver.insert(row("a"), row("b", **config))
        assert driver.states() == {}
        assert driver.ledger.unfinished == 0


def test_priorities_go_first_and_equals_in_order(driver) -> None:
    driver.insert(row("a"), row("b", priority=5), row("c", priority=-1), row("d", priority=5), row("e"))
    assert [job.uuid for job in driver.ledger.ready("cpu", 10)] == ["b", "d", "a", "e", "c"]
    assert [job.uuid for job in driver.ledger.ready("cpu", 2)] == ["b", "d"]
    assert driver.ledger.ready("other", 2) == []


def test_a_second_result_changes_nothing(driver) -> None:
    driver.insert(row("a"), row("b", ["a"]))
    driver.succeed("a")
    before = driver.ledger.connection.execute("SELECT COUNT(*) FROM events").fetchone()
    with driver.ledger.transaction():
        commit_success(driver.ledger, success(driver.job("a"), "a", rows={"addition": [row("new")]}))
        commit_success(driver.ledger, success(driver.job("b"), "b"))  # never dispatched
        assert commit_failure(driver.ledger, failure(driver.job("a")), RetryPolicy(application=5)) is S.FAILED
    assert driver.states() == {"a": S.DONE, "b": S.READY}
    assert driver.ledger.connection.execute("SELECT COUNT(*) FROM events").fetchone() == before
    driver.check()


def test_replacement_and_detour_hold_the_children(driver) -> None:
    driver.insert(row("a"), row("child", ["a"]))
    driver.succeed(
        "a", rows={"replace": [row("a", index=2)], "detour": [row("d1"), row("d2", ["d1"])]}, replace={}
    )
    assert driver.states() == {"a": S.READY, "child": S.WAITING, "d1": S.READY, "d2": S.WAITING}
    driver.succeed("a")
    driver.succeed("d1")
    assert driver.states()["child"] is S.WAITING
    driver.fail("d2")  # that a detour fails is not the children's concern
    assert driver.states()["child"] is S.READY
    driver.check()


def test_a_replacement_that_is_replaced_keeps_the_hold(driver) -> None:
    driver.insert(row("a"), row("child", ["a"]))
    driver.succeed(
        "a", rows={"replace": [row("a", index=2)], "detour": [row("d")]}, replace={}, stop_children=True
    )
    driver.succeed("a", rows={"replace": [row("x"), row("a", ["x"], index=3)]}, replace={})
    driver.succeed("x")
    driver.succeed("a")
    assert driver.states()["child"] is S.WAITING
    driver.succeed("d")
    assert driver.states()["child"] is S.STOPPED  # the first of them said so
    driver.check()


def test_stop_jobflow_ends_what_has_not_begun(driver) -> None:
    driver.insert(row("a"), row("b"), row("c", ["a"]), row("d"))
    driver.start("b")
    driver.succeed("a", rows={"addition": [row("new")]}, stop_jobflow=True)
    assert driver.states() == {"a": S.DONE, "b": S.RUNNING, "c": S.STOPPED, "d": S.STOPPED, "new": S.STOPPED}
    driver.succeed(
        "b", start=False, rows={"replace": [row("b", index=2)], "addition": [row("e")]}, replace={}
    )
    assert driver.states()["b"] is S.STOPPED
    assert driver.states()["e"] is S.STOPPED
    assert driver.ledger.unfinished == 0


class TestQuorum:
    def test_enough_have_arrived(self, driver) -> None:
        driver.insert(*(row(u) for u in "abcd"), row("join", list("abcd"), quorum=0.5))
        driver.succeed("a")
        driver.fail("b")
        assert driver.states()["join"] is S.WAITING
        driver.succeed("c")
        assert driver.states()["join"] is S.READY
        driver.start("join")
        driver.succeed("d")  # a straggler
        driver.succeed("join", start=False)
        driver.check()

    def test_too_few_can_arrive(self, driver) -> None:
        driver.insert(*(row(u) for u in "abc"), row("join", list("abc"), quorum=2), row("after", ["join"]))
        driver.succeed("a")
        driver.fail("b")
        driver.fail("c")
        assert driver.states()["join"] is S.SKIPPED
        assert driver.states()["after"] is S.SKIPPED
        driver.check()


class TestRetries:
    def test_are_granted_by_cause(self, driver) -> None:
        policy = RetryPolicy(application=1, walltime=1, backoff_s=0)
        driver.insert(row("a"))
        causes = [Cause.APPLICATION, Cause.WALLTIME, Cause.APPLICATION]
        assert [driver.fail("a", policy=policy, cause=cause) for cause in causes] == [
            S.READY,
            S.READY,
            S.FAILED,
        ]
        assert driver.ledger.connection.execute("SELECT attempts FROM jobs").fetchone() == (3,)

    def test_rest_longer_each_time(self) -> None:
        policy = RetryPolicy(backoff_s=2, backoff_limit_s=10)
        assert [policy.delay(earlier) for earlier in range(5)] == [2, 4, 8, 10, 10]

    def test_a_resting_job_is_not_ready(self, driver) -> None:
        driver.insert(row("a"))
        driver.fail("a", policy=RetryPolicy(application=1, backoff_s=1000, backoff_limit_s=1000))
        assert driver.states() == {"a": S.READY}
        assert driver.ledger.ready("cpu", 10) == []
        assert driver.ledger.next_retry() > time.time() + 900

    def test_a_failure_counts_once(self, driver) -> None:
        """After a crash a spool may give again what the ledger has, while the next attempt is on its way."""
        policy = RetryPolicy(application=1, backoff_s=0)
        driver.insert(row("a"))
        driver.fail("a", policy=policy)
        driver.start("a")
        with driver.ledger.transaction():
            assert commit_failure(driver.ledger, failure(driver.job("a"), 1), policy) is S.READY
        assert driver.states() == {"a": S.RUNNING}
        driver.succeed("a", start=False)
        assert driver.states() == {"a": S.DONE}

    def test_what_never_started_does_not_count(self, driver) -> None:
        driver.insert(row("a"))
        driver.start("a")
        driver.ledger.mark_ready(driver.job("a"), counted=False)
        assert driver.ledger.ready("cpu", 1)[0].attempts == 0

    def test_what_was_on_its_way_goes_again(self, driver) -> None:
        driver.insert(row("a"), row("b"))
        driver.start("a")
        assert driver.ledger.reset_running() == 1
        assert {job.uuid: job.attempts for job in driver.ledger.ready("cpu", 9)} == {"a": 1, "b": 0}


# ── what a person asks for ──────────────────────────────────────────────────────────────────────────────


class TestRequests:
    def test_retry_revives_what_was_skipped(self, driver) -> None:
        driver.insert(row("c", ["b"]), row("b", ["a"]), row("a"), row("other"), row("join", ["c", "other"]))
        driver.fail("a")
        assert driver.states()["join"] is S.WAITING
        driver.succeed("other")
        assert {driver.states()[u] for u in ("b", "c", "join")} == {S.SKIPPED}
        driver.ask("retry")
        assert driver.states() == {
            "a": S.READY,
            "b": S.WAITING,
            "c": S.WAITING,
            "join": S.WAITING,
            "other": S.DONE,
        }
        driver.check()
        for uuid in ("a", "b", "c", "join"):
            driver.succeed(uuid)
        assert set(driver.states().values()) == {S.DONE}
        driver.check()

    def test_retry_of_one_job_leaves_others(self, driver) -> None:
        driver.insert(row("a"), row("b"), row("c", ["a"]), row("d", ["b"]))
        driver.fail("a")
        driver.fail("b")
        driver.ask("retry", "b")
        assert driver.states() == {"a": S.FAILED, "b": S.READY, "c": S.SKIPPED, "d": S.WAITING}
        driver.check()

    def test_retry_grants_the_retries_anew(self, driver) -> None:
        policy = RetryPolicy(application=1, backoff_s=0)
        driver.insert(row("a"))
        assert [driver.fail("a", policy=policy) for _ in range(2)] == [S.READY, S.FAILED]
        driver.ask("retry")
        assert [driver.fail("a", policy=policy) for _ in range(2)] == [S.READY, S.FAILED]

    def test_children_that_wait_for_others_too_wait_again(self, driver) -> None:
        driver.insert(row("a"), row("b"), row("c", ["a", "b"]), row("tolerant", ["a", "b"], needs=False))
        driver.fail("a")
        driver.ask("retry")
        driver.succeed("b")
        assert driver.states()["c"] is driver.states()["tolerant"] is S.WAITING
        driver.check()
        driver.succeed("a")
        assert driver.states()["c"] is driver.states()["tolerant"] is S.READY

    def test_a_failed_detour_that_is_tried_again_holds_again(self, driver) -> None:
        driver.insert(row("a"), row("b"), row("child", ["a"]), row("both", ["a", "b"]))
        driver.succeed("a", rows={"detour": [row("d")]})
        driver.fail("d")
        driver.succeed("child")
        driver.ask("retry")
        driver.check()
        driver.succeed("b")
        assert driver.states()["both"] is S.WAITING
        driver.insert(row("late", ["a"]))
        driver.succeed("d")
        assert driver.states()["both"] is driver.states()["late"] is S.READY
        driver.check()

    def test_pause_holds_a_family(self, driver) -> None:
        driver.insert(row("c", ["b"]), row("b", ["a"]), row("a"), row("x"))
        driver.ask("pause", "b")
        assert driver.states() == {"a": S.READY, "b": S.HELD, "c": S.HELD, "x": S.READY}
        driver.succeed("a")
        driver.check()
        driver.ask("resume", "b")
        assert driver.states() == {"a": S.DONE, "b": S.READY, "c": S.WAITING, "x": S.READY}
        driver.check()

    def test_a_parent_fails_while_its_family_is_held(self, driver) -> None:
        driver.insert(row("c", ["b", "x"]), row("d", ["b"]), row("b", ["a"]), row("a"), row("x"))
        driver.ask("pause", "b")
        driver.fail("a")
        driver.check()
        driver.ask("resume", "b")
        assert driver.states() == {
            "a": S.FAILED,
            "b": S.SKIPPED,
            "c": S.WAITING,
            "d": S.SKIPPED,
            "x": S.READY,
        }
        driver.check()
        driver.succeed("x")
        assert driver.states()["c"] is S.SKIPPED
        assert driver.ledger.unfinished == 0

    def test_cancel_ends_a_family(self, driver) -> None:
        driver.insert(row("c", ["b"]), row("b", ["a"]), row("a"), row("x"))
        driver.start("a")
        driver.ask("cancel", "a")
        assert driver.states() == {"a": S.RUNNING, "b": S.CANCELLED, "c": S.CANCELLED, "x": S.READY}
        driver.succeed("a", start=False)
        driver.check()
        driver.ask("retry")
        assert driver.states() == {"a": S.DONE, "b": S.READY, "c": S.WAITING, "x": S.READY}
        driver.check()

    def test_cancel_everything(self, driver) -> None:
        driver.insert(row("a"), row("b", ["a"]), row("c"))
        driver.start("a")
        driver.ask("cancel")
        assert set(driver.states().values()) == {S.CANCELLED}
        assert driver.ledger.unfinished == 0
        driver.succeed("a", start=False)  # too late
        assert driver.ledger.output_of("a") is None
        driver.ask("retry")
        assert driver.states() == {"a": S.READY, "b": S.WAITING, "c": S.READY}
        driver.check()

    def test_pause_and_resume_everything(self, driver) -> None:
        driver.ask("pause")
        assert driver.ledger.get("status") == "paused"
        driver.ask("resume")
        assert driver.ledger.get("status") == "running"

    def test_nonsense_is_put_aside(self, driver) -> None:
        folder = driver.ledger.directory / "control"
        folder.mkdir()
        (folder / "1.json").write_text("{")
        (folder / "2.json").write_text('{"verb": "explode", "job": 1}')
        driver.ask("pause")
        assert sorted(path.name for path in folder.iterdir()) == ["1.refused", "2.refused"]
        assert driver.ledger.get("status") == "paused"
        with pytest.raises(InputError, match="explode"):
            control.ask(driver.ledger.directory, "explode")


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_transaction_is_all_or_nothing(driver) -> None:
    driver.insert(row("a"))
    ledger = driver.ledger
    with pytest.raises(ZeroDivisionError), ledger.transaction():  # noqa: PT012
        ledger.insert([row("b"), row("c", ["b"])])
        with ledger.transaction():
            ledger.insert([row("d")])
        raise ZeroDivisionError
    assert driver.states() == {"a": S.READY}
    assert ledger.unfinished == 1
    with ledger.transaction():
        ledger.insert([row("b")])
        with pytest.raises(ZeroDivisionError), ledger.transaction():  # noqa: PT012
            ledger.insert([row("c"), row("d")])
            raise ZeroDivisionError
        assert ledger.unfinished == 2
    assert set(driver.states()) == {"a", "b"}
    assert driver.insert(row("c")) == [3]
    driver.check()


def test_it_is_read_back(driver, tmp_path) -> None:
    driver.insert(row("a"), row("b", ["a"]))
    driver.succeed("a")
    driver.ledger.close()
    again = Ledger(tmp_path)
    assert again.unfinished == 1
    with again.transaction():
        assert again.insert([row("c", ["b"])]) == [3]


def test_another_version_is_refused(driver, tmp_path) -> None:
    driver.ledger.connection.execute("PRAGMA user_version = 7")
    driver.ledger.close()
    with pytest.raises(LedgerVersionError, match="schema 7"):
        Ledger(tmp_path)


def test_another_database_is_refused(tmp_path) -> None:
    (tmp_path / "ledger.db").write_text("this is no database, whatever its name says" * 100)
    with pytest.raises((CampaignError, Exception), match="database"):
        Ledger(tmp_path)


# ── at random ───────────────────────────────────────────────────────────────────────────────────────────


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
TestRandomCampaign.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, derandomize=True
)


@pytest.mark.slow
def test_random_campaigns_at_length() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        RandomCampaign, settings=settings(max_examples=400, stateful_step_count=40, deadline=None)
    )
