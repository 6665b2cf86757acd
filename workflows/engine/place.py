"""The directory of a campaign: made for its owner only, and not driven where strangers could change it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.whole_files import make_private

if TYPE_CHECKING:
    from pathlib import Path


def make_place(place: Path) -> None:
    """Make a campaign directory, with no rights for others; one that is there keeps its rights.

    Raises:
        CampaignError: it cannot be made, or everybody may write to it.
    """
    try:
        make_private(place)
    except OSError as error:
        raise CampaignError(
            f"the campaign directory cannot be made: {error.strerror}",
            where=str(error.filename or place),
            remedy="give a --directory where you may write",
        ) from error
    check_place(place)


def check_place(place: Path) -> None:
    """Make sure that not everybody may write to a campaign directory: its jobs run as whoever drives it.

    Rights for a group are a person's own choice: colleagues who share a campaign give them with ``chmod``.

    Raises:
        CampaignError: everybody may.
    """
    if place.stat().st_mode & stat.S_IWOTH:
        raise CampaignError(
            "everybody may write to this directory, and what is in it is run in your name",
            where=str(place),
            remedy=f"`chmod o-w {place}`, or give another directory",
        )
