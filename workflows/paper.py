"""What commands print on: consoles that know whether a person or a program reads, and plain formats."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

_PIPE_WIDTH = 180  # columns where no terminal says how many it has
COLOURS = {
    "waiting": "dim",
    "ready": "cyan",
    "running": "yellow",
    "held": "magenta",
    "done": "green",
    "failed": "red",
    "skipped": "dark_orange3",
    "stopped": "dim",
    "cancelled": "magenta",
}


def console(*, err: bool = False) -> Console:
    """A console for standard output, or standard error; brackets in names are brackets."""
    from rich.console import Console

    made = Console(stderr=err, highlight=False, markup=False)
    if not made.is_terminal:
        made = Console(stderr=err, highlight=False, markup=False, width=_PIPE_WIDTH)
    return made


@contextmanager
def progress_bar(what: str, count: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, gone at the end; gives what is to be told how many are done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=count)
        yield lambda done: progress.update(task, completed=done)


def print_json(value: Any) -> None:
    """One JSON object on standard output; a number that is none, which JSON has no word for, is null."""
    text = json.dumps(value, indent=1, default=str)
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=lambda _: None), indent=1)
    print(text)  # noqa: T201


def duration(seconds: float | None) -> str:
    """A duration to be read: ``0.3 s``, ``42 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds:.1g} s"
    whole = int(seconds)
    for size, limit, names in ((60, 100 * 60, ("min", "s")), (3600, 48 * 3600, ("h", "min"))):
        if whole < 100:  # noqa: PLR2004
            return f"{whole} s"
        if whole < limit:
            return f"{whole // size} {names[0]} {whole % size * 60 // size} {names[1]}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def rate(per_second: float | None) -> str:
    """A rate to be read: jobs per second, minute or hour."""
    if per_second is None:
        return "-"
    for unit, factor in (("s", 1), ("min", 60), ("h", 3600)):
        if per_second * factor >= 1 or unit == "h":
            number = per_second * factor
            return f"{number:.0f}/{unit}" if number >= 10 else f"{number:.1f}/{unit}"  # noqa: PLR2004
    raise AssertionError


def moment(at: float | None) -> str:
    """A time to be read."""
    return "-" if not at else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def shorten(value: Any, *, most: int = 400) -> str:
    """A value as JSON on one line, its middle left out where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if len(text) <= most:
        return text
    return f"{text[: most - 60]} … {text[-30:]} ({len(text):,} characters)"
