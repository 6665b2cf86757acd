"""The live view of a campaign: a bar by state, pools, rounds, the best so far, what runs, what failed."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.workflows.engine.inspect import Summary, summarise
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.paper import COLOURS, console, duration, rate
from zonemelt.workflows.progress import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console, Group
    from rich.text import Text

    from zonemelt.workflows.progress import Progress

_REFRESH = 0.5  # seconds between looks, on a terminal
_REPORT = 5.0  # seconds between lines, where there is none; longer and longer, up to
_REPORT_LIMIT = 60.0
_BAR = 72  # characters of the bar at most
_STEERED = 5  # of the changes that a person made, the latest
_BAR_ORDER = (
    JobState.DONE, JobState.FAILED, JobState.SKIPPED, JobState.STOPPED, JobState.CANCELLED,
    JobState.RUNNING, JobState.HELD, JobState.READY, JobState.WAITING,
)  # fmt: skip


# ── one picture ─────────────────────────────────────────────────────────────────────────────────────


def picture(summary: Summary, *, width: int = 100, progress: Progress | None = None) -> Group:
    """The whole view of a campaign at one moment.

    Args:
        summary: how it stands.
        width: columns.
        progress: pools, rounds and results, where they were looked at.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Text] = [_title(summary), _bar(summary, min(_BAR, width - 10)), _counts(summary)]
    parts.append(Text(_pace(summary) + (_left(progress) if progress else "")))
    if summary.waits_for:
        parts.append(Text(summary.waits_for, style="yellow"))
    parts += [Text(line, style="cyan") for line in _steered(summary)]
    if progress is not None:
        parts += [*_pools(progress), *_rounds(progress), *_best(progress)]
    if summary.running:
        parts += [Text(), *_running(summary)]
    if summary.failures:
        parts += [Text(), *_failures(summary)]
    return Group(*(_cut(part, width) for part in parts))


def _cut(text: Text, width: int) -> Text:
    text.no_wrap = len(text) > width and "→" in text.plain
    return text


def _title(summary: Summary) -> Text:
    from rich.text import Text

    colour = {"finished": "green", "failed": "red", "running": "yellow"}.get(summary.status, "magenta")
    title = Text.assemble((summary.name or "campaign", "bold"), "  ", (summary.status, colour))
    title.append(f"  {summary.directory}", style="dim")
    if summary.head:
        age = duration(time.time() - summary.head["since"])
        title.append(f"  process {summary.head['pid']} on {summary.head['host']} for {age}", style="dim")
    return title


