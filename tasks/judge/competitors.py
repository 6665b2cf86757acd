"""Known crystals that candidates compete with: from a dataset, with energies of the candidates' own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.hull import Phase, References, phases_of, systems_within
from zonemelt.tasks.quality.corrections import correct_mp2020
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zonemelt.tasks.datasets.dataset import Dataset
    from zonemelt.tasks.judge.judging import ReferencesSpec
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

_OF_ELEMENTS: Final = {"hubbard_u", "setups"}  # compared element by element
_NOT_OF_LABELS: Final = {"protocol"}  # how an oracle of ours works; a potential has none
_CORRECTED: Final = "corrected by MP2020"


class Competitor(Document):
    """A known crystal."""

    identifier: str
    geometry: Geometry = Field(description="at which the energy was taken")
    energy_per_atom: float = Field(description="eV/atom, corrected where the candidates' are")
    members: tuple[float, ...] = Field(default=(), description="energies by members of a committee, eV/atom")

    def phase(self, member: int | None = None) -> Phase:
        """On the hull of all, or on that of one member; labels are the same to all members."""
        energy = self.energy_per_atom if member is None or not self.members else self.members[member]
        return Phase(self.identifier, composition_of(self.geometry.symbols), energy)


def composition_of(symbols: Iterable[str]) -> dict[str, float]:
    """Element → atoms."""
    found: dict[str, float] = {}
    for symbol in symbols:
        found[symbol] = found.get(symbol, 0) + 1
    return found


def open_references(spec: ReferencesSpec) -> Dataset:
    """The dataset of the references.

    Raises:
        InputError: there is none, or it is empty.
    """
    found = open_dataset(spec.dataset, spec.version or None)
    if not len(found):
        raise InputError("it is empty", where=spec.described, remedy="ingest known crystals")
    return found


def known_elements(spec: ReferencesSpec) -> set[str]:
    """The elements of which there is a pure crystal among the references: within these there are hulls.

    Raises:
        InputError: see :func:`open_references`.
    """
    if spec.crystals:
        systems = [set(one.geometry.symbols) for one in spec.crystals]
        return {next(iter(system)) for system in systems if len(system) == 1}
    elements: list[str] = open_references(spec).frame(["elements"])["elements"].unique().tolist()
    return {one for one in elements if "-" not in one}


def rows_within(dataset: Dataset, systems: Iterable[Iterable[str]]) -> list[int]:
    """Rows of the dataset whose elements all lie in one of the chemical systems."""
    names = dataset.frame(["elements"])["elements"]
    name_of = {frozenset(name.split("-")): name for name in names.unique()}
    wanted = {frozenset(system) for system in systems}
    allowed = {name_of[known] for system in wanted for known in systems_within(system, name_of)}
    rows: list[int] = np.flatnonzero(names.isin(allowed).to_numpy()).tolist()
    return rows


def crystals_within(spec: ReferencesSpec, systems: Iterable[Iterable[str]]) -> list[tuple[str, Geometry]]:
    """The references that a potential must see.

    Args:
        spec: with ``slack``, those whose labels lie farther above the hull of the labels are left out.
        systems: chemical systems of the candidates.

    Raises:
        InputError: there are none, or see :func:`.phases_of`.
    """
    if spec.crystals:
        wanted = [set(system) for system in systems]
        return [
            (one.identifier, one.geometry)
            for one in spec.crystals
            if any(set(one.geometry.symbols) <= system for system in wanted)
        ]
    dataset = open_references(spec)
    records = dataset.take(rows_within(dataset, systems))
    near = None
    if spec.slack is not None:
        phases = list(phases_of(dataset))
        near = {
            one.identifier
            for one in References(phases).place(phases)
            if one.above_hull is None or one.above_hull <= spec.slack
        }
    return [(one.identifier, one.geometry) for one in records if near is None or one.identifier in near]


def relaxed_competitors(
    crystals: Sequence[tuple[str, Geometry]], relaxed: Sequence[Mapping[str, Any]], *, closest: float
) -> tuple[list[Competitor], dict[str, str]]:
    """References as a potential relaxed them, and those of which nothing can be believed, with the reason.

    One that ran out of steps stays: its energy is one that atoms of this composition can have. One that fell
    into a hole of the potential does not: beside it everything else would be unstable.

    Args:
        crystals: identifiers and geometries as they were.
        relaxed: what became of each.
        closest: see :class:`.Judging`; one that had nearer atoms before may have them after.
    """
    found, lost = [], {}
    limits = Limits(min_distance=closest)
    for (name, before), one in zip(crystals, relaxed, strict=True):
        energies = [one["energy"], *one.get("members", ())]
        if one["outcome"] == Outcome.EXPLODED or any(energy is None for energy in energies):
            lost[name] = f"its relaxation {one['outcome']}"
            continue
        geometry = Geometry.model_validate(one["geometry"])
        if (faults := list(geometry_faults(geometry, limits))) and not any(geometry_faults(before, limits)):
            lost[name] = f"its relaxation ended in no structure: {faults[0]}"
            continue
        of_atom = [energy / len(geometry.symbols) for energy in energies]
        found.append(
            Competitor(
                identifier=name, geometry=geometry, energy_per_atom=of_atom[0], members=tuple(of_atom[1:])
            )
        )
    return found, lost


def labelled_competitors(
    dataset: Dataset, systems: Iterable[Iterable[str]], spec: ReferencesSpec
) -> list[Competitor]:
    """References with the energies of their labels.

    Raises:
        InputError: levels of theory are mixed, a record has no energy, or it cannot be corrected.
    """
    one_level(dataset, spec)
    return [_labelled(record, spec) for record in dataset.take(rows_within(dataset, systems))]


def one_level(dataset: Dataset, spec: ReferencesSpec) -> None:
    """Refuse references whose labels cannot be compared with one another.

    Corrections are what makes energies with and without U comparable.

    Raises:
        InputError: their levels of theory differ.
    """
    dataset.one_theory(ignoring=({"hubbard_u"} if spec.correct is not None else set()) | set(spec.ignoring))


def check_kind(spec: ReferencesSpec, theory: Theory, *, potential: str) -> None:
    """Refuse to compare what a potential says with labels of another kind than those it learnt.

    Args:
        spec: the references, and how they are used.
        theory: what the potential's labels were computed with.
        potential: its name.

    Raises:
        InputError: the levels of theory differ or are not known, or it is not said whether energies are
            corrected.
    """
    if spec.energies == "potential":
        return
    where, dataset = spec.described, open_references(spec)
    one_level(dataset, spec)
    for other in dataset.theories.values():
        for field, ours, theirs in _compared(theory, other, spec.ignoring):
            if field == "functional" and (ours is None or theirs is None):
                raise InputError(
                    f"nothing says the functional of {potential if ours is None else 'the references'}",
                    where=where,
                    remedy="give energies: potential, and they are relaxed by the potential too",
                )
            if ours != theirs and (field == "dispersion" or None not in {ours, theirs}):
                raise InputError(
                    f"their {field} is {theirs or 'none'}, and {potential} learnt from {ours or 'none'}",
                    where=where,
                    remedy="give energies: potential; or name in 'ignoring' what may differ",
                )
    _check_corrections(dataset, spec, theory, potential=potential)


def _compared(one: Theory, other: Theory, ignoring: Iterable[str]) -> Iterator[tuple[str, Any, Any]]:
    for field in type(one).model_fields:
        if field not in {*_OF_ELEMENTS, *_NOT_OF_LABELS, *ignoring}:
            yield field, getattr(one, field), getattr(other, field)


def _check_corrections(dataset: Dataset, spec: ReferencesSpec, theory: Theory, *, potential: str) -> None:
    where = f"{spec.described}: correct"
    said = theory.version or ""
    learnt = None if _CORRECTED not in said and "uncorrected" not in said else _CORRECTED in said
    corrected = bool(dataset.frame(["correction_energy"])["correction_energy"].notna().any())
    if spec.correct is None and corrected:
        hint = {None: "say which", True: "here: false", False: "here: true"}[learnt]
        raise InputError(
            "they are corrected, and nothing says whether the potential's energies are",
            where=where,
            remedy=f"true: uncorrected ones, corrected here; false: it learnt corrected ones. {hint}",
        )
    if learnt is not None and spec.correct is not None and spec.correct is learnt:
        kind = "corrected" if learnt else "uncorrected"
        raise InputError(
            f"{str(spec.correct).lower()}, and {potential} learnt {kind} energies",
            where=where,
            remedy=f"say {str(not spec.correct).lower()}",
        )


def _labelled(record: Record, spec: ReferencesSpec) -> Competitor:
    if spec.correct and record.correction is None:
        corrected = correct_mp2020(record)
        if corrected.reason:
            raise InputError(
                f"it cannot be corrected: {corrected.reason}",
                where=f"record {record.identifier} of {spec.dataset}",
                remedy="leave it out of the references, or give energies: potential",
            )
        record = corrected.record
    return Competitor(
        identifier=record.identifier,
        geometry=record.geometry,
        energy_per_atom=record.energy_corrected / len(record.geometry.symbols),
    )
