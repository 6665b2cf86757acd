"""What a job printed: from its directory once it ended, from its worker's log while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.present import begun_jobs

if TYPE_CHECKING:
    from typing import BinaryIO

OUTPUT_FILE = "output.log"
_TAIL = 4000  # bytes shown of a running worker's log before it is followed
_PAUSE = 0.5  # seconds between looks


def printed(job: dict[str, Any], attempt: int) -> str:
    """What an attempt printed.

    Args:
        job: of ``whole_job``.
        attempt: its number, from 1; 0 for the last.

    Raises:
        InputError: there was no such attempt.
    """
    tried = job["tried"]
    if attempt > len(tried) or not tried:
        had = f"it had {len(tried)}" if tried else f"none has ended ({job['why']})"
        raise InputError(
            f"there is no output of {f'attempt {attempt}' if attempt else 'an attempt'}: {had}",
            where=f"job {job['id']} '{job['name']}'",
            remedy=f"`zonemelt show {job['id']}` tells how it stands",
        )
    last = tried[attempt - 1]
    if last.get("directory") and (path := Path(last["directory"], OUTPUT_FILE)).exists():
        return path.read_text(errors="replace")
    return str(last.get("tail", ""))


def follow_log(place: Path, job: dict[str, Any], *, stay: bool) -> None:
    """Print the log of the worker that runs a job, and what is added to it while it does.

    Args:
        place: the campaign directory.
        job: of ``whole_job``, running.
        stay: whether to wait for more.
    """
    running = job["running"]
    name = f"worker-{running.get('host') or '*'}-{running.get('pid', '*')}.log"
    paths = list((place / "logs").glob(name))
    if not paths:
        raise InputError(
            "its worker writes no log",
            where=f"job {job['id']} '{job['name']}'",
            remedy="what it prints is kept when it ends: `zonemelt logs` again",
        )
    with paths[0].open("rb") as file:
        file.seek(max(0, paths[0].stat().st_size - _TAIL))
        _pass_on(file)
        while stay and job["id"] in begun_jobs(place):
            time.sleep(_PAUSE)
            _pass_on(file)


def _pass_on(file: BinaryIO) -> None:
    typer.echo(file.read().decode(errors="replace"), nl=False)
