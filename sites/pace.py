"""How often things are looked at: in a hurry on one machine, in peace where many share a scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonemelt.sites.site import Site

_PATIENT = 30  # seconds between looks at the queue from which on a site is one that many share


@dataclass(frozen=True, kw_only=True)
class Pace:
    """All in seconds.

    Attributes:
        period: between looks at whether there are enough blocks.
        idle: without work after which a block is given back.
        heartbeat: between signs of life of a manager.
        threshold: without one after which a manager counts as lost.
    """

    period: int
    idle: float
    heartbeat: int
    threshold: int


def pace_of(site: Site) -> Pace:
    """The pace of a site."""
    if site.scheduler == "local" or site.poll_seconds < _PATIENT:
        return Pace(period=1, idle=10.0, heartbeat=2, threshold=30)
    return Pace(period=5, idle=120.0, heartbeat=30, threshold=120)
