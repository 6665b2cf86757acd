"""How often a job goes again, by the cause of its failure, and how long it rests before."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonemelt.tasks.train.ranks import LostRankError
from zonemelt.workflows.engine.results import Cause

if TYPE_CHECKING:
    from zonemelt.workflows.engine.results import Result


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Limits on retries.

    Attributes:
        infrastructure: retries after a worker or a node was lost: nobody's fault, but a job that kills
            its worker each time must end.
        walltime: retries after the job ran out of its own time.
        memory: retries after it ran out of memory.
        application: retries after its function raised.
        backoff_s: rest before the first retry, in seconds; doubled each time.
        backoff_limit_s: the longest rest.
    """

    infrastructure: int = 5
    walltime: int = 2
    memory: int = 1
    application: int = 0
    backoff_s: float = 1.0
    backoff_limit_s: float = 300.0

    def limit(self, cause: Cause) -> int:
        """How many retries a cause is granted."""
        return int(getattr(self, cause.value))

    def delay(self, earlier: int) -> float:
        """Seconds to rest after ``earlier`` failures of the same cause."""
        return min(self.backoff_s * 2.0**earlier, self.backoff_limit_s)


def cause_of(error: BaseException) -> Cause:
    """Classify an exception that a job raised."""
    if isinstance(error, MemoryError) or type(error).__name__ in {
        "OutOfMemoryError",
        "OutOfMemory",
    }:
        return Cause.MEMORY
    if isinstance(error, WalltimeExceeded):
        return Cause.WALLTIME
    if isinstance(error, LostRankError):
        return Cause.INFRASTRUCTURE
    if isinstance(error, OSError) and error.errno in _INFRASTRUCTURE_ERRNO:
        return Cause.INFRASTRUCTURE
    return Cause.APPLICATION


def failure_of(error: BaseException) -> Result:
    """How an attempt went that ended with an exception."""
    while type(error).__name__ == "ExceptionGroup" and len(error.exceptions) == 1:  # type: ignore[attr-defined]
        error = error.exceptions[0]  # type: ignore[attr-defined]
    return {
        "ok": False,
        "cause": cause_of(error).value,
        "error": type(error).__name__,
        "message": _words(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


def _words(error: BaseException) -> str:
    """What an exception says; one that cannot say it must not cost its job, which has failed already."""
    try:
        return str(error)
    except Exception as why:  # noqa: BLE001 (any class of exception may be of a person's own)
        return f"it cannot say what was wrong ({type(why).__name__})"


# A full or failing disk, a stale handle, a lost network file system: the machine's doing, not the job's.
_INFRASTRUCTURE_ERRNO = frozenset({5, 28, 30, 70, 107, 116, 122})


class WalltimeExceeded(BaseException):
    """A job ran longer than its ``walltime``."""
