"""One head at a time: the lock on a campaign directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import HeadRunningError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

LOCK_FILE = "head.lock"
HEARTBEAT = 10.0  # seconds between signs of life
_GLANCE = 0.5  # seconds to try: who only asks whether a head is alive holds the lock for a moment
STALE = 120.0  # a head on another machine that gave none for so long is dead


class HeadLock:
    """Held by the process that drives a campaign; a context manager.

    The operating system gives the lock back when its holder dies, however it dies. Where the holder was on
    another machine, whose file locks this one may not see, its heartbeat decides.

    Args:
        directory: the campaign directory.

    Raises:
        HeadRunningError: on entering, where another head is alive.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / LOCK_FILE
        self._file: int | None = None

    def __enter__(self) -> Self:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + _GLANCE
        while not _locked(file):
            if time.monotonic() > until:
                os.close(file)
                raise self._taken()
            time.sleep(0.02)
        holder = read_holder(self.path.parent)
        elsewhere = holder is not None and holder["host"] != socket.gethostname()
        if holder is not None and elsewhere and _age(self.path) < STALE:
            os.close(file)
            raise self._taken()
        self._file = file
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)
        return self

    def _taken(self) -> HeadRunningError:
        holder = read_holder(self.path.parent) or {"pid": "?", "host": "?"}
        return HeadRunningError(
            f"process {holder['pid']} on {holder['host']} is running this campaign",
            where=str(self.path.parent),
            remedy="watch it with `zonemelt watch`, or end it with `zonemelt cancel`",
        )

    def beat(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def read_holder(directory: Path) -> dict[str, Any] | None:
    """Who holds, or held when it was killed, the lock: ``pid``, ``host``, ``since``."""
    try:
        found = json.loads((directory / LOCK_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def head_is_alive(directory: Path) -> bool:
    """Whether a head drives the campaign now, as far as this machine can tell."""
    holder = read_holder(directory)
    if holder is None:
        return False
    path = directory / LOCK_FILE
    if holder["host"] != socket.gethostname():
        return _age(path) < STALE
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(file)
