"""Small facts that every oracle writes into the provenance of its labels."""

from __future__ import annotations

import hashlib
import json
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonemelt.tasks.label.settings import OracleSettings
    from zonemelt.tasks.records import Geometry


def digest(geometry: Geometry, settings: OracleSettings) -> str:
    """SHA-256 of what was asked: the geometry and the settings."""
    asked = {
        "geometry": geometry.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json", exclude={"python"}),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def host() -> str:
    """The machine's name."""
    return platform.node() or "unknown"
