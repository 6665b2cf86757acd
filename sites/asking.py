"""Ask a command of a machine something, with patience that ends; and what was found."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: its name.
        ok: True, False, or None where it cannot be said or does not matter.
        found: what was found.
        remedy: what to do about it.
    """

    what: str
    ok: bool | None
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said.

    Attributes:
        ok: it ended with exit status 0.
        out: its standard output.
        trouble: where it did not: its own words, or that it was not there or gave no answer in time.
    """

    ok: bool
    out: str = ""
    trouble: str = ""


def ask(*words: str, seconds: float) -> Answer:
    """Run a command and give its answer; whatever happens to it, nothing is raised.

    Args:
        words: the command.
        seconds: after which it is killed, with everything it started.
    """
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Answer(ok=False, trouble=f"`{words[0]}` cannot be started: {error.strerror}")
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Answer(ok=False, trouble=f"`{' '.join(words)}` gave no answer within {seconds:g} s")
    if process.returncode == 0:
        return Answer(ok=True, out=out)
    lines = [line for line in (err.strip() or out.strip()).splitlines() if line.strip()]
    said = "; ".join(lines[:2]) or "it said nothing"
    return Answer(
        ok=False, out=out, trouble=f"`{' '.join(words)}` ended with status {process.returncode}: {said}"
    )


def absent(commands: tuple[str, ...]) -> list[str]:
    """Those of some commands that are not in PATH."""
    return [command for command in commands if shutil.which(command) is None]
