"""Wait for what processes do: as long as a busy machine may need, and no longer than it takes."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 300.0  # seconds for anything to happen


def until(
    condition: Callable[[], Any],
    what: str = "it happened",
    *,
    seconds: float = PATIENCE,
    step: float = 0.1,
    said: Any = "",
) -> Any:
    """Poll until a condition holds; what it returned then.

    Args:
        condition: anything true ends the wait; an exception of a command counts as false.
        what: we wait for, for the message.
        seconds: generous: a busy machine is slow.
        step: between two looks, s.
        said: something to call for more words when it does not come true.

    Raises:
        TimeoutError: it did not come true.
    """
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(subprocess.SubprocessError):
            if found := condition():
                return found
        if time.monotonic() > end:
            more = said() if callable(said) else said
            raise TimeoutError(f"not in {seconds:g} s: {what}\n{more}")
        time.sleep(step)
