"""Read the outputs of atomate2's and our own jobs from the store that they lie in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from zonemelt.tasks.convert.checked import described, is_record
from zonemelt.tasks.convert.documents.read import is_document, records_of_document
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.records import Record
from zonemelt.tasks.store_specs import redact
from zonemelt.tasks.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import JobStore


def read_store(spec: str) -> Iterator[Record | BadRow]:
    """The labelled structures in the outputs of a store's jobs, one job at a time.

    Documents are known by ``@module`` and ``@class``, also inside lists and dictionaries; our own records by
    their fields. An output without either is reported as such.

    Args:
        spec: a campaign directory, or as :func:`open_store` takes it.

    Raises:
        InputError: the store's description cannot be used.
        StoreError: the store does not answer.
    """
    if Path(spec).is_dir():
        opened = open_store({"type": "sqlite", "read_only": True}, directory=spec)
    else:
        opened = open_store(spec)
    with opened as store:
        name = redact(store.name)
        try:
            found = list(store.query({}, properties=["uuid", "index"]))
        except Exception as error:  # noqa: BLE001 (every driver has errors of its own)
            raise StoreError(
                f"it cannot be asked: {redact(str(error)):.300}", where=name, remedy="see docs/stores.md"
            ) from None
        for key in sorted(found, key=lambda one: (one["uuid"], one["index"])):
            yield from _of_job(store, key["uuid"], key["index"], where=f"{name}, job {key['uuid']}")


def _of_job(store: JobStore, uuid: str, index: int, *, where: str) -> Iterator[Record | BadRow]:
    """What one job's output holds."""
    try:
        document = store.query_one({"uuid": uuid, "index": index}, load=True)
    except Exception as error:  # noqa: BLE001 (a blob that is gone spoils its own job only)
        yield BadRow(where=where, reason=f"it cannot be loaded: {redact(str(error)):.300}")
        return
    some = False
    for number, output in enumerate(_inside((document or {}).get("output"))):
        some = True
        yield from _of_output(output, where=where, name=f"{uuid}-{index}-{number}" if number else uuid)
    if not some:
        yield BadRow(where=where, reason="its output holds no document of a calculation")


def _inside(value: Any) -> Iterator[dict[str, Any]]:
    """The documents and records in an output."""
    if isinstance(value, dict):
        if is_document(value) or is_record(value):
            yield value
        else:
            for inner in value.values():
                yield from _inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner)


def _of_output(output: dict[str, Any], *, where: str, name: str) -> Iterator[Record | BadRow]:
    try:
        if is_document(output):
            yield from records_of_document(output, source=where, name=name)
        else:
            yield Record.model_validate(output)
    except ValidationError as error:
        yield BadRow(where=where, reason=described(error))
    except InputError as error:
        yield BadRow(where=where, reason=error.what)
