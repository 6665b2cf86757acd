"""Walltimes as they are written, ``HH:MM:SS``, and in seconds."""

from __future__ import annotations

import re

_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)")


def clock_seconds(text: str) -> int:
    """The seconds of a walltime.

    Raises:
        ValueError: it is not of the form ``HH:MM:SS``.
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a walltime: write 'HH:MM:SS', in quotes, e.g. '06:00:00'")
    hours, minutes, seconds = map(int, match.groups())
    return 3600 * hours + 60 * minutes + seconds
