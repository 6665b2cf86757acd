"""Read sites: from the catalog, from ``~/.zonemelt/sites``, from a file, with overrides on top."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from zonemelt.sites.site import Pool, Site

_CATALOG = Path(__file__).parent / "catalog"
_POOL_FIELDS = frozenset(Pool.model_fields)


class SiteFileError(ValueError):
    """A site cannot be read; says which, what, and what to do."""


def own_sites() -> Path:
    """Where a person keeps sites of their own."""
    return Path.home() / ".zonemelt" / "sites"


def site_names() -> list[str]:
    """The sites that come with zonemelt, and a person's own."""
    return sorted({path.stem for place in (_CATALOG, own_sites()) for path in place.glob("*.yaml")})


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
    path = _path_of(name)
    content = _content(path, seen=())
    for key, value in (overrides or {}).items():
        _put(content, key, value, path)
    return _validated(content, path)


def _path_of(name: str | Path) -> Path:
    if str(name).endswith((".yaml", ".yml")):
        return Path(name).expanduser()
    for place in (own_sites(), _CATALOG):
        if (path := place / f"{name}.yaml").exists():
            return path
    near = difflib.get_close_matches(str(name), site_names(), 1)
    raise SiteFileError(
        f"site '{name}': there is no such site\n  → "
        + (f"did you mean '{near[0]}'? " if near else "")
        + f"the sites are: {', '.join(site_names())}; or give the path of a .yaml file"
    )


def _content(path: Path, *, seen: tuple[Path, ...]) -> dict[str, Any]:
    """What a file says, on top of what it extends; values for every pool are in the pools."""
    if path in seen:
        raise SiteFileError(f"{path}: it extends itself ({' → '.join(p.stem for p in (*seen, path))})")
    try:
        content: Any = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SiteFileError(f"{path}: there is no such file") from None
    except yaml.YAMLError as error:
        raise SiteFileError(f"{path}: this is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise SiteFileError(f"{path}: this does not describe a site\n  → see `zonemelt sites show local`")
    base = content.pop("extends", None)
    if base is None and path.parent == own_sites() and (_CATALOG / path.name).exists():
        base = path.stem
    if base is not None:
        below = _CATALOG / f"{base}.yaml" if base == path.stem else _path_of(str(base))
        content = _merged(_content(below, seen=(*seen, path)), {"name": path.stem, **content})
    defaults = content.pop("defaults", {})
    if defaults:
        content["pools"] = {
            name: _merged(pool or {}, defaults) if base is not None else _merged(defaults, pool or {})
            for name, pool in content.get("pools", {}).items()
        }
    return dict(content)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two mappings, the second on top; mappings inside are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _put(content: dict[str, Any], key: str, value: Any, path: Path) -> None:
    if key in _POOL_FIELDS and key not in Site.model_fields:
        for pool in content.get("pools", {}).values():
            pool[key] = value
        return
    *parents, last = key.split(".")
    place: Any = content
    for parent in parents:
        place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise SiteFileError(f"{path.stem}: '{key}' names no value\n  → e.g. pools.gpu.walltime, or account")
    place[last] = value


def _validated(content: dict[str, Any], path: Path) -> Site:
    try:
        return Site.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_problem(found) for found in error.errors())
        raise SiteFileError(f"{path}: {problems}") from None


def _problem(found: Any) -> str:
    where = ".".join(str(part) for part in found["loc"]) or "the file"
    if found["type"] == "extra_forbidden":
        last, known = str(found["loc"][-1]), {*_POOL_FIELDS, *Site.model_fields}
        near = difflib.get_close_matches(last, known, 1)
        return f"{where}: there is no such key" + (f", did you mean '{near[0]}'?" if near else "")
    return f"{where}: {found['msg'].removeprefix('Value error, ')}"


def missing_values(site: Site) -> dict[str, str]:
    """The values that only the user knows and has not given → what they are."""
    return {key: what for key, what in site.requires.items() if not _given(site, key)}


def _given(site: Site, key: str) -> bool:
    if key in _POOL_FIELDS:
        return all(getattr(pool, key) is not None for pool in site.pools.values())
    place: Any = site
    for part in key.split("."):
        place = place.get(part) if isinstance(place, dict) else getattr(place, part, None)
    return place not in {None, ""}


def check_complete(site: Site) -> None:
    """Refuse a site whose user has not said what only they know.

    Raises:
        SiteFileError: naming each value and how to give it.
    """
    if missing := missing_values(site):
        lines = [f"site '{site.name}' needs values that only you know:"]
        lines += [f"  {key}: {what}" for key, what in missing.items()]
        first = next(iter(missing))
        lines.append(f"  → give --set {first}=VALUE, or write {first}: VALUE under `defaults:`")
        lines.append(f"    into {own_sites() / f'{site.name}.yaml'}")
        raise SiteFileError("\n".join(lines))
