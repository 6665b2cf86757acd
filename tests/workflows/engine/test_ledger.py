"""The ledger: jobs come and go in transactions, and it is read back."""

from __future__ import annotations

import time

import pytest
from ledgers_for_tests import failure, row, success

from zonemelt.tasks.errors import InputError, LedgerVersionError, StoreError, UnknownKeyError
from zonemelt.workflows.engine.commit import commit_failure, commit_success
from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.engine.results import Cause
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.states import (
    JobState,
)

S = JobState


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
    for config, error, words in (
        ({"pool": "gpu"}, InputError, "no pool 'gpu'"),
        ({"walltim": 3}, UnknownKeyError, "did you mean 'walltime'"),
        ({"nodes": 0}, InputError, "below 1"),
    ):
        with pytest.raises(error, match=words):
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
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        Ledger(tmp_path)
