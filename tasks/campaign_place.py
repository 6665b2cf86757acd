"""The directory of the campaign that a job belongs to, and what a person has steered there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Set by the worker for each job: the campaign directory, which all workers see.
PLACE_VARIABLE: Final = "ZONEMELT_DIRECTORY"
STEERED: Final = "steered.json"


def campaign_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The campaign directory; None where a job runs outside of a campaign."""
    said = environment.get(PLACE_VARIABLE)
    return Path(said) if said else None


def steered(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What a person has changed of the running campaign so far: dotted key → value."""
    place = campaign_directory(environment)
    if place is None:
        return {}
    try:
        found: dict[str, Any] = json.loads((place / STEERED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
