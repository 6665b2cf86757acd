"""Workers and what they ran, row by row; and what each kind of job took."""

# J attempts

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonemelt.workflows.paper import duration
from zonemelt.workflows.report.parts import Plot, Table
from zonemelt.workflows.report.plots import COLOURS, FAINT, axis, colour, rounded, time_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.workflows.report.parts import Cell
    from zonemelt.workflows.report.reading.attempts import Attempts

    Floats = NDArray[np.float64]

BARS: Final = 1500
"""Bars of the chart: jobs that follow one another closely share one."""
WORKERS: Final = 40
"""Rows of the chart: the busiest."""
_STEPS: Final = COLOURS  # kinds of jobs with a colour of their own; the others are faint together


def gantt(found: Attempts) -> Plot:
    """A row for each worker, a bar for each job, or for several alike in a row."""
    import numpy as np

    start, end = found.column("start"), found.column("end")
    worker, step = found.column("worker"), found.column("step")
    zero, span = start.min(), float(end.max() - start.min())
    unit, size = time_unit(span)
    busy = np.bincount(worker, weights=end - start)
    chosen = np.argsort(-busy, kind="stable")[:WORKERS].tolist()
    gap = span / 2000
    while True:
        bars = [bar for one in chosen for bar in _bars(found, one, gap)]
        if len(bars) <= BARS:
            break
        gap *= 2
    common = np.bincount(step).argsort()[::-1][:_STEPS].tolist()
    names = [found.workers.names[one] for one in chosen]
    traces = []
    for number, one in enumerate([*common, None]):
        own = [bar for bar in bars if (bar[3] == one if one is not None else bar[3] not in common)]
        if own:
            what = found.steps.names[one] if one is not None else "others"
            traces.append({
                "type": "bar", "orientation": "h", "name": what,
                "y": [found.workers.names[bar[0]] for bar in own],
                "base": rounded(((bar[1] - zero) / size for bar in own), 6),
                "x": rounded(((bar[2] - bar[1]) / size for bar in own), 4),
                "text": [_said(what, bar) for bar in own], "textposition": "none", "hoverinfo": "text",
                "marker": {"color": colour(number) if one is not None else FAINT, "line": {"width": 0},
                           "pattern": {"shape": ["x" if bar[5] else "" for bar in own]}},
            })  # fmt: skip
    left = len(found.workers.names) - len(chosen)
    return Plot(
        name="gantt",
        title="Workers and what they ran",
        traces=traces,
        layout={
            "barmode": "overlay",
            "bargap": 0.15,
            "xaxis": axis(f"time since the first job began ({unit})"),
            "yaxis": axis(
                "worker", categoryorder="array", categoryarray=names[::-1], automargin=True,
                tickfont={"size": 10},
            ),
        },
        alt=f"{len(chosen)} workers; the busiest ran for {duration(float(busy.max()))} of {duration(span)}.",
        caption=(
            f"{len(found):,} attempts as {len(bars):,} bars: those of one kind that follow within "
            f"{duration(gap)} share one. Crossed bars hold an attempt that failed."
            + (f" {left:,} less busy workers are left out." if left else "")
        ),
        table=_workers(names, found, chosen),
        height=max(260, 160 + 20 * len(chosen)),
    )  # fmt: skip


def _bars(found: Attempts, worker: int, gap: float) -> Iterator[tuple[int, float, float, int, int, bool]]:
    """Worker, begin, end, step, attempts, and whether one failed, of the bars of a worker in their order."""
    import numpy as np

    rows = np.flatnonzero(found.column("worker") == worker)
    rows = rows[np.argsort(found.column("start")[rows], kind="stable")]
    begins, ends, steps, failed = (found.column(name)[rows] for name in ("start", "end", "step", "how"))
    apart = (begins[1:] - ends[:-1] > gap) | (steps[1:] != steps[:-1])
    firsts = np.concatenate([[0], np.flatnonzero(apart) + 1])
    lasts = np.concatenate([firsts[1:], [len(rows)]])
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        bad, end = bool(failed[first:last].any()), float(ends[first:last].max())
        yield worker, float(begins[first]), end, int(steps[first]), last - first, bad


def _said(what: str, bar: tuple[int, float, float, int, int, bool]) -> str:
    many = f"{bar[4]:,} of {what}" if bar[4] > 1 else what
    return f"{many}, {duration(bar[2] - bar[1])}{', failed' if bar[5] else ''}"


def _workers(names: list[str], found: Attempts, chosen: list[int]) -> Table:
    import numpy as np

    worker, ran = found.column("worker"), found.column("end") - found.column("start")
    counts, busy = np.bincount(worker), np.bincount(worker, weights=ran)
    return Table(
        caption="workers: host and process",
        columns=("worker", "attempts", "jobs ran for"),
        rows=[
            [name, int(counts[one]), duration(float(busy[one]))]
            for name, one in zip(names, chosen, strict=True)
        ],
        of=len(found.workers.names) if len(found.workers.names) > len(names) else None,
        folded=True,
    )


def steps_table(found: Attempts) -> Table:
    """What each kind of job took."""
    import numpy as np

    step, how = found.column("step"), found.column("how")
    ran, hours = found.column("end") - found.column("start"), found.column("hours")
    rows: list[list[Cell]] = []
    for number, name in enumerate(found.steps.names):
        own = step == number
        if own.any():
            rows.append([
                name, int(own.sum()), int((how[own] != 0).sum()), duration(float(ran[own].sum())),
                duration(float(np.median(ran[own]))), duration(float(ran[own].max())),
                float(hours[own].sum()),
            ])  # fmt: skip
    rows.sort(key=lambda row: -float(row[-1]))  # type: ignore[arg-type]
    return Table(
        caption="what each kind of job took",
        columns=("job", "attempts", "failed", "in all", "median", "longest", "node-hours"),
        rows=rows[:60],
        of=len(rows) if len(rows) > 60 else None,  # noqa: PLR2004
        folded=True,
    )
