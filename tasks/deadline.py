"""When a job must have ended, as whoever runs it says."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Set by the worker for each job that has a walltime, or whose block ends: the earlier of both.
DEADLINE_VARIABLE: Final = "ZONEMELT_DEADLINE"


def deadline_of_job(environment: Mapping[str, str] = os.environ) -> float:
    """When this job must have ended, in the seconds of ``time.time``; infinite where nobody says."""
    return float(environment.get(DEADLINE_VARIABLE, math.inf))
