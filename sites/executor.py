"""Parsl's executor, with idle blocks given back as its documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parsl.executors import HighThroughputExecutor


class BlockExecutor(HighThroughputExecutor):
    """A HighThroughputExecutor that does not take a block that waits in the queue for an idle one.

    Whenever there are fewer tasks than workers, Parsl's strategy asks for idle blocks to be given back, be it
    none of them. Its executor then gives back every block that is idle, and counts those as idle for ever
    whose workers have not come up yet: pending blocks are cancelled and asked for again, every few seconds.
    """

    def start(self) -> None:
        """Start the interchange; the keys of its encryption are for their owner alone, wherever they go."""
        super().start()  # type: ignore[no-untyped-call]
        certificates: Any = self.cert_dir  # Parsl says that it is always None
        if certificates:
            for key in Path(certificates).glob("*.key_secret"):
                key.chmod(0o600)

    def scale_in(self, blocks: int, max_idletime: float | None = None) -> list[str]:
        """Give blocks back.

        Args:
            blocks: how many.
            max_idletime: seconds that a block must have been idle; None: whatever it does.

        Returns:
            Their ids.
        """
        if max_idletime is None:
            return list(super().scale_in(blocks))
        if blocks <= 0:
            return []
        up = {manager["block_id"] for manager in self.connected_managers()}
        known = self._status
        self._status = {block: status for block, status in known.items() if block in up}
        try:
            return list(super().scale_in(blocks, max_idletime))
        finally:
            self._status = known
