"""Records that were not believed, with the reasons."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zonemelt.workflows.report.parts import Section, Table, first_line

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """The reasons, and the records."""
    outputs = gathered.outputs
    if not outputs.refused_count:
        return None
    rows = [[name, first_line(why)] for name, why in outputs.refused.items()]
    reasons = Counter(_kind(why) for why in outputs.refused.values())
    return Section(
        name="quarantine",
        title="Records in quarantine",
        parts=[
            Table(
                caption="reasons",
                columns=("reason", "records"),
                rows=[[reason, count] for reason, count in reasons.most_common(20)],
            ),
            Table(
                caption="records",
                columns=("record", "why"),
                rows=rows,
                of=outputs.refused_count if outputs.refused_count > len(rows) else None,
                folded=True,
            ),
        ],
    )


def _kind(why: str) -> str:
    """A reason without its numbers."""
    words = first_line(why).split(";")[0].split()
    return " ".join("…" if any(letter.isdigit() for letter in word) else word for word in words)
