"""Open the store of a campaign: embedded SQLite unless told otherwise, or MongoDB, or S3 for data.

Everything here returns a jobflow ``JobStore``: a Maggma store for the documents and additional
stores, by name, for what jobs declare as data (``@job(data="trajectory")``). Additional stores that
nobody configured are made when first asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.store_files import decode, from_jobflow, read_file
from zonemelt.tasks.store_parts import build, patience_of
from zonemelt.tasks.store_specs import expand, read_spec, redact

if TYPE_CHECKING:
    from jobflow import JobStore
    from maggma.core import Store


def open_store(
    spec: str | Path | dict[str, Any] | None = None, *, directory: str | Path | None = None
) -> JobStore:
    """Open a store; nothing is contacted before ``connect()`` or :func:`check_store`.

    Args:
        spec: None for SQLite in ``directory``; ``"memory"``; a ``mongodb://`` or ``mongodb+srv://``
            URI with a database and, after a dot, a collection; a mapping (docs/stores.md); a
            serialised Maggma store or JobStore; or the path of a jobflow store file.
        directory: the campaign directory, where relative paths start; the current one for None.

    Raises:
        UnknownKeyError: a type or key that does not exist.
        InputError: anything else that cannot be used.
    """
    base = Path(directory or ".").absolute()
    if spec is None:
        spec = {"type": "sqlite"}
    if isinstance(spec, dict):
        return _from_mapping(spec, base, where="store")
    text = str(spec)
    if text in {"memory", "sqlite"}:
        return _from_mapping({"type": text}, base, where="store")
    if text.startswith(("mongodb://", "mongodb+srv://")):
        return _from_mapping({"type": "mongo", "uri": text}, base, where="store")
    if Path(text).suffix in {".yaml", ".yml", ".json"}:
        return _from_mapping(read_file(base / text), (base / text).parent, where=text)
    raise InputError(
        f"'{redact(text)}' is not a store",
        where="store",
        remedy="use 'memory', a mongodb:// URI, the path of a YAML file, or leave it out",
    )


def check_store(store: JobStore) -> None:
    """Connect a store and its additional stores, and ask each for a document.

    Raises:
        StoreError: one does not answer in time; the message names it without its password.
    """
    import pymongo

    parts: dict[str, Store] = {"documents": store.docs_store, **vars(store)["additional_stores"]}
    for name, part in parts.items():
        try:
            with pymongo.timeout(patience_of(part)):
                part.connect()
                part.query_one({}, properties=[part.key])
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 (every driver has errors of its own)
            raise StoreError(
                f"the store does not answer: {redact(str(error)):.300}",
                where=f"{name} in {redact(part.name)}",
                remedy="is the server running and reachable from here, and is the password right?",
            ) from None


def _from_mapping(spec: dict[str, Any], base: Path, *, where: str) -> JobStore:
    if "@class" in spec:
        return decode(expand(spec, where=where), where=where)
    if "docs_store" in spec:
        return from_jobflow(expand(spec, where=where), where=where)
    return build(read_spec(spec, where=where), base)
