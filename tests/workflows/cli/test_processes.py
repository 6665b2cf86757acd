"""Commands as real processes, on worker processes of this machine: interrupted, detached, killed, steered."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from processes_for_tests import TESTS, finish, start
from relabelling_for_tests import SMALL, as_words
from waiting import until

from zonemelt.workflows.engine.inspect import fact, open_ledger, summarise
from zonemelt.workflows.engine.lock import head_is_alive, read_holder
from zonemelt.workflows.engine.reap import orphans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psutil

GATED = ("campaigns_for_tests:gated", "--site", "local", "--set", f"import_from={TESTS}")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """The folder whose file ``go`` lets jobs end; nothing is left running."""
    yield tmp_path
    (tmp_path / "go").touch()
    place = tmp_path / "campaign"
    holder = read_holder(place) if head_is_alive(place) else None
    if holder:
        os.kill(holder["pid"], signal.SIGTERM)
        until(lambda: not head_is_alive(place), "the head ends")


def words(gate: Path) -> tuple[str | Path, ...]:
    return (*GATED, "--set", f"arguments.folder={gate}", "-d", gate / "campaign")


def begun(place: Path) -> Any:
    """The jobs that workers have begun, once there are some."""

    def look() -> Any:
        return (place / "ledger.db").exists() and summarise(place).running

    return until(look, "a worker begins a job")


def processes(place: Path) -> list[psutil.Process]:
    """What the last head's workers have left running."""
    with open_ledger(place) as connection:
        token = fact(connection, "workers", "")
    return orphans(token)


def test_ctrl_c_stops_cleanly_and_resume_goes_on(gate: Path):
    place = gate / "campaign"
    process = start("run", *words(gate))
    begun(place)
    assert processes(place)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the head and to everything it started
    code, output = finish(process)
    assert code == 130, output
    assert f"go on with `zonemelt resume {place}`" in output
    assert "Traceback" not in output
    assert processes(place) == []
    summary = summarise(place)
    assert summary.head is None
    assert "no head drives it" in summary.waits_for
    (gate / "go").touch()
    code, output = finish(start("resume", place))
    assert code == 0, output
    assert "7 jobs: 7 done" in output


def test_a_detached_head_obeys(gate: Path):
    place = gate / "campaign"
    code, output = finish(start("submit", *words(gate)))
    assert code == 0, output
    assert f"zonemelt watch {place}" in output
    holder = read_holder(place)
    assert holder is not None
    assert str(holder["pid"]) in output
    assert os.getsid(holder["pid"]) == holder["pid"]  # a session of its own: a logout does not reach it
    first = begun(place)[0]

    code, output = finish(start("logs", first.id, place))
    assert code == 0
    assert f"{first.name} waits" in output

    code, output = finish(start("resume", place))
    assert code == 2
    assert f"process {holder['pid']} on" in output

    _, output = finish(start("show", "gate 5", place, "--json"))
    assert json.loads(output)["state"] in {"ready", "running"}
    code, output = finish(start("pause", "sum", place))
    assert code == 0
    assert summarise(place).counts["held"] == 1
    code, output = finish(start("resume", "--job", "sum", place))
    assert code == 0
    assert summarise(place).counts["held"] == 0

    code, output = finish(start("pause", place))
    assert code == 0
    assert "what runs comes to its end" in output
    assert summarise(place).status == "paused"
    code, output = finish(start("resume", place))
    assert "its head was told to go on" in output

    watching = start("status", place, "--watch")
    (gate / "go").touch()
    code, output = finish(watching)
    assert code == 0
    assert "7 jobs: 7 done" in output
    until(lambda: not head_is_alive(place), "the head ends")
    assert processes(place) == []
    assert "7 jobs: 7 done" in (place / "head.log").read_text()


def test_cancelling_ends_the_workers(gate: Path):
    place = gate / "campaign"
    finish(start("submit", *words(gate)))
    begun(place)
    code, output = finish(start("cancel", place))
    assert code == 0, output
    until(lambda: not head_is_alive(place), "the head ends")
    assert processes(place) == []
    counts = summarise(place).counts
    assert counts["cancelled"] == 7


def test_a_killed_head_leaves_a_campaign_that_goes_on(gate: Path):
    place = gate / "campaign"
    finish(start("submit", *words(gate)))
    begun(place)
    holder = read_holder(place)
    assert holder is not None
    os.kill(holder["pid"], signal.SIGKILL)
    until(lambda: not head_is_alive(place), "the lock is given back")
    assert read_holder(place) == holder  # stale, and recognised as such
    _, output = finish(start("show", "gate 0", place, "--json"))
    assert "was on its way when the head ended" in json.loads(output)["why"]
    (gate / "go").touch()
    code, output = finish(start("resume", place))
    assert code == 0, output
    assert "7 jobs: 7 done" in output


def test_a_terminated_head_stops_cleanly(gate: Path):
    place = gate / "campaign"
    finish(start("submit", *words(gate)))
    begun(place)
    holder = read_holder(place)
    assert holder is not None
    os.kill(holder["pid"], signal.SIGTERM)
    until(lambda: not head_is_alive(place), "the head ends")
    assert processes(place) == []
    assert "go on with `zonemelt resume" in (place / "head.log").read_text()


def test_a_head_that_cannot_begin_says_why(gate: Path):
    uri = "mongodb://127.0.0.1:1/db?serverSelectionTimeoutMS=200"
    code, output = finish(start("submit", *words(gate), "--store", uri))
    assert code == 2
    assert "does not answer" in output
    assert "then `zonemelt resume`" in output


@pytest.mark.slow
def test_the_quickstart(tmp_path: Path):
    place = tmp_path / "quickstart"
    code, output = finish(start("run", "quickstart", "--oracle", "emt", "-d", place))
    assert code == 0, output
    assert "within the target by their labels" in output
    found = json.loads(finish(start("candidates", place, "--json"))[1])
    assert found


def test_a_campaign_of_the_catalog_to_its_report(tmp_path: Path):
    place = tmp_path / "aluminium"
    code, output = finish(start("run", "al_potential", "-d", place, *as_words(SMALL)))
    assert code == 0, output
    assert f"report {place / 'report.html'}" in output.replace("\n", "")
    assert "forces, meV/Å" in output
    (place / "report.html").unlink()
    code, output = finish(start("report", place, "--json"))
    assert json.loads(output)["report"] == str(place / "report.html")
    assert (place / "report.html").exists()


def test_an_unexpected_error_tells_where_to_report(tmp_path: Path):
    (tmp_path / "surprise.py").write_text("def graph():\n    raise ZeroDivisionError('oh')\n")
    code, output = finish(
        start("run", "surprise:graph", "--set", f"import_from={tmp_path}", "-d", tmp_path / "c")
    )
    assert code == 3
    assert "ZeroDivisionError: oh" in output
    assert "please report" in output
