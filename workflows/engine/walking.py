"""What JSON documents name: outputs of other jobs, documents of additional stores, files.

Nothing here imports jobflow, so that those who only look at a ledger can use it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFERENCE = '"OutputReference"'
BLOB = '"blob_uuid"'
_FILES = frozenset({"FileReference", "KeptFile"})


def found_in(node: Any, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """The objects of a decoded JSON value that are wanted, in order; inside of them nothing is looked for."""
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if wanted(one):
                yield one
            else:
                stack.extend(reversed(one.values()))
        elif isinstance(one, list):
            stack.extend(reversed(one))


def is_reference(one: dict[str, Any]) -> bool:
    """Whether an object refers to the output of a job; one without a uuid is in another store."""
    return one.get("@class") == "OutputReference" and "uuid" in one


def references(node: Any) -> Iterator[str]:
    """The uuids of all output references in a decoded JSON value, in order, repeated ones too."""
    return (one["uuid"] for one in found_in(node, is_reference))


def referenced_uuids(text: str) -> list[str]:
    """The uuids of all output references in a JSON text, each once, in order."""
    return list(dict.fromkeys(references(json.loads(text)))) if REFERENCE in text else []


def is_blob(one: dict[str, Any]) -> bool:
    """Whether an object stands for a document of an additional store."""
    return "blob_uuid" in one and "store" in one


def blob_names(node: Any) -> Iterator[tuple[str, str]]:
    """The additional stores and blob_uuids that a decoded JSON value names."""
    return ((one["store"], one["blob_uuid"]) for one in found_in(node, is_blob))


def file_references(node: Any) -> Iterator[dict[str, Any]]:
    """What stands in a decoded JSON value for files of a campaign: each with ``@class`` and ``sha256``."""
    return found_in(node, lambda one: one.get("@class") in _FILES and "sha256" in one)
