"""Ask a campaign for something: of its head, which obeys in a moment, or, where none is alive, at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.inspect import fact, open_ledger
from zonemelt.workflows.engine.lock import HeadLock, head_is_alive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PATIENCE = 120.0  # seconds in which a head that is alive obeys
_PAUSE = 0.1


def campaign_status(place: Path) -> str:
    """The status a campaign last had; empty where it never began."""
    from zonemelt.workflows.cli.plans import never_submitted

    if never_submitted(place):
        return ""
    with open_ledger(place) as connection:
        return str(fact(connection, "status", ""))


def ask(place: Path, requests: Sequence[tuple[str, int | None]], *, only_by_head: bool = False) -> bool:
    """Have requests obeyed.

    Args:
        place: the campaign directory.
        requests: verb and job, None for the whole campaign.
        only_by_head: leave it where no head is alive.

    Returns:
        Whether a head obeyed; False where this process did, or nobody.

    Raises:
        CampaignError: a head is alive and does not obey.
    """
    with open_ledger(place):
        pass  # a ledger, and of this version
    if not head_is_alive(place) and only_by_head:
        return False
    paths = [control.ask(place, verb, job=job) for verb, job in requests]
    return _wait(place, paths, only_by_head=only_by_head)


def ask_to_steer(place: Path, values: Mapping[str, Any]) -> bool:
    """Have values of a campaign changed that were checked; returns as :func:`ask` does.

    Raises:
        CampaignError: it has ended, or a head is alive and does not obey.
    """
    with open_ledger(place) as connection:
        status = fact(connection, "status", "")
    if status in {"finished", "cancelled", "failed"} and not head_is_alive(place):
        raise CampaignError(
            f"it is {status}: nothing is left to be steered", where=str(place), remedy="start another one"
        )
    return _wait(place, [control.ask_to_steer(place, values)])


def _wait(place: Path, paths: Sequence[Path], *, only_by_head: bool = False) -> bool:
    """Wait until a head has obeyed, or obey in its place; returns whether a head did."""
    until = time.monotonic() + _PATIENCE
    while head_is_alive(place):
        if not any(path.exists() for path in paths):
            return True
        if time.monotonic() > until:
            raise CampaignError(
                f"its head has not obeyed in {_PATIENCE:g} s",
                where=str(place),
                remedy="the request stays, and is obeyed when the head comes to it; see its head.log",
            )
        time.sleep(_PAUSE)
    if not any(path.exists() for path in paths):
        return True
    if only_by_head:
        for path in paths:
            path.unlink(missing_ok=True)
        return False
    _obey(place)
    return False


def _obey(place: Path) -> None:
    """Do what was asked, in the place of a head."""
    from zonemelt.workflows.engine.ledger import Ledger

    with HeadLock(place):
        ledger = Ledger(place)
        try:
            control.obey(ledger)
        finally:
            ledger.close()
