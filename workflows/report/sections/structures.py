"""The best crystals, to be turned around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import MEV, Scenes, Section
from zonemelt.workflows.report.scenes import scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.report.reading import Gathered

SCENES: Final = 24
"""Crystals that are drawn."""


def section(gathered: Gathered) -> Section | None:
    """Of candidates the nearest to the hull; else labels of the lowest energy per atom."""
    discoveries = [found for one in _discoveries(gathered) if (found := one) is not None][:SCENES]
    if discoveries:
        return _of(discoveries, "Crystals that were proposed and labelled, the most stable first.")
    candidates = [found for one in _candidates(gathered) if (found := one) is not None][:SCENES]
    if candidates:
        caption = "The new candidates nearest to the hull, relaxed."
        return _of(candidates, caption)
    labels = [found for one in _labels(gathered) if (found := one) is not None][:SCENES]
    return _of(labels, "Labelled crystals of the lowest energy per atom.") if labels else None


def _of(scenes: list[dict[str, Any]], caption: str) -> Section:
    return Section(
        name="structures",
        title="Structures",
        parts=[Scenes(name="crystals", caption=caption, scenes=scenes)],
    )


def _discoveries(gathered: Gathered) -> Iterator[dict[str, Any] | None]:
    for one in ((gathered.outputs.outcome or {}).get("discoveries") or ())[: 2 * SCENES]:
        said = [str(one["formula"]), f"{MEV * one['above_hull']:.1f} meV/atom above the hull of all labels"]
        said.append("confirmed" if one["confirmed"] else "not confirmed")
        if group := one.get("space_group"):
            said.append(f"space group {group}")
        yield scene(str(one["identifier"]), one["geometry"], ", ".join(said))


def _candidates(gathered: Gathered) -> Iterator[dict[str, Any] | None]:
    for one in gathered.outputs.candidates.best[: 2 * SCENES]:
        above = one.get("above_hull")
        said = [str(one.get("formula") or ""), str(one["verdict"])]
        if above is not None:
            said.append(f"{MEV * above:.1f} meV/atom above the hull")
        if group := one.get("space_group"):
            said.append(f"space group {group}")
        yield scene(str(one["identifier"]), one["geometry"], ", ".join(said))


def _labels(gathered: Gathered) -> Iterator[dict[str, Any] | None]:
    for one in gathered.outputs.best_labels.things[: 2 * SCENES]:
        said = f"{one['energy_per_atom']:.4f} eV/atom by the oracle"
        yield scene(str(one["identifier"]), one["geometry"], said)
