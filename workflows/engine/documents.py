"""Stored documents of megabytes, read in a fifth of the time where they are plain JSON."""

from __future__ import annotations

from typing import Any

import orjson

from zonemelt.tasks.documents import loads


def parsed(text: str) -> Any:
    """The value of a stored document, also of one with NaN, dates or bytes."""
    if '{"$' not in text:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # NaN, or half of a surrogate pair
    return loads(text)
