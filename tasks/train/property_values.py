"""Properties of all records of a dataset as numbers, by name, with one unit and one level of theory each."""

# N records, P properties

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.quality.splits import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.datasets import Dataset

ENERGIES: Final = {"energy_per_atom": "energy_sigma0", "energy_free_per_atom": "energy_free"}
"""Name of an energy among the properties, eV/atom → column of the dataset, eV the whole cell."""
_LEVEL: Final = ("identifier", "theory", "hubbard_u", "setups", "elements")


@dataclass(frozen=True, kw_only=True)
class PropertyValues:
    """What records say of themselves.

    Attributes:
        names_N: their identifiers (N,).
        natoms_N: atoms of each (N,).
        elements_N: symbols of the elements in each (N,).
        values_NP: properties (N, P), in their units; NaN where a record lacks one.
        properties: name and unit of each.
    """

    names_N: list[str]
    natoms_N: NDArray[np.int64]
    elements_N: list[frozenset[str]]
    values_NP: NDArray[np.float64]
    properties: tuple[tuple[str, str], ...]


def read_properties(
    dataset: Dataset, names: Sequence[str], *, ignoring: Sequence[str] = ()
) -> PropertyValues:
    """Properties of all records of a dataset, by name.

    Args:
        dataset: to be read.
        names: of P properties; :data:`ENERGIES` are worked out per atom.
        ignoring: fields of the level of theory that may differ among the records with one property.

    Raises:
        InputError: a property is not there (the nearest name is given), is no number or infinite, or has two
            units or several levels of theory.
        StoreError: the dataset is damaged.
    """
    columns = list(dict.fromkeys([*_LEVEL, "natoms", "properties", *ENERGIES.values()]))
    batches = list(dataset.batches(columns))
    identifiers = _column(batches, "identifier")
    natoms_N = np.array(_column(batches, "natoms"), np.int64)
    said = [json.loads(text) for text in _column(batches, "properties")]
    values_NP = np.full((len(identifiers), len(names)), np.nan)
    units: list[str] = []
    for column, name in enumerate(names):
        if any(name in one for one in said):
            values_NP[:, column], unit = _of_records(name, said, identifiers)
        elif name in ENERGIES:
            energies = np.array(_column(batches, ENERGIES[name]), float)
            values_NP[:, column], unit = energies / natoms_N, "eV/atom"
        else:
            known = sorted({key for one in said for key in one} | set(ENERGIES))
            raise UnknownKeyError.of(name, known, where=f"properties of {dataset.directory}")
        units.append(unit)
        _check(name, values_NP[:, column], identifiers)
        _one_theory(name, np.isfinite(values_NP[:, column]), batches, dataset, ignoring)
    return PropertyValues(
        names_N=identifiers,
        natoms_N=natoms_N,
        elements_N=[frozenset(text.split("-")) for text in _column(batches, "elements")],
        values_NP=values_NP,
        properties=tuple(zip(names, units, strict=True)),
    )


def _column(batches: Sequence[Any], name: str) -> list[Any]:
    return list(chain.from_iterable(batch.column(name).to_pylist() for batch in batches))


def _of_records(
    name: str, said: Sequence[Mapping[str, Any]], identifiers: Sequence[str]
) -> tuple[NDArray[np.float64], str]:
    """A property as records say it (N,), NaN where one says nothing; and its unit."""
    values_N = np.full(len(said), np.nan)
    units: dict[str, str] = {}  # unit → the first record that has it
    for row, one in enumerate(said):
        if name not in one:
            continue
        value, unit = one[name]["value"], one[name]["unit"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"{value!r:.60} is no number",
                where=f"property '{name}' of record {identifiers[row]}",
                remedy="learn properties that are numbers",
            )
        values_N[row] = value
        units.setdefault(unit, identifiers[row])
    if len(units) > 1:
        found = ", ".join(f"'{unit}' (record {one})" for unit, one in units.items())
        raise InputError(
            f"it has several units: {found}",
            where=f"property '{name}'",
            remedy="ingest it with one unit: the columns of the table say it",
        )
    return values_N, next(iter(units))


def _check(name: str, values_N: NDArray[np.float64], identifiers: Sequence[str]) -> None:
    if infinite := np.flatnonzero(np.isinf(values_N)).tolist():
        shown = ", ".join(identifiers[row] for row in infinite[:SHOWN])
        raise InputError(
            f"it is infinite in {len(infinite)} records: {shown}",
            where=f"property '{name}'",
            remedy="leave the value out where it is not known",
        )


def _one_theory(
    name: str, has_N: NDArray[np.bool_], batches: Sequence[Any], dataset: Dataset, ignoring: Sequence[str]
) -> None:
    """Refuse a property whose records have several levels of theory."""
    import pyarrow as pa

    from zonemelt.tasks.datasets.levels import one_level

    def with_it() -> Iterator[Any]:
        start = 0
        for batch in batches:
            mask = has_N[start : start + len(batch)]
            start += len(batch)
            yield batch.select(list(_LEVEL)).filter(pa.array(mask))

    if not has_N.any():
        return  # whoever trains on it says so
    try:
        one_level(with_it(), dataset.theories, ignoring=ignoring)
    except InputError as error:
        raise InputError(error.what, where=f"property '{name}': {error.where}", remedy=error.remedy) from None
