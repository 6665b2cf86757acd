"""The steps of a judgement as jobs: sift, examine what was relaxed, gather references, judge, add phonons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Candidate
from zonemelt.tasks.judge.competitors import (
    Competitor,
    check_kind,
    known_elements,
    labelled_competitors,
    open_references,
    relaxed_competitors,
)
from zonemelt.tasks.judge.estimates import Models
from zonemelt.tasks.judge.examine import Examined, examined
from zonemelt.tasks.judge.judged import judged, on_target
from zonemelt.tasks.judge.judging import Judging, ReferencesSpec
from zonemelt.tasks.judge.sift import sifted
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.judge.verdict import Verdict, Word, counted
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


FINE: Final = frozenset({Word.STABLE, Word.METASTABLE})


def judging_of(document: Mapping[str, Any]) -> Judging:
    """Settings of a judgement.

    Raises:
        InputError: a key is unknown, with the nearest that exists, or a value cannot be used.
    """
    return read_settings(Judging, document, where="judging", page="docs/screening.md")


def references_of(document: Mapping[str, Any]) -> ReferencesSpec:
    """Which references are used, and how; errors as above."""
    return read_settings(ReferencesSpec, document, where="references", page="docs/screening.md")


def target_of(said: Any) -> Target | None:
    """A target; None where nothing is said.

    Raises:
        InputError: see :meth:`.Target.of`.
    """
    return Target.of(said) if said else None


def check_judgement(
    *,
    potential: str,
    references: Mapping[str, Any],
    target: Any,
    models: Sequence[str],
    device: str = "cpu",
    trust: bool = False,
) -> None:
    """Refuse a judgement that cannot be made, before anything is relaxed.

    Raises:
        InputError: references of another kind than the potential, a target that nothing can satisfy, a model
            or a potential that cannot be opened.
    """
    opened = load_potential(potential, device=device, trust=trust)
    spec = references_of(references)
    pure = known_elements(spec)
    check_kind(spec, opened.theory, potential=opened.name)
    predicting = Models(models, device=device)
    if (wanted := target_of(target)) is not None:
        wanted.check_properties(predicting.units)
        wanted.check_elements(opened.elements, who=f"the potential {opened.name}")
        if "above_hull" in wanted.ranges:
            wanted.check_elements(pure, who=f"hull of the {spec.described}")


@job
def sift_job(
    *,
    candidates: list[dict[str, Any]],
    potential: str,
    judging: dict[str, Any],
    target: Any = None,
    models: list[str] | None = None,
    device: str = "cpu",
    trust: bool = False,
) -> dict[str, Any]:
    """Part candidates into those that are relaxed and the verdicts on all others; see :func:`.sifted`.

    Returns:
        ``kept``; ``refused``, verdicts; ``order``, identifiers; ``systems``, of what is kept.
    """
    opened = load_potential(potential, device=device, trust=trust)
    kept, refused = sifted(
        candidates, elements=opened.elements, potential=opened.name, judging=judging_of(judging),
        target=target_of(target), models=Models(models or [], device=device),
    )  # fmt: skip
    systems = {tuple(sorted(set(one.geometry.symbols))) for one in kept}
    return {
        "kept": [one.model_dump(mode="json") for one in kept],
        "refused": [one.model_dump(mode="json") for one in refused],
        "order": [str(one["identifier"]) for one in candidates],
        "systems": sorted(map(list, systems)),
    }


@job
def examine_job(
    *,
    candidates: list[dict[str, Any]],
    relaxed: list[dict[str, Any]],
    judging: dict[str, Any],
    models: list[str] | None = None,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Look at relaxations, and predict properties of what they came to; see :func:`.examined`."""
    bounds = judging_of(judging)
    found = [
        examined(Candidate.model_validate(one), after, judging=bounds)
        for one, after in zip(candidates, relaxed, strict=True)
    ]
    if models:
        whole = [row for row, one in enumerate(found) if not one.collapsed]
        said = Models(models, device=device)([found[row].geometry for row in whole])
        for row, one in zip(whole, said, strict=True):
            remarks = (f"a model says nothing of it: {one.refused}",) if one.refused else ()
            found[row] = found[row].model_copy(update={"properties": one.properties, "remarks": remarks})
    return [one.model_dump(mode="json") for one in found]


@job
def competitors_job(
    *,
    identifiers: list[str],
    geometries: list[dict[str, Any]],
    relaxed: list[dict[str, Any]],
    judging: dict[str, Any],
) -> dict[str, Any]:
    """References as the potential has them: ``competitors``, and ``lost``, name → reason."""
    crystals = [
        (name, Geometry.model_validate(one)) for name, one in zip(identifiers, geometries, strict=True)
    ]
    found, lost = relaxed_competitors(crystals, relaxed, closest=judging_of(judging).closest)
    return {"competitors": [one.model_dump(mode="json") for one in found], "lost": lost}


