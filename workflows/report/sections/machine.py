"""The machine in the course of the campaign: what ran when, how busy it was, how long jobs waited."""

# J attempts, B bins of time

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.paper import duration
from zonemelt.workflows.report.parts import Plot, Section, Table
from zonemelt.workflows.report.plots import axis, colour, rounded, time_unit
from zonemelt.workflows.report.sections.gantt import gantt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.workflows.report.parts import Cell, Part
    from zonemelt.workflows.report.reading import Gathered
    from zonemelt.workflows.report.reading.attempts import Attempts

    Floats = NDArray[np.float64]

_BINS: Final = 200
_WAITS: Final = 40


def section(gathered: Gathered) -> Section | None:
    """Three figures and a table of the pools."""
    found = gathered.attempts
    if not len(found):
        return None
    parts: list[Part] = [pools_table(found), occupancy(found), gantt(found)]
    if (waits := waits_plot(found)) is not None:
        parts.append(waits)
    return Section(name="machine", title="The machine", parts=parts)


def pools_table(found: Attempts) -> Table:
    """What each pool did."""
    import numpy as np

    pool, worker = found.column("pool"), found.column("worker")
    start, end, waited = found.column("start"), found.column("end"), found.column("waited")
    rows: list[list[Cell]] = []
    for number, name in enumerate(found.pools.names):
        own = pool == number
        if not own.any():
            continue
        known = waited[own & (waited >= 0)]
        workers = len(np.unique(worker[own]))
        ran = float((end - start)[own].sum())
        span = float(end[own].max() - start[own].min())
        rows.append([
            name, int(own.sum()), workers, duration(ran), 100 * ran / (span * workers or 1.0),
            duration(float(np.median(known))) if len(known) else None,
            duration(float(np.quantile(known, 0.95))) if len(known) else None,
        ])  # fmt: skip
    return Table(
        caption="pools",
        columns=(
            "pool", "attempts", "workers", "jobs ran for", "busy (%)", "wait, median", "wait, 95 % below",
        ),
        rows=rows,
    )  # fmt: skip


def occupancy(found: Attempts) -> Plot:
    """Jobs that ran side by side, pool by pool."""
    import numpy as np

    start, end, pool = found.column("start"), found.column("end"), found.column("pool")
    zero = start.min()
    unit, size = time_unit(float(end.max() - zero))
    edges = np.linspace(0.0, max(float(end.max() - zero), 1e-3), _BINS + 1)
    traces: list[dict[str, Any]] = []
    peak = []
    for number, name in enumerate(found.pools.names):
        own = pool == number
        if not own.any():
            continue
        mean = running(start[own] - zero, end[own] - zero, edges)
        peak.append(f"{mean.max():.3g} in {name}")
        traces.append({
            "type": "scatter", "mode": "lines", "name": name, "stackgroup": "all",
            "line": {"width": 0.5, "shape": "hv", "color": colour(number)},
            "x": rounded(edges[:-1] / size), "y": rounded(mean, 3),
        })  # fmt: skip
    return Plot(
        name="occupancy",
        title="Jobs that ran side by side",
        traces=traces,
        layout={
            "xaxis": axis(f"time since the first job began ({unit})"),
            "yaxis": axis("running jobs", rangemode="tozero"),
        },
        alt=f"At the most {', '.join(peak)}.",
        caption=f"Means over {_BINS} equal pieces of time; pools on top of one another.",
        height=300,
    )


def running(start_J: Floats, end_J: Floats, edges: Floats) -> Floats:
    """Mean number of attempts that ran in each bin (B,).

    Args:
        start_J: when they began.
        end_J: when they ended.
        edges: of the bins (B + 1,), evenly spaced.
    """
    import numpy as np

    def area(times: Floats) -> Floats:  # under the count of those that lie before, up to each edge
        order = np.sort(times)
        sums = np.concatenate([[0.0], np.cumsum(order)])
        before = np.searchsorted(order, edges)
        return np.asarray(before * edges - sums[before])

    seconds = np.diff(area(start_J) - area(end_J))
    return np.asarray(np.maximum(seconds, 0.0) / np.diff(edges))


def waits_plot(found: Attempts) -> Plot | None:
    """How long jobs waited in queues and on their way, pool by pool."""
    import numpy as np

    waited, pool = found.column("waited"), found.column("pool")
    known = waited >= 0
    if not known.any():
        return None
    least = 1e-2
    edges = np.linspace(np.log10(least), np.log10(max(float(waited.max()), 10 * least)) + 1e-9, _WAITS + 1)
    traces: list[dict[str, Any]] = []
    for number, name in enumerate(found.pools.names):
        own = waited[known & (pool == number)]
        if len(own):
            counts, _ = np.histogram(np.log10(np.maximum(own, least)), edges)
            traces.append({
                "type": "bar", "name": name, "x": rounded(10 ** ((edges[1:] + edges[:-1]) / 2), 3),
                "width": rounded(10 ** edges[1:] - 10 ** edges[:-1], 3),
                "y": counts.tolist(), "marker": {"color": colour(number)},
            })  # fmt: skip
    middle = float(np.median(waited[known]))
    return Plot(
        name="waits",
        title="Waits",
        traces=traces,
        layout={
            "xaxis": axis("from when a job could run to when it did (s)", type="log"),
            "yaxis": axis("jobs"),
            "barmode": "stack",
        },
        alt=f"Half of the jobs waited less than {duration(middle)}.",
        caption="First attempts only: in the queue of the machine, for a worker, and on the way. The first "
        "bar holds all that waited less.",
        height=300,
    )
