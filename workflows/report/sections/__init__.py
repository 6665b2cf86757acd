"""The sections of a report, each a function from what was gathered to a section, or None without data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonemelt.workflows.report.sections import (
    candidates,
    citations,
    costs,
    discoveries,
    elements,
    failures,
    funnel,
    hulls,
    learning,
    machine,
    overview,
    parity,
    quarantine,
    results,
    software,
    spec,
    structures,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from zonemelt.workflows.report.parts import Section
    from zonemelt.workflows.report.reading import Gathered

SECTIONS: Final[tuple[Callable[[Gathered], Section | None], ...]] = (
    overview.section,
    funnel.section,
    results.section,
    discoveries.section,
    learning.section,
    parity.section,
    hulls.section,
    candidates.section,
    structures.section,
    elements.section,
    machine.section,
    costs.section,
    failures.section,
    quarantine.section,
    spec.section,
    software.section,
    citations.section,
)


def sections_of(gathered: Gathered) -> list[Section]:
    """The sections that have something to say."""
    return [found for make in SECTIONS if (found := make(gathered)) is not None]
