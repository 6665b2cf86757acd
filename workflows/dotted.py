"""Nested mappings by dotted paths: as lists of paths with values, and a value set by its path."""

from __future__ import annotations

from typing import Any

from zonemelt.tasks.errors import InputError


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted paths → values; a mapping without anything in it is a value.

    Args:
        value: a mapping, or what stands at the path.
        path: of the value; empty for the whole.
    """
    if not isinstance(value, dict) or (path and not value):
        return {path: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= flat(each, f"{path}.{key}" if path else str(key))
    return found


def override(document: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    """Set a field of a document, in place; a dot reaches into a mapping.

    Raises:
        InputError: what is before a dot is no mapping.
    """
    *parents, last = key.split(".")
    target = document
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"'{key}' reaches into '{parent}', which is not a mapping",
                where=where,
                remedy=f"override '{parent}' itself",
            )
        target = inner
    target[last] = value
