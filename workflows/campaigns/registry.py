"""The kinds of campaign, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.campaigns import (
    active_potential,
    active_screening,
    applications,
    discovery,
    graph,
    screening,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobflow import Flow

    from zonemelt.workflows.campaigns.base import CampaignSpec


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of campaign: its spec and the function that builds its graph."""

    name: str
    spec: type[CampaignSpec]
    build: Callable[[Any], Flow]


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="active_potential",
            spec=active_potential.ActivePotentialSpec,
            build=active_potential.build,
        ),
        Kind(
            name="active_screening",
            spec=active_screening.ActiveScreeningSpec,
            build=active_screening.build,
        ),
        Kind(name="discovery", spec=discovery.DiscoverySpec, build=discovery.build),
        Kind(name="cathodes", spec=applications.CathodesSpec, build=applications.build_cathodes),
        Kind(
            name="ferroelectrics",
            spec=applications.FerroelectricsSpec,
            build=applications.build_ferroelectrics,
        ),
        Kind(name="polymorphs", spec=applications.PolymorphsSpec, build=applications.build_polymorphs),
        Kind(name="screening", spec=screening.ScreeningSpec, build=screening.build),
        Kind(name="graph", spec=graph.GraphSpec, build=graph.build),
    )
}


def kind_named(name: Any, *, where: str) -> Kind:
    """Look a kind up.

    Raises:
        InputError: no kind has that name.
    """
    try:
        return KINDS[name]
    except (KeyError, TypeError):
        raise InputError(
            "it does not say of which kind it is"
            if name is None
            else f"there is no kind of campaign {name!r}",
            where=f"{where}: kind",
            remedy=f"choose one of: {', '.join(KINDS)} (of your own: docs/how-to/my-campaign.md)",
        ) from None
