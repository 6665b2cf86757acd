"""The live view: one picture, a line, and again and again."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from zonemelt.workflows import watch
from zonemelt.workflows.engine.inspect import Failure, RunningJob, Summary, summarise
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.paper import duration, rate, shorten

if TYPE_CHECKING:
    from pathlib import Path


def summary(**given: Any) -> Summary:
    counts = {state.name.lower(): 0 for state in JobState} | given.pop("counts", {})
    common = {
        "directory": "runs/x", "name": "oxides", "status": "running", "version": "0", "created": 0.0,
        "rate": 2.0, "seconds_left": 200.0, "node_hours": 1.25, "undelivered": 0,
        "head": {"pid": 7, "host": "login1", "since": time.time() - 60},
    }  # fmt: skip
    return Summary(**{**common, "counts": counts, **given})


def drawn(found: Summary, width: int = 100) -> str:
    out = Console(file=io.StringIO(), width=width)
    out.print(watch.picture(found, width=width))
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_a_picture_tells_everything():
    running = [RunningJob(id=3, name="relax Fe2O3", since=time.time() - 125, host="node7")]
    failures = [Failure(id=2, name="label", error="OracleError", message="no convergence\nthe rest")]
    text = drawn(
        summary(
            counts={"done": 50, "failed": 1, "running": 4, "waiting": 945},
            running=running, failures=failures, undelivered=3,
        )
    )  # fmt: skip
    for part in (
        "oxides  running  runs/x  process 7 on login1",
        "1,000 jobs: 50 done · 1 failed · 4 running · 945 waiting",
        "2.0/s · about 3 min 20 s left for the jobs so far · 1.2 node-hours · 3 outputs on their way",
        "relax Fe2O3", "2 min 5 s", "node7",
        "and 3 more, on workers or on their way", "OracleError: no convergence", "`zonemelt show 2`",
    ):  # fmt: skip
        assert part in text
    assert "the rest" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_bar_has_one_length(width: int):
    for counts in ({"done": 1}, {"waiting": 100_000, "failed": 1}, {s.name.lower(): 1 for s in JobState}, {}):
        (bar,) = [line for line in drawn(summary(counts=counts), width).splitlines() if "%" in line]
        assert len(bar.split(" ")[0]) == min(72, width - 10)


def test_markup_in_names_is_harmless():
    running = [RunningJob(id=1, name="[red]relax[/] [/oops]", since=0.0)]
    failures = [Failure(id=2, name="[/bad]", message="[/worse]")]
    text = drawn(summary(counts={"running": 1, "failed": 1}, running=running, failures=failures))
    assert "[red]relax[/] [/oops]" in text
    assert "[/worse]" in text


def test_a_line_for_logs(mixed: Path):
    line = watch.plain_line(summarise(mixed))
    assert "17 of 17 jobs ended, 1 failed, 2 skipped" in line
    assert "\n" not in line


def test_following_shows_a_live_view(mixed: Path, monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        watch, "console", lambda: Console(file=screen, force_terminal=True, width=100, height=30)
    )
    monkeypatch.setattr(watch, "_REFRESH", 0.01)
    with watch.following(mixed, also=lambda: ["epoch 3 of 9"]):
        end = time.monotonic() + 60
        while "1 failed" not in screen.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert "RuntimeError: the cell is bad" in screen.getvalue()
    assert "epoch 3 of 9" in screen.getvalue()


def test_following_prints_lines(mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paper = io.StringIO()
    monkeypatch.setattr(watch, "console", lambda: Console(file=paper, width=100))
    monkeypatch.setattr(watch, "_REPORT", 0.01)
    with watch.following(tmp_path / "not there yet"):
        pass
    with watch.following(mixed, also=lambda: ["epoch 3 of 9"]):
        end = time.monotonic() + 60
        while "ended" not in paper.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert paper.getvalue().count("17 of 17 jobs ended") == 1
    assert paper.getvalue().count("epoch 3 of 9\n") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.034, "0.03 s"), (7.2, "7 s"), (99, "99 s"), (100, "1 min 40 s"), (3600, "60 min 0 s"),
     (7200, "2 h 0 min"), (100_000, "27 h 46 min"), (200_000, "2 d 7 h")],
)  # fmt: skip
def test_durations(seconds: float | None, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(None, "-"), (250.4, "250/s"), (1.5, "1.5/s"), (0.5, "30/min"), (0.01, "36/h"), (0.0001, "0.4/h")],
)
def test_rates(per_second: float | None, text: str):
    assert rate(per_second) == text


def test_long_values_are_shortened():
    assert shorten({"a": 1}) == '{"a": 1}'
    assert len(shorten(list(range(10_000)))) < 420
