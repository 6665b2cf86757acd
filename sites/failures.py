"""When block after block ends before its workers call: give up, with the words of scheduler and node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsl.jobs.errors import TooManyJobFailuresError
from parsl.jobs.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.jobs.states import JobStatus

_TAIL_BYTES = 4000


class BrokenBlocksError(TooManyJobFailuresError):
    """Block after block ended before a worker connected."""


class BlockFailures:
    """A ``block_error_handler`` of Parsl that finds a broken worker environment, and nothing else.

    Parsl's own gives up for good when the first block fails, whatever the reason. Here a block whose workers
    connected counts as proof that blocks work, however it ended; only blocks that never had a worker count,
    and only so many of them in a row, the latest ones.

    Args:
        in_a_row: blocks after which to give up.
    """

    def __init__(self, in_a_row: int = 3) -> None:
        self.in_a_row = in_a_row

    def __call__(self, executor: Any, status: Mapping[str, JobStatus]) -> None:
        """Put the executor into its bad state if the latest blocks all ended without a worker."""
        if executor.bad_state_is_set:
            return
        # Parsl calls a block MISSING that ended and never connected, whatever the scheduler called it.
        failed = [block for block, one in status.items() if one.state == JobState.MISSING]
        if len(failed) < self.in_a_row:
            return
        connected = set(executor.connected_blocks())
        told = [b for b in sorted(status, key=int, reverse=True) if b in connected or b in failed]
        latest = told[: self.in_a_row]
        if all(block in failed and block not in connected for block in latest):
            jobs = executor.blocks_to_job_id
            words = "\n".join(_words(status[b], b, jobs.get(b)) for b in reversed(latest))
            executor.set_bad_state_and_fail_all(
                BrokenBlocksError(
                    f"{executor.label}: {self.in_a_row} blocks in a row ended before a worker connected\n"
                    f"{words}\n  → what usually is wrong: the site's `setup` lines, or Python on the "
                    "compute nodes, or the head's address cannot be reached from there"
                )
            )


def _words(status: JobStatus, block: str, job_id: str | None) -> str:
    name = f"block {block}" + (f", job {job_id}" if job_id else ", not submitted")
    told = f"  {name}: {status.message or status.state.name}"
    said = block_output(status)
    return told + ("\n" + "\n".join(f"    | {line}" for line in said.splitlines()) if said else "")


def block_output(status: JobStatus, *, lines: int = 12) -> str:
    """The end of what a block's script printed: standard error, or output where that is empty.

    Args:
        status: of the block; it knows where the scheduler puts the files.
        lines: how many at most.
    """
    for path in (status.stderr_path, status.stdout_path):
        if path is not None and (text := _tail(Path(path))):
            return "\n".join(text.splitlines()[-lines:])
    return ""


def _tail(path: Path) -> str:
    """The end of a file; empty where there is none, as before a block has run."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
