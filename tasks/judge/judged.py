"""All candidates judged together: duplicates, novelty, the hull, and how sure each verdict is."""

# M members of a committee

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.judge.competitors import composition_of
from zonemelt.tasks.judge.hull import Phase, Placed, References
from zonemelt.tasks.judge.joint_hull import placed_together
from zonemelt.tasks.judge.novelty import novel, unique
from zonemelt.tasks.judge.ranges import Range
from zonemelt.tasks.judge.verdict import Verdict, Word
from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.quality.corrections import correction_as_mp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.tasks.judge.competitors import Competitor
    from zonemelt.tasks.judge.examine import Examined
    from zonemelt.tasks.judge.judging import Judging
    from zonemelt.tasks.judge.target import Target
    from zonemelt.tasks.records import Geometry


class _Place(NamedTuple):
    """A candidate on the hull, and its deviation in eV/atom."""

    placed: Placed
    deviation: float | None


class _Kin(NamedTuple):
    """The first of those that are the same, and the known crystal that they are."""

    group: str
    known: str


def judged(
    found: Sequence[Examined],
    competitors: Sequence[Competitor],
    *,
    judging: Judging,
    known: Iterable[tuple[str, Geometry]] = (),
    target: Target | None = None,
    correct: bool = False,
) -> list[Verdict]:
    """Verdicts on relaxed candidates, in their order.

    Args:
        found: the candidates after their relaxation.
        competitors: what spans the hull; they are known crystals too.
        judging: bounds.
        known: other crystals that are not novel, such as candidates of earlier rounds.
        target: what is searched.
        correct: whether energies of candidates are corrected by MP2020 first, as the competitors' are.
    """
    others = [*((one.identifier, one.geometry) for one in competitors), *known]
    kin = _kin([one for one in found if not one.collapsed], others, judging=judging)
    same = {name: one.group for name, one in kin.items()}
    places = _places(found, competitors, same, judging=judging, correct=correct)
    return [
        on_target(_verdict(one, places.get(one.candidate.identifier), kin, judging=judging), target)
        for one in found
    ]


def on_target(verdict: Verdict, target: Target | None) -> Verdict:
    """The verdict, with whether it is what is searched, and why not."""
    if target is None or verdict.geometry is None:
        return verdict
    missed = [
        *target.composition_faults(verdict.geometry.symbols),
        *target.quantity_faults(verdict.quantities),
    ]
    reasons = [reason for reason in verdict.reasons if not reason.startswith("off target: ")]
    meant = not missed and verdict.converged and verdict.verdict is not Word.COLLAPSED
    return verdict.model_copy(
        update={
            "on_target": meant,
            "reasons": (*reasons, *(f"off target: {reason}" for reason in missed)),
        }
    )


def _places(
    found: Sequence[Examined],
    competitors: Sequence[Competitor],
    same: Mapping[str, str],
    *,
    judging: Judging,
    correct: bool,
) -> dict[str, _Place]:
    """Identifier → where each candidate with an energy lies."""
    corrections: dict[str, float] = {}
    answers: dict[str, _Place] = {}
    with_energy = [one for one in found if one.energy_per_atom is not None and not one.collapsed]
    for one in with_energy:
        name, atoms = one.candidate.identifier, len(one.geometry.symbols)
        if correct:
            correction, reason = correction_as_mp(one.geometry, (one.energy_per_atom or 0.0) * atoms)
            if correction is None:
                undefined = Placed(identifier=name, undefined=f"it cannot be corrected: {reason}")
                answers[name] = _Place(undefined, None)
                continue
            corrections[name] = correction / atoms
    compared = [one for one in with_energy if one.candidate.identifier not in answers]

    def on_hull(member: int | None = None) -> dict[str, Placed]:
        """On the hull of all, or on that which one member of a committee would draw: its errors cancel."""
        phases = [_phase(one, corrections, member) for one in compared]
        references = References(one.phase(member) for one in competitors)
        if judging.hull == "references":
            return {one.identifier: one for one in references.place(phases)}
        rest = {one.candidate.identifier for one in compared if one.outcome is Outcome.CONVERGED}
        together = placed_together(phases, references, same=same, competing=rest)
        return {one.identifier: one for one in together}

    mean = on_hull()
    members = min((len(one.members) for one in compared), default=0)
    by_member = [on_hull(member) for member in range(members)]
    for name, placed in mean.items():
        above_M = [one[name].above_hull for one in by_member]
        answers[name] = _Place(placed, _deviation([x for x in above_M if x is not None], judging))
    return answers


