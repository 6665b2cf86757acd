"""Virtual time: what shall happen, in order."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A queue of events; whatever happens at the same time happens in the order in which it was asked for.

    Attributes:
        now: seconds since the start.
        events: how many have happened.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._asked = 0
        self._queue: list[tuple[float, int, Callable[..., None], Any]] = []

    def at(self, time: float, call: Callable[..., None], what: Any = None) -> None:
        """Let ``call(what)`` happen at a time, or now where that is past."""
        self._asked += 1
        heapq.heappush(self._queue, (max(time, self.now), self._asked, call, what))

    @property
    def between(self) -> bool:
        """Whether everything that happens now has happened."""
        return not self._queue or self._queue[0][0] > self.now

    def step(self) -> bool:
        """Let the next event happen; False where there is none."""
        if not self._queue:
            return False
        self.now, _, call, what = heapq.heappop(self._queue)
        self.events += 1
        call(what)
        return True
