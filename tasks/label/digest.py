"""Small facts that every oracle writes into the provenance of its labels."""

from __future__ import annotations

import hashlib
import json
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.records import Geometry


def digest(geometry: Geometry, asked: Mapping[str, Any]) -> str:
    """SHA-256 of what was asked.

    Args:
        geometry: the structure.
        asked: all settings that count, as JSON has them: not where a program is.
    """
    whole = {"geometry": geometry.model_dump(mode="json"), "settings": asked}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def short_hash(said: Mapping[str, Any]) -> str:
    """The first 16 digits of the SHA-256 of what decides a level of theory."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def host() -> str:
    """The machine's name."""
    return platform.node() or "unknown"
