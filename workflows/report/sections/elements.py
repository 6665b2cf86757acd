"""Which elements the hits hold, or the labels where nothing was screened: a periodic table as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.report.parts import PeriodicTable, Section, Table

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """The map, and its numbers."""
    outputs = gathered.outputs
    counts, what = outputs.candidates.elements, "new candidates that are stable or metastable"
    if not counts:
        counts, what = outputs.elements, "labels"
    if not counts:
        return None
    caption = f"{what} that hold each element"
    table = Table(
        caption=caption,
        columns=("element", what),
        rows=[[symbol, count] for symbol, count in counts.most_common()],
        folded=True,
    )
    return Section(
        name="elements", title="Elements", parts=[PeriodicTable(caption=caption, values=dict(counts)), table]
    )