def _phase(one: Examined, corrections: Mapping[str, float], member: int | None) -> Phase:
    energy = one.energy_per_atom if member is None else one.members[member]
    assert energy is not None
    name = one.candidate.identifier
    return Phase(name, composition_of(one.geometry.symbols), energy + corrections.get(name, 0.0))


def _deviation(above_M: Sequence[float], judging: Judging) -> float | None:
    """Standard deviation of an energy above the hull, eV/atom; of members and of what is known of them."""
    spread = judging.factor * float(np.std(above_M, ddof=1)) if len(above_M) > 1 else None
    if spread is None:
        return judging.error
    return math.hypot(spread, judging.error or 0.0)


def _kin(
    found: Sequence[Examined], known: Sequence[tuple[str, Geometry]], *, judging: Judging
) -> dict[str, _Kin]:
    """Identifier → its group, named after its lowest in energy, and the known crystal that it is."""
    ours = sorted(found, key=lambda one: (_energy(one), one.candidate.identifier))
    crystals = Crystals.of(one.geometry for one in ours)
    groups = unique(crystals, alike=judging.alike).row_G.tolist()
    there = novel(crystals, Crystals.of(one for _, one in known), alike=judging.alike).row_G.tolist()
    return {
        one.candidate.identifier: _Kin(
            ours[group if group >= 0 else row].candidate.identifier, known[place][0] if place >= 0 else ""
        )
        for row, (one, group, place) in enumerate(zip(ours, groups, there, strict=True))
    }


def _energy(one: Examined) -> float:
    return math.inf if one.energy_per_atom is None else one.energy_per_atom


def _verdict(one: Examined, place: _Place | None, kin: Mapping[str, _Kin], *, judging: Judging) -> Verdict:
    name = one.candidate.identifier
    placed = place.placed if place else Placed(identifier=name, undefined="it has no energy")
    deviation = place.deviation if place else None
    own = kin.get(name)
    above, probability = placed.above_hull, None
    if above is not None and deviation is not None:
        probability = Range(most=judging.stable).probability(above, deviation)
    converged = one.outcome is Outcome.CONVERGED and not one.collapsed
    reasons = [*one.collapsed, *one.left, *one.remarks]
    if not converged and not one.collapsed:
        reasons.insert(0, f"the relaxation ended {one.outcome}: its energy is not that of a minimum")
    if placed.undefined and not one.collapsed:
        reasons.append(placed.undefined)
    if own and own.known:
        reasons.append(f"it is known: {own.known}")
    elif own and own.group != name:
        reasons.append(f"the same as {own.group}")
    return Verdict(
        identifier=name,
        formula=reduced_formula(one.geometry.symbols),
        geometry=one.geometry,
        energy_per_atom=one.energy_per_atom,
        formation_energy=placed.formation_energy,
        above_hull=above,
        decomposition=placed.decomposition,
        undefined="" if above is not None else placed.undefined,
        deviation=deviation if above is not None else None,
        probability=probability,
        group=own.group if own else name,
        novel=None if own is None else not own.known,
        same_as=own.known if own else "",
        converged=converged,
        left_basin=bool(one.left),
        volume_change=one.volume_change,
        space_group=one.space_group,
        properties=one.properties,
        origin=one.candidate.origin,
        verdict=_word(one, above, converged=converged, judging=judging),
        reasons=tuple(reasons),
    )


def _word(one: Examined, above: float | None, *, converged: bool, judging: Judging) -> Word:
    if one.collapsed:
        return Word.COLLAPSED
    if not converged:
        return Word.UNCONVERGED
    if above is None:
        return Word.UNDEFINED
    if above <= judging.stable:
        return Word.STABLE
    return Word.METASTABLE if above <= judging.metastable else Word.UNSTABLE
