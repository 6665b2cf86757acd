"""SLURM's states of jobs, in Parsl's words."""

from __future__ import annotations

import re

from parsl.jobs.states import JobState

from zonemelt.sites.providers.jobs import Seen

# Every state of SLURM that is not here is one of a job that waits or runs.
_ENDED = {
    "BOOT_FAIL": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "COMPLETED": JobState.COMPLETED,
    "DEADLINE": JobState.TIMEOUT,
    "FAILED": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "NODE_FAIL": JobState.FAILED,
    "OUT_OF_MEMORY": JobState.FAILED,
    "PREEMPTED": JobState.TIMEOUT,
    "RECONFIG_FAIL": JobState.FAILED,
    "REVOKED": JobState.FAILED,
    "TIMEOUT": JobState.TIMEOUT,
}
_WAITING = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
}
_PLAIN = {"None", "NONE", "", "NonZeroExitCode"}  # reasons that say nothing more than the state


def seen_as(state: str, reason: str, code: str = "") -> Seen:
    """What SLURM says of a job, in Parsl's words.

    Args:
        state: long form, e.g. ``NODE_FAIL``, ``CANCELLED by 1000``.
        reason: why it waits, or why it ended.
        code: exit status and signal, ``1:0``.
    """
    word = state.partition(" ")[0].rstrip("+")  # sacct writes "CANCELLED by 1000"
    message = f"SLURM: {state}" if reason in _PLAIN else f"SLURM: {state}, {reason}"
    status = int(code.partition(":")[0]) if re.match(r"\d+", code) else None
    if status:
        message += f", exit status {status}"
    if word in _ENDED:
        return Seen(state=_ENDED[word], message=message, exit_code=status)
    return Seen(state=JobState.PENDING if word in _WAITING else JobState.RUNNING, message=message)
