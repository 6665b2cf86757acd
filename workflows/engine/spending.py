"""What a campaign spends: node-hours, counted while it runs, and the budget that they must not exceed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonemelt.workflows.engine.ledger import Ledger
    from zonemelt.workflows.engine.pools import Workers


class Spending:
    """Counts the nodes in use, and notes which batch jobs they are, so that a later head can give them back.

    Args:
        ledger: where it is recorded.
        workers: the machine.
        budget: node-hours after which the campaign pauses; None for no limit.
    """

    def __init__(self, ledger: Ledger, workers: Workers, budget: float | None) -> None:
        self._ledger = ledger
        self._workers = workers
        self.budget = budget
        self._at = time.monotonic()
        self._blocks: dict[str, list[str]] = {}
        self.nodes = 0

    def count(self) -> None:
        """Add what was spent since the last time."""
        now = time.monotonic()
        self.nodes = self._workers.nodes_in_use()
        hours = self.nodes * (now - self._at) / 3600
        self._at = now
        ledger = self._ledger
        with ledger.transaction():
            spent = ledger.get("node_hours", 0.0) + hours
            ledger.put("node_hours", spent)
            if (blocks := self._workers.blocks()) != self._blocks:
                self._blocks = blocks
                ledger.put("blocks", blocks)
            if self.budget is not None and spent > self.budget and ledger.get("status") == "running":
                ledger.put("status", "paused")
                ledger.event("paused", reason=f"the budget of {self.budget:g} node-hours is spent")