def _bar(summary: Summary, width: int) -> Text:
    """One line whose parts are the states, each that occurs at least one character long."""
    from rich.text import Text

    total = max(summary.total, 1)
    bar = Text()
    lengths = {state: summary.count(state) * width // total for state in _BAR_ORDER}
    for state in _BAR_ORDER:
        if summary.count(state) and not lengths[state]:
            lengths[state] = 1
    longest = max(_BAR_ORDER, key=lambda state: lengths[state])
    lengths[longest] = max(1, lengths[longest] + width - sum(lengths.values()))
    for state in _BAR_ORDER:
        mark = "╌" if state in {JobState.WAITING, JobState.READY} else "━"
        bar.append(mark * lengths[state], style=COLOURS[state.name.lower()])
    bar.append(f" {100 * summary.finished / total:.0f} %")
    return bar


def _counts(summary: Summary) -> Text:
    from rich.text import Text

    counts = Text(f"{summary.total:,} jobs: ")
    named = [state for state in _BAR_ORDER if summary.count(state)]
    for i, state in enumerate(named):
        word = state.name.lower()
        if state is JobState.RUNNING and not summary.head:
            word = "interrupted"
        counts.append(
            f"{' · ' if i else ''}{summary.count(state):,} {word}", style=COLOURS[state.name.lower()]
        )
    return counts


def _pace(summary: Summary) -> str:
    parts = []
    if summary.rate is not None:
        parts.append(rate(summary.rate))
    if summary.seconds_left is not None:
        parts.append(f"about {duration(summary.seconds_left)} left for the jobs so far")
    parts.append(f"{summary.node_hours:.2g} node-hours")
    if summary.undelivered:
        parts.append(f"{summary.undelivered:,} outputs on their way to the store")
    return " · ".join(parts)


def _left(progress: Progress) -> str:
    said = ""
    if progress.hours_left is not None:
        said += f" · about {progress.hours_left:.2g} more"
    if progress.budget is not None:
        said += (
            f" · {max(0.0, progress.budget - progress.summary.node_hours):.3g} left of {progress.budget:g}"
        )
    return said


def _pools(progress: Progress) -> Iterator[Text]:
    """A line for each pool, where there are several or it has blocks."""
    from rich.text import Text

    if len(progress.pools) < 2 and not any(pool.blocks for pool in progress.pools):  # noqa: PLR2004
        return
    yield Text()
    yield Text("pools", style="bold")
    for pool in progress.pools:
        line = Text(f"{'':>9}{pool.name:<12}")
        if pool.blocks:
            line.append(f"{pool.blocks} block{'s' if pool.blocks > 1 else ''}  ")
        for number, (state, count) in enumerate(pool.counts.items()):
            line.append(f"{' · ' if number else ''}{count:,} {state}", style=COLOURS[state])
        yield line


def _rounds(progress: Progress) -> Iterator[Text]:
    from rich.text import Text

    if not progress.rounds:
        return
    yield Text()
    yield Text("rounds", style="bold")
    for one in progress.rounds:
        said = "  ".join(f"{name} {value}" for name, value in one.items() if name != "round" and value)
        yield Text(f"{one['round']:>7}  {said}")


def _best(progress: Progress) -> Iterator[Text]:
    from rich.text import Text

    if not progress.found:
        return
    yield Text()
    yield Text.assemble(("so far", "bold"), f"  {progress.found}")
    for one in progress.best:
        line = Text.assemble(
            f"{'':>9}", (f"{one['name'][:44]:<44}", "green"), f"  {one['value']}, {one['what']}"
        )
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def _steered(summary: Summary) -> Iterator[str]:
    for one in summary.steered[-_STEERED:]:
        values = ", ".join(f"{key} = {value}" for key, value in one["values"].items())
        when = time.strftime("%d %b %H:%M", time.localtime(one["time"]))
        yield f"steered: {values}  by {one['who']}, {when}"


def _running(summary: Summary) -> Iterator[Text]:
    from rich.text import Text

    yield Text("running", style="bold")
    now = time.time()
    for job in summary.running:
        line = Text.assemble(f"{job.id:>7}  ", (f"{job.name[:44]:<44}", COLOURS["running"]))
        line.append(f"  {duration(max(0.0, now - job.since)):>12}")
        line.append(f"  {job.host}", style="dim")
        yield line
    unnamed = summary.count(JobState.RUNNING) - len(summary.running)
    if unnamed > 0:
        yield Text(f"{'':>9}and {unnamed:,} more, on workers or on their way there", style="dim")


def _failures(summary: Summary) -> Iterator[Text]:
    from rich.text import Text

    yield Text("failed", style="bold")
    for failure in summary.failures:
        line = Text.assemble(f"{failure.id:>7}  ", (f"{failure.name[:24]:<24}", COLOURS["failed"]))
        line.append(f"  {failure.reason}")
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line
    unnamed = summary.count(JobState.FAILED) - len(summary.failures)
    more = f"and {unnamed:,} more: `zonemelt jobs --failed`; " if unnamed > 0 else ""
    yield Text(f"{'':>9}{more}`zonemelt show {summary.failures[0].id}` tells all about one", style="dim")


def plain_line(summary: Summary) -> str:
    """The same in a line, for logs."""
    parts = [f"{summary.finished:,} of {summary.total:,} jobs ended"]
    shown = (JobState.FAILED, JobState.SKIPPED, JobState.HELD, JobState.RUNNING)
    parts += [f"{summary.count(state):,} {state.name.lower()}" for state in shown if summary.count(state)]
    if summary.rate is not None:
        parts.append(rate(summary.rate))
    if summary.seconds_left is not None:
        parts.append(f"about {duration(summary.seconds_left)} left for the jobs so far")
    if summary.waits_for:
        parts.append(summary.waits_for)
    return f"{time.strftime('%H:%M:%S')}  {', '.join(parts)}"


# ── again and again ─────────────────────────────────────────────────────────────────────────────────


def watch(directory: Path, *, results: bool = True) -> Progress:
    """Show a campaign that another process drives, until no head does any more; returns the last look.

    Args:
        directory: of the campaign.
        results: show rounds and the best so far, too.
    """
    follower = Follower(directory, results=results)
    with following(directory, follower=follower):
        while summarise(directory, running=0, failures=0).head:
            time.sleep(_REFRESH)
    return follower.look()


@contextlib.contextmanager
def following(
    directory: Path, *, also: Callable[[], list[str]] = list, follower: Follower | None = None
) -> Iterator[None]:
    """Show how a campaign goes while the block runs: a live view on a terminal, else a line now and then.

    Args:
        directory: the campaign directory; it need not be there yet.
        also: gives further lines, such as how far a training is.
        follower: looks at it; one that reads no results for None, which costs the head next to nothing.
    """
    follower = follower or Follower(directory, results=False)
    out = console()
    stop = threading.Event()
    show = _show_live if out.is_terminal else _show_lines
    thread = threading.Thread(target=show, args=(follower, stop, out, also), name="view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _look(follower: Follower, **limits: int) -> Progress | None:
    try:
        return follower.look(**limits)
    except (ZonemeltError, OSError, sqlite3.Error):
        return None  # it has not begun, or cannot be read at this moment


def _show_live(
    follower: Follower, stop: threading.Event, out: Console, also: Callable[[], list[str]]
) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    starting = Spinner("dots", "starting …")
    with Live(starting, console=out, auto_refresh=False, transient=True) as live:
        while not stop.wait(_REFRESH):
            running = max(3, min(12, out.height - 14))
            if (found := _look(follower, running=running, failures=3)) is not None:
                shown = picture(found.summary, width=out.width, progress=found)
                live.update(Group(shown, *map(Text, also())))
            live.refresh()


def _show_lines(
    follower: Follower, stop: threading.Event, out: Console, also: Callable[[], list[str]]
) -> None:
    last = ""
    pause = _REPORT
    while not stop.wait(pause):
        pause = min(1.2 * pause, _REPORT_LIMIT)
        if (found := _look(follower, running=0, failures=0)) is None:
            continue
        line = "\n".join([plain_line(found.summary), *also()])
        if line[8:] != last:
            out.print(line, soft_wrap=True)
            last = line[8:]
