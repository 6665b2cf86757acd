"""The first sieve: which candidates are structures and may be what is searched, before any relaxation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from zonemelt.tasks.convert.checked import described
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Candidate, Origin
from zonemelt.tasks.judge.verdict import Estimate, Verdict, Word
from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zonemelt.tasks.judge.estimates import Models
    from zonemelt.tasks.judge.judging import Judging
    from zonemelt.tasks.judge.target import Target

UNKNOWN_ORIGIN = Origin(explorer="given", parent="")


def sifted(
    candidates: Sequence[Mapping[str, Any]],
    *,
    elements: Collection[str],
    potential: str,
    judging: Judging,
    target: Target | None = None,
    models: Models | None = None,
) -> tuple[list[Candidate], list[Verdict]]:
    """Part candidates into those worth a relaxation and the verdicts on all others.

    Args:
        candidates: :class:`.Candidate` as dictionaries; ``origin`` may be absent.
        elements: that the potential knows.
        potential: its name, for reasons.
        judging: what counts as a structure.
        target: what is searched; None for anything.
        models: of the properties in the target's ranges.

    Raises:
        InputError: a candidate has no identifier, or two have one.
    """
    names = [_name(one, number) for number, one in enumerate(candidates)]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise InputError(
            f"'{twice[0]}' is there twice", where="candidates", remedy="give each a name of its own"
        )
    kept: list[Candidate] = []
    verdicts: list[Verdict] = []
    for name, document in zip(names, candidates, strict=True):
        read, reason = _read(name, document)
        if read is None:
            verdicts.append(_nothing(name, document, reason))
            continue
        if faults := _faults(read.geometry, elements, potential, judging):
            verdicts.append(_refused(read, Word.INVALID, faults))
        elif target and (faults := list(target.composition_faults(read.geometry.symbols))):
            verdicts.append(_refused(read, Word.OFF_TARGET, faults))
        else:
            kept.append(read)
    if target and target.predicted and models:
        return _promising(kept, verdicts, target=target, models=models, promise=judging.promise)
    return kept, verdicts


def _promising(
    candidates: list[Candidate], verdicts: list[Verdict], *, target: Target, models: Models, promise: float
) -> tuple[list[Candidate], list[Verdict]]:
    """Those of which the models do not say that they miss the target."""
    kept = []
    for one, said in zip(candidates, models([one.geometry for one in candidates]), strict=True):
        faults = []
        for name in target.predicted:
            if name not in said.properties:
                faults.append(f"{name} is not known: {said.refused}")
                continue
            found, wanted = said.properties[name], target.ranges[name]
            if wanted.probability(found.value, found.deviation) < max(promise, 1e-12):
                faults.append(f"{name} predicted {_written(found)}: not {wanted.described}")
        if faults:
            verdicts.append(_refused(one, Word.OFF_TARGET, faults, properties=said.properties))
        else:
            kept.append(one)
    return kept, verdicts


def _written(found: Estimate) -> str:
    spread = "" if found.deviation is None else f" ± {found.deviation:.3g}"
    return f"{found.value:.3g}{spread} {found.unit}".rstrip()


def _name(document: Any, number: int) -> str:
    name = document.get("identifier") if hasattr(document, "get") else None
    if not isinstance(name, str) or not name:
        raise InputError(
            "it has no identifier",
            where=f"candidate {number}",
            remedy="give documents with 'identifier' and 'geometry'",
        )
    return name


def _read(name: str, document: Mapping[str, Any]) -> tuple[Candidate | None, str]:
    try:
        geometry = Geometry.model_validate(document.get("geometry"))
        origin = Origin.model_validate(document.get("origin") or UNKNOWN_ORIGIN)
    except ValidationError as error:
        return None, f"no structure: {described(error)}"
    return Candidate(identifier=name, geometry=geometry, origin=origin), ""


def _faults(geometry: Geometry, elements: Collection[str], potential: str, judging: Judging) -> list[str]:
    if not all(geometry.periodic):
        return ["it does not repeat in all directions"]
    if strange := sorted(set(geometry.symbols) - set(elements)):
        return [f"{potential} does not know {', '.join(strange)}"]
    return list(geometry_faults(geometry, Limits(min_distance=judging.closest)))


def _refused(
    one: Candidate, word: Word, reasons: Sequence[str], *, properties: Mapping[str, Estimate] | None = None
) -> Verdict:
    return Verdict(
        identifier=one.identifier,
        formula=reduced_formula(one.geometry.symbols),
        geometry=one.geometry,
        valid=word is not Word.INVALID,
        group=one.identifier,
        properties=dict(properties or {}),
        on_target=False if word is Word.OFF_TARGET else None,
        origin=one.origin,
        verdict=word,
        reasons=tuple(reasons),
    )


def _nothing(name: str, document: Mapping[str, Any], reason: str) -> Verdict:
    """The verdict on what is no structure at all."""
    try:
        formula = reduced_formula(document["geometry"]["symbols"])
    except (KeyError, TypeError, ValueError):
        formula = ""
    return Verdict(
        identifier=name, formula=formula, geometry=None, valid=False, group=name,
        verdict=Word.INVALID, reasons=(reason,),
    )  # fmt: skip
