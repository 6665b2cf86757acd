"""What a campaign cost: node-hours allocated and used, labels, energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.paper import duration
from zonemelt.workflows.report.parts import Facts, Plot, Section, number
from zonemelt.workflows.report.plots import axis, colour
from zonemelt.workflows.report.sections.gantt import steps_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered
    from zonemelt.workflows.report.reading.attempts import Attempts


def section(gathered: Gathered) -> Section | None:
    """Facts, and a bar for each kind of job."""
    if not gathered.summary.total:
        return None
    parts: list[Part] = [Facts(rows=list(_facts(gathered)))]
    if len(gathered.attempts):
        parts.append(_steps(gathered.attempts))
    return Section(name="costs", title="Costs", parts=parts)


def _facts(gathered: Gathered) -> Iterator[tuple[str, str]]:
    import numpy as np

    found, outputs = gathered.attempts, gathered.outputs
    allocated = gathered.summary.node_hours
    yield "node-hours allocated", number(allocated)
    budget = gathered.document.get("budget_node_hours")
    if isinstance(budget, int | float):
        yield (
            "budget",
            f"{number(float(budget))} node-hours, of which {100 * allocated / budget:.0f} % are spent",
        )
    if len(found):
        used = float(found.column("hours").sum())
        share = f" ({100 * used / allocated:.0f} % of what was allocated)" if 0 < used <= allocated else ""
        yield "node-hours in which jobs ran", f"{number(used)}{share}"
        ran = float((found.column("end") - found.column("start")).sum())
        yield "jobs ran for, added up", duration(ran)
        joules = found.column("joules")
        if (known := np.isfinite(joules)).any():
            yield "energy", f"{joules[known].sum() / 3.6e6:.3g} kWh, of {known.sum():,} attempts that say it"
    if found.reused:
        yield "results taken from earlier campaigns", f"{found.reused:,}"
    if gathered.troubles.lost_s:
        yield "spent on attempts that failed", duration(gathered.troubles.lost_s)
    if outputs.labels:
        yield "labels", f"{outputs.labels:,}"
        yield (
            "wall time of labels",
            f"{duration(outputs.seconds)}, {number(outputs.seconds / outputs.labels)} s each",
        )
        yield "processor time of labels", duration(outputs.cpu_seconds)
    hits = outputs.candidates.passed["stable"]
    if hits and allocated:
        yield "node-hours for each stable new crystal", number(allocated / hits)


def _steps(found: Attempts) -> Plot:
    table = steps_table(found)
    rows = [row for row in table.rows if row[-1]][:12]
    return Plot(
        name="costs",
        title="Node-hours by kind of job",
        traces=[
            {
                "type": "bar", "orientation": "h", "name": "node-hours",
                "y": [str(row[0]) for row in rows][::-1], "x": [row[-1] for row in rows][::-1],
                "marker": {"color": colour(0)},
            }
        ],
        layout={
            "xaxis": axis("node-hours in which jobs ran"),
            "yaxis": {"automargin": True},
            "showlegend": False,
        },
        alt="; ".join(f"{row[0]} {number(float(row[-1] or 0))}" for row in rows[:3]),
        caption="A job that shares a node with others takes its share.",
        table=table,
        height=90 + 24 * len(rows),
    )  # fmt: skip
