"""What a person asks of a running campaign: files in a folder, obeyed by the head, or at once without one."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.campaign_place import STEERED
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.whole_files import write_whole
from zonemelt.workflows.engine.families import family, move, revive
from zonemelt.workflows.engine.settle import settle
from zonemelt.workflows.engine.starting import user
from zonemelt.workflows.engine.states import FINISHED, PENDING, JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zonemelt.workflows.engine.ledger import Ledger

FOLDER = "control"


def ask(directory: Path, verb: str, *, job: int | None = None) -> Path:
    """Leave a request for the head.

    Args:
        directory: the campaign directory.
        verb: ``pause``, ``resume``, ``cancel`` or ``retry``.
        job: the job it concerns, with all that depends on it; None for the whole campaign.

    Returns:
        The file, which disappears when the request has been obeyed.
    """
    if verb not in _VERBS:
        raise InputError(f"'{verb}' is not a request", where="control", remedy=f"one of {sorted(_VERBS)}")
    return _leave(directory, {"verb": verb, "job": job})


def ask_to_steer(directory: Path, values: Mapping[str, Any]) -> Path:
    """Leave a request to change values of a running campaign; they were checked before.

    Args:
        directory: the campaign directory.
        values: dotted key → value.

    Returns:
        As :func:`ask`.
    """
    return _leave(directory, {"verb": "steer", "values": dict(values)})


def _leave(directory: Path, request: dict[str, Any]) -> Path:
    path = directory / FOLDER / f"{time.time_ns()}-{os.getpid()}.json"
    write_whole(path, json.dumps(request).encode())
    return path


def obey(ledger: Ledger) -> None:
    """Do what was asked, in order and once, whenever a head is killed: the ledger knows what it did last."""
    folder = ledger.directory / FOLDER
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.json")):
        try:
            request: dict[str, Any] = json.loads(path.read_text())
            who = user(path.stat().st_uid)
            if request["verb"] == "steer":
                act = partial(steer, ledger, dict(request["values"]), who)
            else:
                verb = _VERBS[request["verb"]]
                act = partial(_asked, ledger, request["verb"], verb, request["job"], who=who)
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".refused"))  # not written by `ask`
            continue
        with ledger.transaction():
            if ledger.get("obeyed") != path.name:
                act()
                ledger.put("obeyed", path.name)
        path.unlink()


def _asked(
    ledger: Ledger, name: str, verb: Callable[[Ledger, int | None], None], job: int | None, *, who: str
) -> None:
    verb(ledger, job)
    ledger.event("asked", job, verb=name, user=who)


def steer(ledger: Ledger, values: dict[str, Any], who: str) -> None:
    """Change values of the campaign: limits at once, what its jobs look up when they look next.

    The file that jobs read is there before the ledger says so; a head that is killed in between obeys again.
    """
    now = ledger.get("steered", {}) | values
    ledger.put("steered", now)
    ledger.event("steered", values=values, who=who)
    write_whole(ledger.directory / STEERED, json.dumps(now).encode())


def pause(ledger: Ledger, job: int | None) -> None:
    """Start nothing more; what runs comes to its end. Of one job: it and what depends on it is held."""
    if job is None:
        ledger.put("status", "paused")
        return
    move(ledger, family(ledger, job), frozenset({JobState.WAITING, JobState.READY}), JobState.HELD)


def resume(ledger: Ledger, job: int | None) -> None:
    """Go on; of one job: it and what depends on it is released."""
    if job is None:
        ledger.put("status", "running")
        return
    revive(ledger, family(ledger, job), frozenset({JobState.HELD}))


def cancel(ledger: Ledger, job: int | None) -> None:
    """End the campaign now; of one job: neither it nor what depends on it starts any more.

    A single job that runs already comes to its end, and its result is recorded.
    """
    if job is None:
        ledger.put("status", "cancelled")
        ledger.stop_all(JobState.CANCELLED)
        move(ledger, ledger.ids(JobState.RUNNING), {JobState.RUNNING}, JobState.CANCELLED)
        return
    settle(ledger, move(ledger, family(ledger, job), PENDING, JobState.CANCELLED))


def retry(ledger: Ledger, job: int | None) -> None:
    """Run what failed or was cancelled again, and then what was skipped because of it.

    The whole campaign, or one job and what depends on it.
    """
    failed = ledger.ids(JobState.FAILED, JobState.CANCELLED) if job is None else [job]
    concerned = {member for root in failed for member in family(ledger, root)}
    for member in concerned:
        ledger.event("resubmitted", member)
    revive(ledger, concerned, FINISHED - {JobState.DONE, JobState.STOPPED})
    if ledger.get("status") != "running":
        ledger.put("status", "running")


_VERBS: dict[str, Callable[[Ledger, int | None], None]] = {
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "retry": retry,
}


def end_stuck(ledger: Ledger) -> None:
    """Where nothing runs and nothing can: held jobs wait for a person; others wait for one another."""
    with ledger.transaction():
        if ledger.count(JobState.HELD):
            ledger.put("status", "paused")
            ledger.event("paused", reason="only held jobs are left")
        else:
            ledger.event("stuck", jobs=ledger.unfinished)
            ledger.stop_all()
