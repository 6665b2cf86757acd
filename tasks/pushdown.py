"""What part of a MongoDB filter SQLite can answer by itself, and the indexes for it.

Only plain equality and ``$in`` with text and integers go to SQL, and only as a first sieve: every
row that *might* match passes, and the full filter is then applied in Python. A row is *opaque* to
SQL where MongoDB's rules and SQLite's differ (an array on the path, a value kept in a file, a text
that SQLite does not accept as JSON because of NaN): opaque rows always pass.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.sqlite import quote

if TYPE_CHECKING:
    from collections.abc import Collection

    from zonemelt.tasks.mongo import Criteria

OPAQUE: Final = "'\x01opaque'"
LARGEST: Final = 2**53
"""Integers beyond this are floating-point numbers to some JSON readers: left to Python."""


def key_value(value: Any) -> str | int | float | None:
    """Return what the key column of a row holds: the value if SQL can compare it, else None."""
    if isinstance(value, str):
        return value if _is_plain_text(value) else None
    if isinstance(value, (int, float)) and abs(value) <= LARGEST:
        return value
    return None


def _is_plain_text(text: str) -> bool:
    if text.isascii():
        return "\x00" not in text
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _comparable(value: Any) -> bool:
    """Tell whether equality with this value means the same in SQL and in Python."""
    if isinstance(value, str):
        return _is_plain_text(value)
    return isinstance(value, int) and abs(value) <= LARGEST


def field_expression(field: str) -> str | None:
    """Write a field of the document as SQL: its value, the opaque mark, or NULL if absent.

    Args:
        field: a path with dots.

    Returns:
        The expression, the same text in an index and in a query; None for paths with array
        positions or unusual characters.
    """
    parts = field.split(".")
    if not all(re.fullmatch(r"[^\W\d][\w \-:@]*|@\w+", part) for part in parts):
        return None
    paths = ["$" + "".join(f'."{p}"' for p in parts[: n + 1]) for n in range(len(parts))]
    types = ", ".join(f"json_type(doc, '{path}')" for path in paths)
    classes = ", ".join(f"json_extract(doc, '{path}.\"@class\"')" for path in paths)
    return (
        f"CASE WHEN NOT json_valid(doc) THEN {OPAQUE} "
        f"WHEN 'array' IN ({types}) THEN {OPAQUE} "
        f"WHEN 'FileReference' IN ({classes}) THEN {OPAQUE} "
        f"ELSE json_extract(doc, '{paths[-1]}') END"
    )


def index_statement(collection: str, field: str, *, unique: bool = False) -> str | None:
    """Return the SQL that indexes a field, or None if it cannot be indexed.

    A unique index leaves opaque rows out.
    """
    expression = field_expression(field)
    if expression is None:
        return None
    name = quote(f"{collection}:{field.replace(' ', '_').replace('@', '')}:{int(unique)}")
    kind, only = ("UNIQUE INDEX", f" WHERE {expression} <> {OPAQUE}") if unique else ("INDEX", "")
    return f"CREATE {kind} IF NOT EXISTS {name} ON {quote(collection)} ({expression}){only}"


def where(criteria: Criteria, key: Collection[str]) -> tuple[str, list[Any]]:
    """Translate what can be translated of a filter.

    Args:
        criteria: a MongoDB filter.
        key: the key fields of the collection, which are columns.

    Returns:
        A condition (``1`` if nothing can be translated) and its parameters.
    """
    terms: list[str] = []
    parameters: list[Any] = []
    for field, wanted in _equalities(criteria):
        if field in key:
            left, opaque = quote(field), f"{quote(field)} IS NULL"
        else:
            expression = field_expression(field)
            if expression is None:
                continue
            left, opaque = expression, f"{expression} = {OPAQUE}"
        if len(wanted) == 1:
            terms.append(f"({left} = ? OR {opaque})")
            parameters.append(wanted[0])
        else:
            terms.append(f"({left} IN (SELECT value FROM json_each(?)) OR {opaque})")
            parameters.append(json.dumps(wanted))
    return " AND ".join(terms) or "1", parameters


def _equalities(criteria: Criteria) -> list[tuple[str, list[Any]]]:
    """Collect the conditions ``field in values`` that must all hold."""
    found: list[tuple[str, list[Any]]] = []
    for field, condition in criteria.items():
        if field == "$and" and isinstance(condition, (list, tuple)):
            for part in condition:
                found += _equalities(part)
        elif not field.startswith("$"):
            wanted = _wanted(condition)
            if wanted is not None and all(_comparable(value) for value in wanted):
                found.append((field, wanted))
    return found


def _wanted(condition: Any) -> list[Any] | None:
    if not isinstance(condition, dict):
        return [condition]
    if "$eq" in condition:
        return [condition["$eq"]]
    among = condition.get("$in")
    return list(among) if isinstance(among, (list, tuple)) else None
