"""What a relaxation did to a crystal: did it collapse, come to rest, and stay in its basin?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.explore.candidate import Candidate  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.judge.verdict import Estimate  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.quality.duplicates import find_duplicates
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.quality.same import ANY, Alike, stayed
from zonemelt.tasks.quality.symmetry import symmetry_of
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.judge.judging import Judging

BASIN: Final = Alike(length=0.3, site=0.5, angle=10.0, fingerprint=ANY)
"""When a relaxed crystal still is what it began as: the tolerances by which structure prediction is scored
(T. Xie et al., ICLR 2022)."""


class Examined(Document):
    """A candidate after its relaxation, before it is compared with others."""

    candidate: Candidate
    geometry: Geometry
    energy_per_atom: float | None = Field(description="eV/atom")
    members: tuple[float, ...] = Field(default=(), description="energies by members of a committee, eV/atom")
    outcome: Outcome
    collapsed: tuple[str, ...] = Field(default=(), description="why what is left is no structure")
    left: tuple[str, ...] = Field(default=(), description="why it is not in the basin where it began")
    volume_change: float
    space_group: int | None
    properties: dict[str, Estimate] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def examined(candidate: Candidate, relaxed: Mapping[str, Any], *, judging: Judging) -> Examined:
    """Look at one relaxation.

    Args:
        candidate: as it was before.
        relaxed: of :func:`.relaxed_documents`, with ``members`` where a committee relaxed it.
        judging: bounds.
    """
    before, after = candidate.geometry, Geometry.model_validate(relaxed["geometry"])
    outcome = Outcome(relaxed["outcome"])
    atoms = len(after.symbols)
    energies = [relaxed["energy"], *relaxed.get("members", ())]
    finite = all(energy is not None for energy in energies)
    collapsed = [f"the relaxation {outcome}"] if outcome is Outcome.EXPLODED else []
    collapsed += list(geometry_faults(after, Limits(min_distance=judging.closest)))
    if not finite and outcome is not Outcome.EXPLODED:
        collapsed.append("its energy is no number")
    change = _volume(after) / _volume(before) - 1
    symmetry = None if collapsed else symmetry_of(after, symprec=judging.symprec)
    return Examined(
        candidate=candidate,
        geometry=after,
        energy_per_atom=relaxed["energy"] / atoms if finite else None,
        members=tuple(energy / atoms for energy in energies[1:]) if finite else (),
        outcome=outcome,
        collapsed=tuple(collapsed),
        left=() if collapsed else tuple(_left(before, after, change, symmetry, judging)),
        volume_change=change,
        space_group=symmetry[0] if symmetry else None,
    )


def _left(
    before: Geometry, after: Geometry, change: float, symmetry: tuple[int, int] | None, judging: Judging
) -> list[str]:
    """Why the crystal after a relaxation is not the one before."""
    reasons = []
    if abs(change) > judging.volume:
        reasons.append(f"its volume changed by {100 * change:+.0f} %, more than {100 * judging.volume:.0f} %")
    there_still = stayed(before, after, BASIN) or (
        find_duplicates((("before", before), ("after", after)), alike=BASIN).groups
    )
    if not there_still:
        reasons.append("the relaxed crystal does not match the one that was given")
    first = symmetry_of(before, symprec=judging.symprec)
    if first and symmetry and symmetry[1] < first[1]:
        reasons.append(f"it lost symmetry: space group {first[0]} became {symmetry[0]}")
    return reasons


def _volume(geometry: Geometry) -> float:
    return float(abs(np.linalg.det(np.array(geometry.cell))))
