"""What providers are asked for and what they say of jobs, whatever the scheduler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from parsl.jobs.states import JobState, JobStatus
from parsl.providers.errors import SubmitException

if TYPE_CHECKING:
    from parsl.launchers.base import Launcher

_NAME_LENGTH = 63  # the shortest limit among the schedulers, PJM's


class Common(TypedDict, total=False):
    """The parameters that all providers share; the names are Parsl's where it has one.

    Attributes:
        nodes_per_block: nodes of a block.
        init_blocks: blocks asked for at the start.
        min_blocks: blocks kept at the least.
        max_blocks: blocks at the most.
        parallelism: slots per task that Parsl aims at.
        walltime: of a block, ``HH:MM:SS``.
        scheduler_options: further lines of the batch script.
        worker_init: shell lines before the workers.
        launcher: what starts a manager on every node.
        cmd_timeout: seconds that a command of the scheduler may take.
        poll_seconds: between looks at the queue.
        grace_seconds: for which a job just submitted may be missing from the queue.
    """

    nodes_per_block: int
    init_blocks: int
    min_blocks: int
    max_blocks: int
    parallelism: float
    walltime: str
    scheduler_options: str
    worker_init: str
    launcher: Launcher
    cmd_timeout: float
    poll_seconds: float
    grace_seconds: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the scheduler says of a job.

    Attributes:
        state: in Parsl's words. Never HELD or UNKNOWN: Parsl would not count the job, and ask for another.
        message: in the scheduler's words.
        exit_code: of the batch script, where it is known.
    """

    state: JobState
    message: str | None = None
    exit_code: int | None = None


class SubmissionError(SubmitException):
    """The scheduler did not take a block; says its own words."""

    def __str__(self) -> str:
        return f"{self.message}\n  → the script is {self.job_name}"


def vanished(label: str) -> Seen:
    """What is said of a job that the scheduler has forgotten."""
    return Seen(state=JobState.COMPLETED, message=f"{label} no longer knows this job: it has ended")


def copy_of(status: JobStatus) -> JobStatus:
    """The same, to be given away."""
    return JobStatus(status.state, status.message, status.exit_code, status.stdout_path, status.stderr_path)


def job_name_of(text: str) -> str:
    """A name that every scheduler accepts: a letter first, nothing unusual, the end kept of a long one."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    if not clean[:1].isalpha():
        clean = f"j{clean}"
    if len(clean) <= _NAME_LENGTH:
        return clean
    head = clean[: _NAME_LENGTH // 2]
    return head + clean[len(head) - _NAME_LENGTH :]
