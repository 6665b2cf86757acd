"""Judge a round of discovery: what its models were worth on new labels, and what the labels confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.judge.competitors import composition_of
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Property
from zonemelt.tasks.rounds.discovered import Discovery, Funnel, HullPoint, Lesson, Outcome
from zonemelt.tasks.rounds.judge import Round, judge_committee, known_to, round_document
from zonemelt.tasks.rounds.near_hull import is_refined, placed
from zonemelt.tasks.train.predictor import open_model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zonemelt.tasks.judge.hull import Placed
    from zonemelt.tasks.records import Record

SHOWN: Final = 0.1
"""eV/atom above the hull up to which labelled crystals are points of an outcome's hull."""
_MOST_POINTS: Final = 200


def discoveries(
    found: Sequence[Mapping[str, Any]],
    records: Mapping[str, Record],
    where: Mapping[str, Placed],
    target: Target,
    *,
    number: int,
) -> list[Discovery]:
    """What the labels say of proposed crystals, on the hull of all labels; the most stable first.

    Args:
        found: see :func:`.asked_for`; those of earlier rounds have their ``round``.
        records: identifier → label.
        where: identifier → its place on the hull.
        target: what is looked for.
        number: of the round of those that do not say.
    """
    made = []
    for one in found:
        record, verdict = records[one["identifier"]], Verdict.model_validate(one["verdict"])
        spot = where[record.identifier]
        assert spot.above_hull is not None  # a verdict without a hull is never proposed
        assert spot.formation_energy is not None
        known = {name: record.properties[name] for name in target.predicted if name in record.properties}
        said = {
            name: Property(value=verdict.properties[name].value, unit=verdict.properties[name].unit)
            for name in target.predicted
            if name not in known and name in verdict.properties
        }
        values = {
            **verdict.quantities,
            **{name: _number(one) for name, one in known.items()},
            "above_hull": spot.above_hull, "formation_energy": spot.formation_energy,
            "energy_per_atom": record.energy_per_atom,
        }  # fmt: skip
        faults = [
            *target.composition_faults(record.geometry.symbols),
            *target.quantity_faults(values),
        ]
        made.append(
            Discovery(
                identifier=record.identifier, formula=verdict.formula, round=int(one.get("round", number)),
                label=str(one["label"]), geometry=record.geometry, origin=verdict.origin,
                energy_per_atom=record.energy_per_atom, formation_energy=spot.formation_energy,
                above_hull=spot.above_hull, predicted_above_hull=verdict.above_hull,
                deviation=verdict.deviation, space_group=verdict.space_group,
                force=_largest(record), properties={**said, **known}, predicted=tuple(said),
                confirmed=not faults, reasons=tuple(faults),
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: (one.above_hull, one.identifier))


def _number(said: Property) -> float | None:
    return float(said.value) if isinstance(said.value, int | float) else None


def _largest(record: Record) -> float | None:
    if record.forces is None:
        return None
    return float(np.linalg.norm(np.array(record.forces), axis=1).max())


def hull_points(
    records: Mapping[str, Record], where: Mapping[str, Placed], found: Collection[str]
) -> list[HullPoint]:
    """Labelled crystals on the hull or near it, the lowest first."""
    points = [
        HullPoint(
            identifier=name,
            composition=composition_of(sorted(record.geometry.symbols)),
            formation_energy=spot.formation_energy or 0.0,
            above_hull=max(spot.above_hull, 0.0),
            seed=name not in found and not is_refined(name),
        )
        for name, record in records.items()
        if (spot := where[name]).above_hull is not None and spot.above_hull <= SHOWN
    ]
    return sorted(points, key=lambda one: (one.above_hull, one.identifier))[:_MOST_POINTS]


def lessons(
    gathered: Mapping[str, Any],
    learnt: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    records: Mapping[str, Record],
) -> tuple[list[Lesson], float]:
    """What each model was worth on labels that it had not seen, and what it is trained on now.

    Args:
        gathered: what came in the round.
        learnt: models that were trained on it.
        before: document of the round before, with the models of then.
        records: all labels.

    Returns:
        The lessons; and by how much the committee's deviations of energies were too small on those labels.
    """
    new = [records[name] for name in gathered["accepted"] if name in records] if before else []
    errors: dict[str, float] = {}
    factor = 1.0
    if before and new:
        committee: Any = load_potential(before["committee"], dtype="float64")
        if known := known_to(committee, new):
            errors = judge_committee(committee, known)
            factor = energy_factor(committee, known)
    potential = Lesson(
        model="potential", labels=len(records), new=len(new) if errors else 0, errors=_finite(errors)
    )
    generator = Lesson(
        model="generator", labels=learnt["generator"]["records"], metrics=learnt["generator"]["metrics"]
    )
    models = [
        _property_lesson(name, one, (before or {}).get("models", {}).get(name), new)
        for name, one in sorted(learnt["models"].items())
    ]
    return [potential, generator, *models], factor


def energy_factor(committee: Any, records: Sequence[Record]) -> float:
    """By how much deviations of energies must be multiplied to be as large as the errors; 1 at least."""
    crystals = Crystals.of(one.geometry for one in records)
    found, spread = committee.evaluate_with_spread(crystals)
    labels_G = np.array([float(one.energy_free or 0.0) for one in records])
    errors_G = (found.energies_G - labels_G) / crystals.sizes_G
    return float(max(1.0, np.sqrt((errors_G**2).mean() / max(float((spread.energies_G**2).mean()), 1e-12))))


def _property_lesson(
    name: str, learnt: Mapping[str, Any], before: str | None, new: Sequence[Record]
) -> Lesson:
    known = [one for one in new if name in one.properties and not isinstance(one.properties[name].value, str)]
    errors = {}
    if before and known:
        said = open_model(before).predict(Crystals.of(one.geometry for one in known))
        labels_N = np.array([float(one.properties[name].value) for one in known])  # type: ignore[arg-type]
        unit = said.properties[0][1]
        errors = {f"{name} mae ({unit})": float(np.abs(said.mean_NP[:, 0] - labels_N).mean())}
    return Lesson(
        model=name, labels=int(learnt["labels"]), new=len(known) if errors else 0, errors=errors,
        metrics=_finite(learnt.get("metrics", {})),
    )  # fmt: skip


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value) for name, value in values.items()
        if isinstance(value, int | float) and np.isfinite(value)
    }  # fmt: skip


