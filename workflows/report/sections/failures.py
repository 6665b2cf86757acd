"""What failed and why, what was tried again, and what the head noted of machines and persons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.paper import moment
from zonemelt.workflows.report.parts import Notes, Section, Table

if TYPE_CHECKING:
    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """Causes, kinds of failure, events; a sentence where nothing went wrong."""
    found = gathered.troubles
    if not gathered.summary.total:
        return None
    parts: list[Part] = []
    if found.alike:
        parts.append(
            Table(
                caption="attempts that failed, by cause",
                columns=("cause", "attempts", "tried again"),
                rows=[[cause, count, found.again[cause]] for cause, count in found.causes.most_common()],
            )
        )
        parts.append(
            Table(
                caption="reasons",
                columns=(
                    "kind of job",
                    "cause",
                    "reason",
                    "attempts",
                    "jobs that failed for good",
                    "for example",
                ),
                rows=[
                    [one.step, one.cause, one.reason, one.count, one.over, f"job {one.job}, {one.name}"]
                    for one in found.alike
                ],
                of=found.kinds if found.kinds > len(found.alike) else None,
            )
        )
    else:
        parts.append(Notes(lines=["No attempt of any job failed."]))
    if found.events:
        parts.append(
            Table(
                caption="what the head noted",
                columns=("when", "what", ""),
                rows=[[moment(at), what, words] for at, what, words in found.events],
                folded=True,
            )
        )
    return Section(name="failures", title="Failures and retries", parts=parts)
