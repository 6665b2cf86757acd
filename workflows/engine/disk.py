"""Whether the disk of a campaign has room: a job that starts without it would fail."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("zonemelt.engine")

_RESERVE = 8 << 20  # bytes that are left free


class Disk:
    """Looks at the disk of a directory.

    Args:
        place: the directory.

    Attributes:
        full: it was so when it was looked at last.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self.full = False

    def look(self) -> None:
        """Look at it, and say so where it has become full."""
        full = shutil.disk_usage(self._place).free < _RESERVE
        if full and not self.full:
            logger.warning("the disk of %s is full; no job starts until there is room", self._place)
        self.full = full
