"""Ask a command of a machine something, with patience that ends; and what was found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from zonemelt.sites.commands import OutageError
from zonemelt.sites.commands import ask as run


@dataclass(frozen=True, kw_only=True)
class Check:
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
        said = run(*words, seconds=seconds)
    except OutageError as outage:
        return Answer(ok=False, trouble=str(outage))
    if said.code == 0:
        return Answer(ok=True, out=said.out)
    lines = [line for line in (said.err.strip() or said.out.strip()).splitlines() if line.strip()]
    quoted = "; ".join(lines[:2]) or "it said nothing"
    trouble = f"`{' '.join(words)}` ended with status {said.code}: {quoted}"
    return Answer(ok=False, out=said.out, trouble=trouble)


def absent(commands: tuple[str, ...]) -> list[str]:
    """Those of some commands that are not in PATH."""
    return [command for command in commands if shutil.which(command) is None]
