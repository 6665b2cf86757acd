"""Read sites: from the catalog, from ``~/.zonemelt/sites``, from a file, with overrides on top."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from zonemelt.sites.layers import OVERRIDE, SiteFileError, layers, merged_layers, own_sites, site_names
from zonemelt.sites.site import (
    Accelerators,
    Container,
    Distributed,
    Evidence,
    Launch,
    Limits,
    Network,
    Pool,
    Site,
    Storage,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from zonemelt.sites.layers import Layer

__all__ = [
    "SiteFileError",
    "check_complete",
    "load_site",
    "missing_values",
    "own_sites",
    "pools_without",
    "site_names",
    "site_of",
]

_POOL_FIELDS = frozenset(Pool.model_fields)
_PARTS: dict[str, type[BaseModel]] = {
    "launch": Launch,
    "accelerators": Accelerators,
    "network": Network,
    "distributed": Distributed,
    "container": Container,
    "storage": Storage,
    "limits": Limits,
}


def load_site(name: str | Path, overrides: dict[str, Any] | None = None) -> Site:
    """Read a site by its name, or from a YAML file.

    A file may say ``extends: perlmutter`` and give only what differs. ``defaults`` holds values for every
    pool. A file of one's own with the name of a site in the catalog extends that one.

    Args:
        name: of a site, or the path of a ``.yaml`` file.
        overrides: paths → values on top, e.g. ``{"pools.gpu.walltime": "02:00:00"}``; a field of a pool
            without a path (``account``) counts for every pool.

    Raises:
        SiteFileError: there is no such site, or what its file says does not describe one.
    """
    return site_of(layers(name, overrides))


def site_of(found: list[Layer]) -> Site:
    """The site that layers describe.

    Raises:
        SiteFileError: they do not describe one.
    """
    files = [layer.origin for layer in found if layer.origin != OVERRIDE]
    content = _with_payers(merged_layers(found))
    try:
        return Site.model_validate(content)
    except ValidationError as error:
        everywhere = {key for layer in found for key in layer.defaults}
        problems = "\n  ".join(dict.fromkeys(_problem(one, everywhere) for one in error.errors()))
        last = " with --set" if found[-1].origin == OVERRIDE else ""
        raise SiteFileError(f"{files[-1]}{last}: {problems}") from None


def _with_payers(content: dict[str, Any]) -> dict[str, Any]:
    """The content with ``{project}`` and ``{account}`` replaced in directives and paths, where known."""
    known: dict[str, str] = {}
    pools = content.get("pools")
    for pool in pools.values() if isinstance(pools, dict) else ():
        if isinstance(pool, dict):
            here = {f"{{{key}}}": str(pool[key]) for key in ("project", "account") if pool.get(key)}
            known = {**here, **known}
            if isinstance(pool.get("directives"), list):
                pool["directives"] = [_replaced(str(line), here) for line in pool["directives"]]
    storage = content.get("storage")
    if isinstance(storage, dict) and isinstance(storage.get("scratch"), str):
        storage["scratch"] = _replaced(storage["scratch"], known)
    return content


def _replaced(text: str, known: dict[str, str]) -> str:
    for placeholder, value in known.items():
        text = text.replace(placeholder, value)
    return text


def _problem(found: Any, everywhere: Collection[str]) -> str:
    """What is wrong, in words; ``everywhere`` are the keys that a file gives for every pool."""
    where = ".".join(str(part) for part in found["loc"]) or "the site"
    match found["loc"]:
        case ("pools", _, str(key)) if key in everywhere:
            where = f"defaults.{key}"
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(found["loc"][-1]), _known(found["loc"]), 1)
        return f"{where}: there is no such key" + (f", did you mean '{near[0]}'?" if near else "")
    value = "" if isinstance(found["input"], dict) or found["type"] == "value_error" else found["input"]
    said = f", found {value!r}" if value != "" else ""
    return f"{where}: {found['msg'].removeprefix('Value error, ')}{said}"


def _known(where: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand where a wrong one does."""
    *parents, _ = where
    if not parents:
        return [*Site.model_fields, "extends", "defaults"]
    if parents[-1] in _PARTS:
        return list(_PARTS[str(parents[-1])].model_fields)
    return list(Evidence.model_fields if parents[0] == "evidence" else _POOL_FIELDS)


def missing_values(site: Site) -> dict[str, str]:
    """The values that only the user knows and has not given → what they are."""
    return {
        key: f"{what}{_of_pools(site, key)}" for key, what in site.requires.items() if not _given(site, key)
    }


def pools_without(site: Site, key: str) -> list[str]:
    """The pools that lack a value that each should have; empty where it is none of pools."""
    if key not in _POOL_FIELDS:
        return []
    return [name for name, pool in site.pools.items() if _is_empty(getattr(pool, key))]


def _given(site: Site, key: str) -> bool:
    if key in _POOL_FIELDS:
        return not pools_without(site, key)
    place: Any = site
    for part in key.split("."):
        place = place.get(part) if isinstance(place, dict) else getattr(place, part, None)
    return not _is_empty(place)


def _is_empty(value: Any) -> bool:
    """Whether nobody has given it: numbers and truth values, 0 and false too, are always given."""
    return value is None or value in ("", (), [], {})


def check_complete(site: Site, *, file: str = "") -> None:
    """Refuse a site whose user has not said what only they know.

    Args:
        site: the site.
        file: that it was read from; its place among a person's own sites, where it has none.

    Raises:
        SiteFileError: naming each value and how to give it.
    """
    if missing := missing_values(site):
        lines = [f"site '{site.name}' needs values that only you know:"]
        lines += [f"  {key}: {what}" for key, what in missing.items()]
        first = next(iter(missing))
        where = file or own_sites() / f"{site.name}.yaml"
        lines.append(f"  → write `{_as_yaml(site, first)}` into {where};")
        if _of_pools(site, first):
            lacking = pools_without(site, first)[0]
            lines.append(f"    a pool that you do not need is taken away by `pools: {{{lacking}: null}}`;")
        lines.append(f"    to try a value: `zonemelt sites check {file or site.name} --set {first}=VALUE`")
        raise SiteFileError("\n".join(lines))


def _of_pools(site: Site, key: str) -> str:
    """Which pools lack a value, where others have it."""
    lacking = pools_without(site, key)
    return f"; not given for {', '.join(lacking)}" if 0 < len(lacking) < len(site.pools) else ""


def _as_yaml(site: Site, key: str) -> str:
    """How a missing value is written into a file of one's own."""
    parts = key.split(".") if "." in key else ["defaults", key]
    if _of_pools(site, key):
        parts = ["pools", pools_without(site, key)[0], key]
    inner = f"{parts[-1]}: VALUE"
    for part in reversed(parts[:-1]):
        inner = f"{part}: {{{inner}}}"
    return inner
