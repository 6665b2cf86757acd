"""Which records belong together when a data set is split: by composition, by prototype, by calculation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.quality.symmetry import prototype
from zonemelt.tasks.records import Ingested

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.records import Geometry, Record


def by_composition(structures: Iterable[tuple[str, Geometry]]) -> dict[str, str]:
    """Identifier → reduced formula, ``Al2O3``: no composition is both learnt and tested."""
    return {identifier: reduced_formula(geometry.symbols) for identifier, geometry in structures}


def by_elements(structures: Iterable[tuple[str, Geometry]]) -> dict[str, str]:
    """Identifier → chemical system, ``Al-O``."""
    return {identifier: "-".join(sorted(set(geometry.symbols))) for identifier, geometry in structures}


def by_prototype(structures: Iterable[tuple[str, Geometry]], *, symprec: float = 0.1) -> dict[str, str]:
    """Identifier → anonymous formula, space group and Wyckoff letters: no structure type is both."""
    return {identifier: prototype(geometry, symprec=symprec) for identifier, geometry in structures}


def by_calculation(records: Iterable[Record]) -> dict[str, str]:
    """Identifier → calculation: frames of one relaxation or trajectory are near copies of each other.

    Labels that an oracle of a campaign computed are each a calculation of their own.
    """
    return {
        record.identifier: record.provenance.calculation
        for record in records
        if isinstance(record.provenance, Ingested)
    }
