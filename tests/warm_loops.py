"""What heads are forked from imports this: a loop has run in it, so that all is loaded and compiled."""

from __future__ import annotations

import tempfile
from pathlib import Path

from relabelling_for_tests import small

from zonemelt.workflows.engine.run import run_flow

with tempfile.TemporaryDirectory() as place:
    least = small(initial=4, heldout=2, batch=1, ahead=0, stop={"rounds": 1})
    run_flow(least.make(), site="inline", directory=Path(place, "campaign"))
