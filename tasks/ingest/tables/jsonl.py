"""Read JSON lines: our records, documents of atomate2 and emmet, and tables of crystals or compositions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from zonemelt.tasks.convert.checked import described, is_record
from zonemelt.tasks.convert.documents.read import is_document, records_of_document
from zonemelt.tasks.convert.origin import BadRow, parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns
from zonemelt.tasks.ingest.tables.common import lines_of, text_of
from zonemelt.tasks.ingest.tables.rows import record_of_row
from zonemelt.tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.ingest.tables.columns import Composition


def read_jsonl(path: Path, origin: Origin) -> Iterator[Record | Composition | BadRow]:
    """One record of each line, streamed; a bad line does not lose the others.

    Lines may be of three kinds, also in one file: our records as :meth:`Record.model_dump_json` writes them,
    documents with ``@module`` and ``@class``, and rows of a table.

    Args:
        path: of the file; gzip, bzip2 and xz are read too.
        origin: where it came from. Where it has no columns, they are ``id``, ``lattice``, ``Z``, ``frac`` and
            ``formula``, with all else kept as properties of unknown unit.

    Raises:
        InputError: the file is empty or cannot be read to its end.
    """
    parser, columns = parser_of("zonemelt"), origin.columns or Columns()
    for number, line in enumerate(lines_of(path)):
        where = f"{origin.source}, line {number + 1}"
        if not line.strip():
            continue
        try:
            text = text_of(line)
            row = json.loads(text, parse_constant=_no_constant)
            if not isinstance(row, dict):
                yield BadRow(where=where, reason=f"it is a {type(row).__name__}, not an object")
            elif is_record(row):
                yield Record.model_validate_json(text)
            elif is_document(row):
                name = f"{origin.calculation}-{number}"
                yield from records_of_document(row, source=where, name=name, sha256=origin.sha256)
            else:
                yield record_of_row(row, columns, origin=origin, number=number, where=where, parser=parser)
        except ValidationError as error:
            yield BadRow(where=where, reason=described(error))
        except InputError as error:
            yield BadRow(where=where, reason=error.what)
        except RecursionError:
            yield BadRow(where=where, reason="it is nested too deeply")
        except ValueError as error:
            yield BadRow(where=where, reason=f"it is no JSON: {error}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
