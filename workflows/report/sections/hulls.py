"""Where hits lie on convex hulls: of all labels, or of the references of a screening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.report.parts import Section
from zonemelt.workflows.report.sections.hull_of_candidates import of_candidates
from zonemelt.workflows.report.sections.hull_of_labels import of_labels

if TYPE_CHECKING:
    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """The diagrams of the hull that says most."""
    outputs = gathered.outputs
    parts: list[Part] = []
    if outputs.outcome:
        parts += of_labels(outputs.outcome["hull"])
    elif outputs.candidates:
        parts += of_candidates(outputs.candidates)
    return Section(name="stability", title="Stability", parts=parts) if parts else None