@job
def judge_discovery_job(*, done: dict[str, Any], target: Any, oracle: str) -> dict[str, Any]:
    """A round's document, see :func:`.round_document`, with models and :class:`.Outcome`.

    Args:
        done: a :class:`.Round`; its committee has ``folder``, ``generator``, ``near`` and ``models``.
        target: what is looked for.
        oracle: name of what labels.
    """
    this, wanted = Round(**done), Target.of(target)
    number, gathered, committee, before = this.number, this.gathered, this.committee, this.before
    records = {one.identifier: one for one in this.labels().records()}
    where = placed(records.values())
    errors: dict[str, float] = {}
    if (held := this.held()) is not None:
        judged: Any = load_potential(committee["folder"], dtype="float64")
        if known := known_to(judged, held.records()):
            errors = judge_committee(judged, known)
    document = round_document(this, errors)
    earlier = before["found"] if before else []
    found = [*earlier, *({**one, "round": number} for one in gathered.get("found", []))]
    made = discoveries(found, records, where, wanted, number=number)
    now = [one for one in made if one.round == number]
    funnel = Funnel.sum_of(Funnel.model_validate(one["summary"]["funnel"]) for one in this.choices)
    funnel = funnel.model_copy(update={"labelled": len(now), "confirmed": sum(one.confirmed for one in now)})
    learnt, factor = lessons(gathered, committee, before, records)
    outcome = Outcome(
        target=wanted.model_dump(mode="json", exclude_defaults=True), described=said_of(target, wanted),
        oracle=oracle, funnel=funnel, discoveries=made, factor=factor,
        hull=hull_points(records, where, {one.identifier for one in made}), lessons=learnt,
    )  # fmt: skip
    return {
        **document,
        "generator": committee["generator"]["folder"],
        "near": committee["near"],
        "wish": committee["near"]["wish"],
        "models": {name: one["folder"] for name, one in committee["models"].items()},
        "found": found,
        "discovery": outcome.model_dump(mode="json"),
    }


def said_of(said: Any, target: Target) -> str:
    """A target in words: as a person wrote it where they used words."""
    if isinstance(said, str):
        return said
    parts = [f"{name} {one.described}" for name, one in target.ranges.items()]
    for word, some in (("with", target.require), ("no", target.forbid), ("only", target.only)):
        parts += [f"{word} {' '.join(some)}"] if some else []
    for what, most in (("elements", target.most_elements), ("atoms", target.most_atoms)):
        parts += [f"at most {most} {what}"] if most is not None else []
    return ", ".join(parts)
