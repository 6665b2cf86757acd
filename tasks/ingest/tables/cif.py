"""Read CIF files: structures without labels, one or several blocks, through pymatgen."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from zonemelt.tasks.convert.checked import REMEDY, new_record
from zonemelt.tasks.convert.origin import BadRow, parser_of
from zonemelt.tasks.convert.structures import geometry_of_structure
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import (
    NOTHING_KNOWN,
    ingested,
    lines_of,
    text_of,
    theory_unstated,
)
from zonemelt.tasks.records import Property

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.records import Geometry, Record

_BLOCK = re.compile(r"^data_(\S*)", re.IGNORECASE)
_SITES = "_atom_site_"


def read_cif(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The structure of each block; a bad block does not lose the others.

    Disordered structures are refused: half an atom cannot be computed. What pymatgen warned of is kept as a
    property. Blocks without sites, which publications begin with, are passed over.

    Raises:
        InputError: the file is empty, holds no block with sites, or cannot be read to its end.
    """
    parser = parser_of("pymatgen")
    found = 0
    for number, (line, name, text) in enumerate(_blocks(path)):
        where = f"{origin.source}, line {line} (block {name})"
        if isinstance(text, ValueError):
            found += 1
            yield BadRow(where=where, reason=str(text))
            continue
        if _SITES not in text:
            continue
        found += 1
        try:
            geometry, said = geometry_of_cif(text, where=where)
            yield new_record(
                where=where,
                identifier=f"{origin.calculation}-{name or number}",
                geometry=geometry,
                properties={"cif_warnings": Property(value="; ".join(said), unit="")} if said else {},
                theory=theory_unstated(origin),
                convergence=NOTHING_KNOWN,
                provenance=ingested(origin, parser=parser, row=number),
            )
        except InputError as error:
            yield BadRow(where=where, reason=error.what)
    if not found:
        raise InputError("no block has atom sites", where=origin.source, remedy="leave it out")


def geometry_of_cif(text: str, *, where: str) -> tuple[Geometry, list[str]]:
    """The one structure of a CIF's text, and what pymatgen warned of.

    Raises:
        InputError: it cannot be read, or is disordered, or there are several.
    """
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            structures = CifParser.from_str(text).parse_structures(primitive=False, on_error="raise")
        except Exception as error:  # noqa: BLE001 (pymatgen raises many kinds)
            raise InputError(
                f"pymatgen cannot read it: {type(error).__name__}: {error}", where=where, remedy=REMEDY
            ) from None
    if len(structures) != 1:
        raise InputError(f"{len(structures)} structures where one belongs", where=where, remedy=REMEDY)
    said = sorted({str(one.message) for one in caught if not issubclass(one.category, DeprecationWarning)})
    return geometry_of_structure(structures[0], where=where), said


def _blocks(path: Path) -> Iterator[tuple[int, str, str | ValueError]]:
    """First line, name and text of each block; a line that is no text spoils its own block only."""
    first, name = 1, ""
    text: list[str] = []
    spoilt: ValueError | None = None
    quoted = False  # inside a text field, where a line may begin with anything
    for number, line in enumerate(lines_of(path), start=1):
        try:
            said = text_of(line)
        except ValueError as error:
            spoilt = spoilt or ValueError(f"line {number}: {error}")
            continue
        quoted ^= said.startswith(";")
        if not quoted and (head := _BLOCK.match(said)):
            if name or text:
                yield first, name, spoilt or "".join(text)
            first, name, text, spoilt = number, head.group(1), [], None
        text.append(said)
    yield first, name, spoilt or "".join(text)
