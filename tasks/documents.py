"""The text of a stored document: standard JSON, with the few types that MongoDB adds.

NaN and infinities are written as Python's ``json`` does and come back as themselves. Dates, object
ids and bytes, which jobflow lets through (``allow_bson``), take MongoDB's extended JSON form.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


def dumps(document: Any) -> str:
    """Write a sanitised document as compact JSON text.

    Dates are kept in UTC to the millisecond and come back without time zone, as from MongoDB.

    Raises:
        StoreError: the document holds an object that JSON cannot express.
    """
    try:
        return _ENCODER.encode(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"a document cannot be written as JSON: {error}",
            where="store",
            remedy="return numbers, text, lists, dictionaries and MSONable objects from jobs",
        ) from error


def loads(text: str) -> Any:
    """Read the text of :func:`dumps`."""
    if '{"$' in text:
        return json.loads(text, object_hook=_restore)
    return json.loads(text)


def _extended(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return {"$date": utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    if isinstance(value, bytes):
        return {"$binary": {"base64": base64.b64encode(value).decode(), "subType": "00"}}
    if type(value).__name__ == "ObjectId":
        return {"$oid": str(value)}
    raise TypeError(f"{type(value).__module__}.{type(value).__name__} {value!r:.100}")


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=_extended)


def _date(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _binary(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["base64"])


def _object_id(text: str) -> Any:
    from bson import ObjectId

    return ObjectId(text)


_READERS: Final[dict[str, tuple[type, Callable[[Any], Any]]]] = {
    "$date": (str, _date),
    "$binary": (dict, _binary),
    "$oid": (str, _object_id),
}


def _restore(document: dict[str, Any]) -> Any:
    if len(document) == 1:
        ((key, value),) = document.items()
        if key in _READERS and isinstance(value, _READERS[key][0]):
            return _READERS[key][1](value)
    return document
