"""What to cite: the codes, models, methods and data sets that a campaign used, as BibTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.report.cited import Reference, used_references
from zonemelt.workflows.report.parts import Code, Section, Table

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """A table, and BibTeX to copy."""
    if not gathered.summary.total:
        return None
    found: list[Reference] = used_references(gathered)
    return Section(
        name="citations",
        title="What to cite",
        parts=[
            Table(
                caption="codes, models, methods and data",
                columns=("what", "why", "work"),
                rows=[[one.what, one.why, one.short] for one in found],
            ),
            Code(caption="BibTeX", text="\n\n".join(one.bibtex for one in found)),
        ],
    )
