"""Which column of a table is what, and in which unit: said by a person, never guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ase.units import Hartree, Rydberg, kcal, kJ, mol
from pydantic import Field, field_validator

from zonemelt.tasks.convert.checked import REMEDY
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import properties_of, property_of
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document, Theory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.records import Property

ENERGIES: Final = {"energy_free", "energy_sigma0"}  # targets that are fields of a record
_TO_EV: Final = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ry": Rydberg,
    "Ha": Hartree,
    "kJ/mol": kJ / mol,
    "kcal/mol": kcal / mol,
}


class Target(Document):
    """One column with numbers.

    Attributes:
        column: its name; a dot leads into what lies inside: ``y.phonons``.
        unit: of its numbers; for total energies eV, meV, Ry, Ha, kJ/mol or kcal/mol, and each of them
            with ``/atom`` behind.
    """

    column: str
    unit: str


class Columns(Document):
    """What the columns of a table are.

    Attributes:
        identifier: column with the name of each row; rows are counted where there is none.
        lattice: lattice vectors as rows, Å.
        numbers: atomic numbers.
        fractional: fractional coordinates.
        structure: a pymatgen structure as its dictionary, or a CIF; instead of the three above.
        formula: a composition, for tables without structures.
        targets: name in the record → column and unit. ``energy_free`` and ``energy_sigma0`` are total
            energies; every other name becomes a property.
        rest: whether the other columns are kept as properties of unknown unit.
    """

    identifier: str | None = "id"
    lattice: str = "lattice"
    numbers: str = "Z"
    fractional: str = "frac"
    structure: str | None = None
    formula: str | None = "formula"
    targets: dict[str, Target] = Field(default_factory=dict)
    rest: bool = True

    @field_validator("targets")
    @classmethod
    def _energies_are_energies(cls, targets: dict[str, Target]) -> dict[str, Target]:
        for name in ENERGIES & targets.keys():
            _factor(targets[name].unit, atoms=1)
        return targets


class TableSettings(Document):
    """What a person knows of tables that they do not say themselves.

    Attributes:
        columns: what the columns are, and in which unit.
        theory: what the labels were computed with.
    """

    columns: Columns | None = None
    theory: Theory | None = None


NOTHING_SAID: Final = TableSettings()


def read_table_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a person has said of tables.

    Returns:
        The same, as JSON holds it.

    Raises:
        UnknownKeyError: a key that does not exist, with the nearest one that does.
        InputError: with the field and what it may be.
    """
    return read_settings(TableSettings, given, where="table", page="docs/ingest.md").model_dump(mode="json")


@dataclass(frozen=True, kw_only=True)
class Composition:
    """A row of a table that has a composition and no structure, so that it is no record.

    Attributes:
        identifier: name of the row.
        formula: as the table has it.
        properties: its targets with their units, and what else the row says.
        source: the table.
    """

    identifier: str
    formula: str
    properties: Mapping[str, Property]
    source: str


def value_at(row: Mapping[str, Any], column: str, *, where: str) -> Any:
    """What a row has in a column.

    Raises:
        InputError: there is no such column.
    """
    if column in row:
        return row[column]
    inner: Any = row
    for part in column.split("."):
        if not isinstance(inner, dict) or part not in inner:
            have = ", ".join(sorted(map(str, row)))
            raise InputError(
                f"there is no column '{column}' among {have:.300}", where=where, remedy="name one of them"
            )
        inner = inner[part]
    return inner


def labels(
    row: Mapping[str, Any], columns: Columns, *, atoms: int, where: str
) -> tuple[dict[str, float], dict[str, Property]]:
    """The total energies (eV, whole cell) and the properties of a row; what is empty is left out.

    Raises:
        InputError: a column is not there, or is no number.
    """
    energies: dict[str, float] = {}
    found: dict[str, Property] = {}
    for name, target in columns.targets.items():
        value = value_at(row, target.column, where=where)
        if value is None or value == "":
            continue
        if name in ENERGIES:
            number = _number(value, target.column, where=where)
            energies[name] = number * _factor(target.unit, atoms=atoms)
        else:
            one = property_of(_number(value, target.column, where=where), unit=target.unit)
            found |= {name: one} if one is not None else {}
    return energies, found


def rest(row: Mapping[str, Any], columns: Columns) -> dict[str, Property]:
    """The columns of a row that no one asked for, as properties of unknown unit; nested ones with a dot."""
    if not columns.rest:
        return {}
    used = {columns.identifier, columns.lattice, columns.numbers, columns.fractional, columns.structure}
    used |= {columns.formula} | {target.column for target in columns.targets.values()}
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return properties_of((name, value) for name, value in flat.items() if name not in used)


def _number(value: Any, column: str, *, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{column} is {value!r:.60}, no number", where=where, remedy=REMEDY) from None
    if not math.isfinite(number):
        raise InputError(f"{column} is {number}", where=where, remedy=REMEDY)
    return number


def _factor(unit: str, *, atoms: int) -> float:
    """From a unit of energy to eV for the whole cell.

    Raises:
        ValueError: it is none.
    """
    base, slash, per = unit.rpartition("/atom")
    name = base if slash and not per else unit
    if name not in _TO_EV:
        known = ", ".join(f"{known}, {known}/atom" for known in _TO_EV)
        raise ValueError(f"'{unit}' is no unit of a total energy: give one of {known}")
    return _TO_EV[name] * (atoms if name != unit else 1)