def labelled_references(
    references: Mapping[str, Any], systems: list[list[str]], *, potential: str, trust: bool
) -> dict[str, Any]:
    """References with the energies of their labels, as :func:`competitors_job` gives the others.

    Raises:
        InputError: they cannot be compared with what the potential says.
    """
    spec = references_of(references)
    opened = load_potential(potential, trust=trust)
    check_kind(spec, opened.theory, potential=opened.name)
    found = labelled_competitors(open_references(spec), systems, spec)
    return {"competitors": [one.model_dump(mode="json") for one in found], "lost": {}}


@job
def judge_job(
    *,
    sieve: dict[str, Any],
    found: list[dict[str, Any]],
    references: dict[str, Any],
    judging: dict[str, Any],
    target: Any = None,
    known: list[dict[str, Any]] | None = None,
    correct: bool = False,
) -> dict[str, Any]:
    """Judge all candidates together; see :func:`.judged`.

    Args:
        sieve: what :func:`sift_job` returned.
        found: what :func:`examine_job` returned.
        references: what :func:`competitors_job` returned.
        judging: settings.
        target: what is searched.
        known: crystals that are not novel: documents with ``identifier`` and ``geometry``.
        correct: whether candidates are corrected by MP2020.

    Returns:
        ``verdicts``, in the order of the candidates; ``counts``, see :func:`.counted`; ``references``: how
        many ``crystals``; those that were ``lost``; and ``phases``, the geometries of what stable and
        metastable candidates would fall apart into, candidates among it where they compete.

    Raises:
        InputError: a known crystal cannot be read.
    """
    competitors = [Competitor.model_validate(one) for one in references["competitors"]]
    verdicts = judged(
        [Examined.model_validate(one) for one in found], competitors,
        judging=judging_of(judging), known=_known(known or []), target=target_of(target), correct=correct,
    )  # fmt: skip
    verdicts += [Verdict.model_validate(one) for one in sieve["refused"]]
    by_name = {one.identifier: one for one in verdicts}
    named = {name for one in verdicts if one.verdict in FINE for name in one.decomposition}
    return judgement(
        [by_name[name] for name in sieve["order"]],
        references={
            "crystals": len(competitors),
            "lost": references["lost"],
            "phases": {
                name: geometry.model_dump(mode="json")
                for name, geometry in (
                    *((one.identifier, one.geometry) for one in verdicts),
                    *((one.identifier, one.geometry) for one in competitors),
                )
                if name in named and geometry is not None
            },
        },
    )


def judgement(verdicts: Sequence[Verdict], *, references: Mapping[str, Any]) -> dict[str, Any]:
    """What a judgement returns."""
    return {
        "verdicts": [one.model_dump(mode="json") for one in verdicts],
        "counts": counted(verdicts),
        "references": dict(references),
    }


def short_list(verdicts: Sequence[Verdict], most: int) -> list[Verdict]:
    """The best: one of each group, novel, at rest, on target where there is one, lowest above the hull.

    Args:
        verdicts: of all.
        most: how many.
    """
    fit = [
        one
        for one in verdicts
        if one.verdict in FINE
        and one.is_new
        and one.on_target is not False
        and one.dynamically_stable is not False
    ]
    return sorted(fit, key=lambda one: (one.above_hull or 0.0, one.identifier))[:most]


@job
def add_phonons_job(
    *, judged: dict[str, Any], names: list[str], phonons: list[dict[str, Any]], target: Any = None
) -> dict[str, Any]:
    """The judgement with the lowest frequencies of the short list."""
    wanted, found = target_of(target), dict(zip(names, phonons, strict=True))
    verdicts = []
    for document in judged["verdicts"]:
        one = Verdict.model_validate(document)
        if (said := found.get(one.identifier)) is not None:
            numbers = said["numbers"]
            reason = f"no phonons: {said['reason']}" if numbers is None else "imaginary modes"
            stable = None if numbers is None else bool(numbers["stable"])
            update: dict[str, Any] = {"dynamically_stable": stable}
            if numbers is not None:
                update["lowest_frequency"] = float(numbers["lowest"])
            if not stable:
                update["reasons"] = (*one.reasons, reason)
            one = on_target(one.model_copy(update=update), wanted)
        verdicts.append(one)
    return judgement(verdicts, references=judged["references"])


def _known(documents: Sequence[Mapping[str, Any]]) -> list[tuple[str, Geometry]]:
    found = []
    for number, one in enumerate(documents):
        if one.get("geometry") is None:  # a verdict on what was no structure
            continue
        where = f"known, number {number}"
        if "identifier" not in one:
            raise InputError("it has no 'identifier'", where=where, remedy="give one of its own to each")
        found.append((str(one["identifier"]), read_settings(Geometry, one["geometry"], where=where)))
    return found
