"""Find and end the processes that a head left behind when it was killed."""

from __future__ import annotations

from pathlib import Path

import psutil

from zonemelt.workflows.engine.worker import CAMPAIGN_VARIABLE


def orphans(token: str) -> list[psutil.Process]:
    """The processes on this machine that carry a head's mark in their environment."""
    found = []
    mark = f"{CAMPAIGN_VARIABLE}={token}".encode()
    for process in psutil.process_iter():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue  # gone meanwhile, or another user's
        if mark in environment.split(b"\0"):
            found.append(process)
    return found


def reap(token: str, *, patience: float = 10.0) -> int:
    """End the processes that carry a mark, at once: what they finished is in their spools.

    Args:
        token: the mark of the head that started them; empty for none.
        patience: seconds to wait for them to disappear.

    Returns:
        How many there were.
    """
    if not token:
        return 0
    ended = 0
    while left := orphans(token):  # a dying parent may have started another meanwhile
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(left, timeout=patience)
        ended += len(left) - len(alive)
        if alive:
            break
    return ended
