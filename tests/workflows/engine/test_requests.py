"""What a person asks of a campaign, on its ledger: retry, pause, cancel, resume, of all or of one family."""

from __future__ import annotations

import pytest
from ledgers_for_tests import row

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.states import (
    JobState,
)

S = JobState


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
