"""Make a record, or a composition, of one row of a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.convert.checked import REMEDY, checked, new_record
from zonemelt.tasks.convert.structures import geometry_of_structure
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns, Composition, labels, rest, value_at
from zonemelt.tasks.ingest.tables.common import NOTHING_KNOWN, ingested, theory_unstated
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.convert.origin import Origin


def record_of_row(
    row: Mapping[str, Any],
    columns: Columns,
    *,
    origin: Origin,
    number: int,
    where: str,
    parser: str,
) -> Record | Composition:
    """A row as a record, or as a composition where the table has no structures.

    Args:
        row: column → value.
        columns: what the columns are.
        origin: of the table; its theory, if somebody has said it, is what the targets were computed with.
        number: of the row, from 0.
        where: for messages.
        parser: what read the table.

    Raises:
        InputError: a column is missing, or a value cannot be used.
    """
    identifier = f"{origin.calculation}-{number}"
    said = row.get(columns.identifier) if columns.identifier is not None else None
    if said is not None and said != "":
        identifier = str(said)
    if columns.structure is None and columns.lattice not in row and columns.formula in row:
        _, found = labels(row, columns, atoms=1, where=where)
        return Composition(
            identifier=identifier,
            formula=_formula(value_at(row, str(columns.formula), where=where), where=where),
            properties=rest(row, columns) | found,
            source=origin.source,
        )
    geometry = _geometry(row, columns, where=where)
    energies, found = labels(row, columns, atoms=len(geometry.symbols), where=where)
    return new_record(
        where=where,
        identifier=identifier,
        geometry=geometry,
        **energies,
        properties=rest(row, columns) | found,
        theory=origin.theory or theory_unstated(origin),
        convergence=NOTHING_KNOWN,
        provenance=ingested(origin, parser=parser, row=number),
    )


def _geometry(row: Mapping[str, Any], columns: Columns, *, where: str) -> Geometry:
    import numpy as np
    from ase.data import chemical_symbols

    if columns.structure is not None:
        return _of_structure(value_at(row, columns.structure, where=where), where=where)
    cell, numbers, places = (
        value_at(row, name, where=where) for name in (columns.lattice, columns.numbers, columns.fractional)
    )
    try:
        positions = np.asarray(places, float).reshape(-1, 3) @ np.asarray(cell, float).reshape(3, 3)
        whole = [int(n) for n in numbers]
    except (TypeError, ValueError) as error:
        raise InputError(f"lattice and coordinates: {error}", where=where, remedy=REMEDY) from None
    if strange := [n for n in whole if not 0 < n < len(chemical_symbols)]:
        raise InputError(f"{strange[0]} is no atomic number", where=where, remedy=REMEDY)
    symbols = [chemical_symbols[n] for n in whole]
    return checked(
        lambda: Geometry.model_validate({"cell": cell, "symbols": symbols, "positions": positions.tolist()}),
        where=where,
    )


def _of_structure(value: Any, *, where: str) -> Geometry:
    """A structure that a table holds: a dictionary, its JSON, or a CIF."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InputError(f"the structure is no JSON: {error}", where=where, remedy=REMEDY) from None
    if isinstance(value, str):
        from zonemelt.tasks.ingest.tables.cif import geometry_of_cif

        return geometry_of_cif(value, where=where)[0]
    return geometry_of_structure(value, where=where)


def _formula(value: Any, *, where: str) -> str:
    """A formula that pymatgen understands, as it was written.

    Raises:
        InputError: it is none.
    """
    from pymatgen.core.composition import Composition as Parsed

    text = str(value).strip()
    try:
        valid = bool(text) and Parsed(text).valid
    except (ValueError, KeyError):
        valid = False
    if not valid:
        raise InputError(f"{value!r:.60} is no formula", where=where, remedy=REMEDY)
    return text
