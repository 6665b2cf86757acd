"""What ready campaigns make of relaxed structures, as jobs."""

from __future__ import annotations

from typing import Any

from jobflow import job

from zonemelt.tasks.applications.cathodes import cathode
from zonemelt.tasks.applications.charges import Charges
from zonemelt.tasks.applications.ferroelectrics import ferroelectric
from zonemelt.tasks.applications.hops import shortest_hop
from zonemelt.tasks.applications.polymorphs import polymorphs
from zonemelt.tasks.records import Geometry


@job
def cathodes_job(
    *, names: list[str], ion: str, relaxed: list[dict[str, Any]], paths: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Judge cathodes.

    Args:
        names: of the cathodes.
        ion: that leaves.
        relaxed: the metal, then each cathode with and without ions; of :func:`.relaxed_documents`.
        paths: of each, where they were sought: ``hop`` and a :class:`.MinimumEnergyPath`, or ``reason``.

    Returns:
        :class:`.Cathode` of each, and of its path ``barrier`` (eV), ``hop`` (Å) and ``barrier_reason``.
    """
    metal, *hosts = relaxed
    found = []
    for number, name in enumerate(names):
        one = cathode(name, ion, hosts[2 * number], hosts[2 * number + 1], metal).model_dump(mode="json")
        if paths is not None:
            path = paths[number]
            one |= {
                "barrier": path.get("barrier"), "hop": path.get("hop"),
                "barrier_reason": path.get("reason") or "",
            }  # fmt: skip
        found.append(one)
    return found


@job
def hops_job(
    *, names: list[str], ion: str, relaxed: list[dict[str, Any]], length: float
) -> list[dict[str, Any]]:
    """The ends of the shortest hop in each cathode with its ions: ``initial``, ``final`` and ``hop``, Å."""
    found = []
    for name, one in zip(names, relaxed[1::2], strict=True):
        host = Geometry.model_validate(one["geometry"])
        initial, final, hop = shortest_hop(host, ion, length=length, where=name)
        found.append({
            "initial": initial.model_dump(mode="json"), "final": final.model_dump(mode="json"), "hop": hop,
        })  # fmt: skip
    return found


@job
def ferroelectrics_job(
    *, compounds: list[dict[str, Any]], relaxed: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Judge perovskites.

    Args:
        compounds: ``name``, ``valences`` and ``born`` of each.
        relaxed: of each the cubic and the polar phase; of :func:`.relaxed_documents`.

    Returns:
        :class:`.Ferroelectric` of each.
    """
    return [
        ferroelectric(
            one["name"],
            relaxed[2 * number],
            relaxed[2 * number + 1],
            valences=one["valences"],
            born=None if one["born"] is None else Charges.model_validate(one["born"]),
        ).model_dump(mode="json")
        for number, one in enumerate(compounds)
    ]


@job
def polymorphs_job(
    *, names: list[str], reference: str, relaxed: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Compare polymorphs; :class:`.Polymorph` of each."""
    found = polymorphs(dict(zip(names, relaxed, strict=True)), reference=reference)
    return [one.model_dump(mode="json") for one in found]
