"""Read any document that atomate2 or emmet makes of a calculation."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.documents import abinit_aims, ase_docs, cp2k, vasp
from zonemelt.tasks.convert.documents.common import plain, schema_of
from zonemelt.tasks.convert.documents.units import units_of
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.records import Record

_READERS: Final = {
    "atomate2.ase.schemas": ase_docs.records,
    "atomate2.forcefields.schemas": ase_docs.records,
    "atomate2.cp2k.schemas.task": cp2k.records,
    "atomate2.abinit.schemas.task": abinit_aims.abinit_records,
    "atomate2.aims.schemas.task": abinit_aims.aims_records,
    "emmet.core.tasks": vasp.records,
}


def is_document(value: Any) -> bool:
    """Whether a dictionary says that it is a document of a calculation which somebody here can read."""
    from zonemelt.tasks.convert.documents.units import TABLE

    schema = f"{value.get('@module')}:{value.get('@class')}" if isinstance(value, dict) else ""
    return any(row.schema == schema for row in TABLE)


def records_of_document(
    document: Any, *, source: str, name: str | None = None, sha256: str | None = None
) -> Iterator[Record | BadRow]:
    """The labelled structures of a document, every ionic step that it keeps.

    Args:
        document: an emmet TaskDoc or CoreTaskDoc, or atomate2's documents of CP2K, ABINIT, FHI-aims, ASE and
            force fields; as an object, or as the dictionary that a job store keeps, which says its schema
            under ``@module`` and ``@class``. Nothing that a dictionary names is imported.
        source: address of the document, for the provenance.
        name: of the calculation; by default a hash of the document.
        sha256: of the file that it was in.

    Raises:
        InputError: the schema, or its version, is not known.
    """
    schema, version = schema_of(document, where=source)
    fields = plain(document)
    code_version = cp2k.code_version(fields) if schema.startswith("atomate2.cp2k") else None
    units = units_of(schema, version, code_version=code_version, where=source)
    try:
        yield from _READERS[schema.partition(":")[0]](
            fields, units, name=name or _digest(fields), source=source, sha256=sha256
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"it is no whole {schema}: {type(error).__name__}: {error}",
            where=source,
            remedy="look at it in the store; a job that failed leaves such documents",
        ) from error


def _digest(fields: dict[str, Any]) -> str:
    """A name for a document that has none."""
    text = json.dumps(fields, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
