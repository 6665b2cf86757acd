"""Graphs that tests name on the command line, as ``campaigns_for_tests:NAME``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from graphs_for_tests import add, countdown, fail, map_reduce, respond, rest, same, speak, total
from jobflow import Flow, job


def named(new: Any, name: str) -> Any:
    new.name = name
    return new


def good(n: int = 3) -> Flow:
    numbers = [named(add(i), f"number {i}") for i in range(n)]
    return Flow([*numbers, total([number.output for number in numbers])], name="good")


def mixed() -> Flow:
    """Every way for a job to end by itself."""
    first = named(add(1), "first")
    broken = named(fail(first.output, message="the cell is bad\nand more"), "broken")
    skipped = named(add(broken.output), "skipped")
    further = named(add(skipped.output), "further")
    talker = named(speak("hello\nworld"), "talker")
    stopper = named(respond(1, stop_children=True), "stopper")
    stopped = named(add(stopper.output), "stopped")
    many = named(map_reduce(3), "many")
    after = named(same(many.output), "after many")
    return Flow(
        [first, broken, skipped, further, talker, stopper, stopped, many, after, countdown(2)], name="mixed"
    )


def gated(folder: str, n: int = 6) -> Flow:
    """Jobs that wait until a file named ``go`` is in the folder, and one that needs them all."""
    waiting = [named(wait_for(folder, i), f"gate {i}") for i in range(n)]
    return Flow([*waiting, named(total([job.output for job in waiting]), "sum")], name="gated")


@job
def wait_for(folder: str, number: int) -> int:
    print(f"gate {number} waits", flush=True)
    until = time.monotonic() + 300
    while not Path(folder, "go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return number


def mended(folder: str) -> Flow:
    """A job that fails until a file named ``mended`` is there, and one that needs it."""
    fragile = named(needs_file(folder), "fragile")
    return Flow([fragile, named(add(fragile.output), "after")], name="mended")


@job
def needs_file(folder: str) -> int:
    if not Path(folder, "mended").exists():
        raise FileNotFoundError(f"mended is not in {folder}")
    return 1


def slow(n: int = 4, seconds: float = 0.2) -> Flow:
    return Flow([named(rest(seconds, i), f"rest {i}") for i in range(n)], name="slow")


def cycle() -> Flow:
    one, two = add(1), add(2)
    one.function_args, two.function_args = (two.output,), (one.output,)
    return Flow([one, two], name="cycle")


def forgetful() -> None:
    """It makes a graph and returns none."""
    good()
