"""A process ends between two writes, or power is lost: all that was asked happens, once, and stays."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import graphs_for_tests as g
import jobs_with_values as values
import pytest
from jobflow import Flow, JobStore
from ledgers_for_tests import Driver, row, success
from maggma.stores import MemoryStore

from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.commit import commit_success, refused
from zonemelt.workflows.engine.mirror import Mirror
from zonemelt.workflows.engine.retry import failure_of
from zonemelt.workflows.engine.run import run_flow
from zonemelt.workflows.engine.spool import Recorded, read_epoch, write_epoch
from zonemelt.workflows.engine.worker import Place


def name_of(file: int) -> str:
    return str(Path(f"/proc/self/fd/{file}").readlink())


@pytest.fixture
def synchronised(monkeypatch) -> list[str]:
    """Which files were synchronised, in order."""
    seen: list[str] = []
    plain = os.fsync

    def note(file: int) -> None:
        seen.append(name_of(file))
        plain(file)

    monkeypatch.setattr(os, "fsync", note)
    return seen


def test_a_request_is_obeyed_once_though_its_file_is_still_there(driver) -> None:
    driver.insert(row("a"))
    driver.fail("a")
    path = control.ask(driver.ledger.directory, "retry", job=driver.job("a"))
    asked = path.read_text()
    control.obey(driver.ledger)
    path.write_text(asked)  # as if the head had been killed before it removed it
    control.obey(driver.ledger)
    count = "SELECT COUNT(*) FROM events WHERE kind = 'resubmitted'"
    assert driver.ledger.connection.execute(count).fetchone() == (1,)
    assert not path.exists()


def test_the_epoch_outlives_a_loss_of_power(tmp_path, synchronised) -> None:
    write_epoch(tmp_path, 7)
    assert read_epoch(tmp_path) == 7
    file, folder = synchronised  # its content before its name
    assert Path(file).parent == tmp_path != Path(file)
    assert Path(file).suffix == ".tmp"
    assert folder == str(tmp_path)


def test_spools_stay_until_the_ledger_is_on_disk(tmp_path, monkeypatch) -> None:
    driver = Driver(tmp_path)
    driver.insert(row("a"))
    spool = tmp_path / "1-1.spool"
    spool.touch()
    recorded = Recorded(driver.ledger.path)
    recorded.add(spool)
    there: list[tuple[str, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda file: there.append((name_of(file), spool.exists())))
    recorded.remove()
    assert there == [(f"{driver.ledger.path}-wal", True)]
    assert not spool.exists()


def test_what_a_worker_tells_once_is_kept_though_its_jobs_are_refused() -> None:
    told: Any = {
        **success(1, "a"),
        "source": ("module.function", "d1"),
        "circumstances": [("c1", "job", "{}")],
        "under": "c1",
    }
    from zonemelt.tasks.errors import InputError

    failure = refused(told, InputError("there is no such pool"))
    assert failure["source"] == told["source"]
    assert failure["circumstances"] == told["circumstances"]


def test_a_second_result_of_a_job_still_tells_the_source(driver) -> None:
    driver.insert(row("a"))
    driver.succeed("a")
    again = {**success(driver.job("a"), "a"), "source": ("module.function", "d1")}
    with driver.ledger.transaction():
        commit_success(driver.ledger, again)
    assert driver.ledger.connection.execute("SELECT * FROM sources").fetchall() == [("module.function", "d1")]


def test_words_that_no_encoding_has_fail_a_job_and_not_the_campaign(tmp_path) -> None:
    bad, good = g.fail(message="Li\udce9.cif"), g.add(1, 2)
    responses = run_flow(Flow([bad, good]), site="inline", directory=tmp_path / "c")
    assert responses[good.uuid][1].output == 3
    assert bad.uuid not in responses


def test_an_exception_that_cannot_speak_is_a_failure_like_any_other() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    found = failure_of(MuteError())
    assert (found["error"], found["message"]) == (
        "MuteError",
        "it cannot say what was wrong (ZeroDivisionError)",
    )


def test_a_job_without_a_directory_writes_into_no_other(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Place(str(tmp_path)).keep("error.txt", b"there was no room for its directory")
    assert list(tmp_path.iterdir()) == []


def test_what_a_job_beside_the_head_puts_into_an_additional_store_is_in_the_ledger_too(tmp_path) -> None:
    """The ledger and the store hold the same, whoever wrote it."""
    seen = values.trajectory(5)
    seen.update_config({"expose_store": True})
    after = g.text_of(seen.output)
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    responses = run_flow(
        Flow([seen, after]), site="inline", directory=tmp_path / "c", store=store, ensure_success=True
    )
    plain = values.trajectory(5)
    expected = run_flow(plain, site="inline", directory=tmp_path / "d")[plain.uuid][1].output
    assert responses[seen.uuid][1].output == expected


class Failing:
    """A connection that cannot delete, the first time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.left = connection, 1

    def _refuse(self, sql: str) -> None:
        if sql.startswith("DELETE") and self.left:
            self.left -= 1
            raise sqlite3.OperationalError("database or disk is full")

    def execute(self, sql: str, *arguments: Any) -> Any:
        self._refuse(sql)
        return self._connection.execute(sql, *arguments)

    def executemany(self, sql: str, *arguments: Any) -> Any:
        self._refuse(sql)
        return self._connection.executemany(sql, *arguments)


def test_a_delivery_that_could_not_be_noted_is_made_again(tmp_path) -> None:
    driver = Driver(tmp_path, mirrored=True)
    driver.insert(row("a"))
    driver.succeed("a")
    store = JobStore(MemoryStore())
    store.connect()
    mirror, connection = Mirror(tmp_path, store), Failing(driver.ledger.connection)
    with pytest.raises(sqlite3.OperationalError):
        mirror._deliver(connection)  # type: ignore[arg-type]
    assert mirror._deliver(connection)  # type: ignore[arg-type]
    assert not mirror._deliver(connection)  # type: ignore[arg-type]
    assert store.count() == 1
