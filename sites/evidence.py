"""Where the values of a site come from, and how sure we are of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.sites.layers import as_list, layers, merged_layers
from zonemelt.sites.load import site_of
from zonemelt.sites.site import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zonemelt.sites.site import Confidence, Site

_NO_CLAIMS = frozenset({"name", "title", "requires", "evidence"})


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value that a site gives.

    Attributes:
        path: e.g. ``pools.gpu.partition``.
        value: as the site has it.
        confidence: how sure we are; None where the user says so.
        source: the document, or the file or option by which the user says so.
    """

    path: str
    value: Any
    confidence: Confidence | None
    source: str


def given_values(content: dict[str, Any], *, above: str = "") -> dict[str, Any]:
    """The paths of everything that a file gives → its values; a list counts as one value."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{above}{key}"
        if not above and key in _NO_CLAIMS:
            continue
        if isinstance(value, dict):
            found |= given_values(value, above=f"{path}.")
        else:
            found[path] = value
    return found


def evidence_for(path: str, evidence: Iterable[Evidence]) -> Evidence | None:
    """What says so: of all evidence that covers a value, the one that names it most closely."""
    best: tuple[tuple[int, int], Evidence] | None = None
    parts = path.split(".")
    for one in evidence:
        for covered in one.covers:
            pattern = covered.split(".")
            fits = len(pattern) <= len(parts) and all(
                p in {"*", part} for p, part in zip(pattern, parts, strict=False)
            )
            rank = (len(pattern), -pattern.count("*"))
            if fits and (best is None or rank > best[0]):
                best = (rank, one)
    return best[1] if best else None


def described(name: str | Path, overrides: dict[str, Any] | None = None) -> tuple[Site, list[Value]]:
    """A site, and every value that it gives with where it comes from.

    Raises:
        SiteFileError: there is no such site, or what its file says does not describe one.
    """
    found = layers(name, overrides)
    site = site_of(found)
    said = [
        [Evidence.model_validate(one) for one in as_list(layer.content.get("evidence"))] for layer in found
    ]
    levels: dict[str, int] = {}
    for level, layer in enumerate(found):
        levels |= dict.fromkeys(given_values(layer.content), level)
    values = []
    for path in given_values(merged_layers(found)):
        # Evidence of a lower layer says nothing about what an upper one put in its place.
        level = levels[path]
        evidence = evidence_for(path, [one for above in reversed(said[level:]) for one in above])
        values.append(
            Value(
                path=path,
                value=value_at(site, path),
                confidence=None if evidence is None else evidence.confidence,
                source=found[level].origin if evidence is None else evidence.source,
            )
        )
    return site, values


def value_at(site: Site, path: str) -> Any:
    """The value of a path, as the site has it after validation."""
    place: Any = site
    for part in path.split("."):
        place = place[part] if isinstance(place, dict) else getattr(place, part)
    return place
