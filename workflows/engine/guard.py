"""Clears up after a head that was killed: ``python -m zonemelt.workflows.engine.guard DIRECTORY``.

Parsl's interchange and workers outlive a head that dies without a word. What they are working on is worth
keeping, so the guard lets them finish what they have begun, into their spools, and ends them then. A head
that takes the campaign over does so itself, and the guard goes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.lock import head_is_alive
from zonemelt.workflows.engine.reap import orphans, reap
from zonemelt.workflows.engine.spool import busy
from zonemelt.workflows.engine.worker import CAMPAIGN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK = 5.0  # seconds between looks at workers that were left behind
_IDLE = 2  # looks in a row without work before they are ended


@contextmanager
def guarded(directory: Path, token: str) -> Iterator[None]:
    """Have a guard watch over this process while the block runs.

    It learns of our death by the end of a pipe, so no signal and no way to die escapes it.

    Args:
        directory: the campaign directory.
        token: the mark of the workers.
    """
    guard = subprocess.Popen(
        [sys.executable, "-m", __name__, str(directory), token],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key != CAMPAIGN_VARIABLE},
        start_new_session=True,  # Ctrl-C in a terminal is not meant for it
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def main(directory: Path, token: str) -> None:
    """Wait for the head to go, then for its workers to come to an end."""
    sys.stdin.read()
    idle = 0
    while orphans(token) and not head_is_alive(directory):
        idle = 0 if busy(directory) else idle + 1
        if idle > _IDLE:
            reap(token)
            return
        time.sleep(_LOOK)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
