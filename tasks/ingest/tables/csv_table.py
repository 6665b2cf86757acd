"""Read CSV tables with a header: structures or compositions, and targets whose units a person gives."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Self

from zonemelt.tasks.convert.origin import BadRow, parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns
from zonemelt.tasks.ingest.tables.common import lines_of, text_of
from zonemelt.tasks.ingest.tables.rows import record_of_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.ingest.tables.columns import Composition
    from zonemelt.tasks.records import Record

# What the columns with the formula and the identifier are called, where nobody says so.
FORMULAS = ("formula", "composition", "FORMULA", "COMPOSITION", "Formula", "Composition")
STRUCTURES = ("structure", "cif", "Structure")
IDENTIFIERS = ("id", "mbid", "material_id", "identifier", "jid")
LARGEST_CELL = 64 * 2**20  # bytes: a structure as text


def read_csv(path: Path, origin: Origin) -> Iterator[Record | Composition | BadRow]:
    """One record or composition of each row, streamed; a bad row does not lose the others.

    Args:
        path: of the file; gzip, bzip2 and xz are read too.
        origin: where it came from. Where it has no columns, one of :data:`STRUCTURES` or :data:`FORMULAS` is
            looked for, and every other one is kept as a property of unknown unit.

    Raises:
        InputError: the file is empty, or has neither a structure nor a formula, or lacks a column that was
            asked for.
    """
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(_Lines(path), strict=True)
    parser = parser_of("zonemelt")
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise InputError(f"its header: {error}", where=origin.source, remedy="save it as CSV again") from None
    columns = origin.columns or _recognised(header)
    _check(header, columns, where=origin.source)
    number = -1
    while True:
        where = f"{origin.source}, line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, ValueError) as error:
            yield BadRow(where=where, reason=str(error))
            continue
        if not cells:
            continue
        number += 1
        if len(cells) != len(header):
            yield BadRow(where=where, reason=f"{len(cells)} cells under {len(header)} columns")
            continue
        row = {
            name: cell if name in {columns.identifier, columns.formula} else _number_or_text(cell)
            for name, cell in zip(header, cells, strict=True)
        }
        try:
            yield record_of_row(row, columns, origin=origin, number=number, where=where, parser=parser)
        except InputError as error:
            yield BadRow(where=where, reason=error.what)


class _Lines:
    """The lines of a file as text; it goes on after a line that is none, as a generator would not."""

    def __init__(self, path: Path) -> None:
        self.lines = lines_of(path)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        return text_of(next(self.lines))


def _recognised(header: list[str]) -> Columns:
    """What the columns are, by their names."""
    return Columns(
        identifier=next((name for name in IDENTIFIERS if name in header), None),
        structure=next((name for name in STRUCTURES if name in header), None),
        formula=next((name for name in FORMULAS if name in header), None),
    )


def _check(header: list[str], columns: Columns, *, where: str) -> None:
    """Refuse a header that lacks what every row would need.

    Raises:
        InputError: something is lacking, or is there twice.
    """
    have = ", ".join(header)
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"two columns are called '{twice[0]}'", where=where, remedy="rename one")
    if (columns.structure or columns.formula) not in header:
        raise InputError(
            f"no column of {have} is said to hold a structure or a formula",
            where=where,
            remedy="say which does",
        )
    for target in columns.targets.values():
        if target.column not in header:
            raise InputError(
                f"there is no column '{target.column}' among {have}", where=where, remedy="name one of them"
            )


def _number_or_text(cell: str) -> str | float:
    """A cell as a number where it is a finite one."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) else cell
