"""Run a scheduler's commands with a limit of time, and tell an answer from an outage."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass


class OutageError(RuntimeError):
    """The scheduler does not answer: its command hangs, fails, or is not there."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said.

    Attributes:
        code: its exit status.
        out: its standard output.
        err: its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Its complaint in one line: standard error, or output where that is empty."""
        return " ".join((self.err.strip() or self.out.strip()).split())

    def or_outage(self) -> Said:
        """Itself, if the command succeeded.

        Raises:
            OutageError: it failed; with its words.
        """
        if self.code:
            raise OutageError(f"exit status {self.code}: {self.words or 'no message'}")
        return self


def ask(*command: str, seconds: float, environment: dict[str, str] | None = None) -> Said:
    """Run a command of the scheduler and return what it says, whatever its exit status.

    Args:
        command: its words.
        seconds: that it may take.
        environment: for it; None: ours.

    Raises:
        OutageError: it cannot be started, or does not end in time (then it is killed, children and all).
    """
    try:
        process = subprocess.Popen(
            command, env=environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise OutageError(f"`{command[0]}` cannot be started: {error.strerror}") from error
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise OutageError(f"`{shlex.join(command)}` did not end in {seconds:g} s") from None
    return Said(code=process.returncode, out=out, err=err)
