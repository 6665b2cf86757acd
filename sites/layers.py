"""What a site is put together from: files that extend one another, and overrides on top."""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zonemelt.plain_yaml import read_yaml
from zonemelt.sites.site import Pool, Site

_CATALOG = Path(__file__).parent / "catalog"
_POOL_FIELDS = frozenset(Pool.model_fields)
OVERRIDE = "--set"  # where a value comes from that is in no file


class SiteFileError(ValueError):
    """A site cannot be read; says which, what, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one file says, or the overrides: upper layers win over lower ones.

    Attributes:
        origin: the path of the file, or ``--set``.
        content: as YAML gave it; values for every pool are in the pools.
        defaults: the values for every pool; pools that an upper layer adds have them too.
    """

    origin: str
    content: dict[str, Any]
    defaults: dict[str, Any] = field(default_factory=dict)


def own_sites() -> Path:
    """Where a person keeps sites of their own."""
    return Path.home() / ".zonemelt" / "sites"


def site_names() -> list[str]:
    """The sites that come with zonemelt, and a person's own."""
    return sorted({path.stem for place in (_CATALOG, own_sites()) for path in place.glob("*.yaml")})


def layers(name: str | Path, overrides: dict[str, Any] | None = None) -> list[Layer]:
    """Everything that a site is put together from, the lowest layer first.

    Raises:
        SiteFileError: there is no such site, or its file cannot be read.
    """
    found = _layers_of(_path_of(name), seen=())
    if overrides:
        found.append(_overrides(overrides, merged_layers(found), found[-1].origin))
    return found


def merged_layers(found: list[Layer]) -> dict[str, Any]:
    """The content of all layers, upper ones on top; what any of them says as evidence is kept."""
    content: dict[str, Any] = {}
    for layer in found:
        evidence = [*as_list(layer.content.get("evidence")), *as_list(content.get("evidence"))]
        content = {**_merged(content, layer.content), **({"evidence": evidence} if evidence else {})}
    if isinstance(content.get("pools"), dict):
        content["pools"] = {name: pool for name, pool in content["pools"].items() if pool is not None}
    return copy.deepcopy(content)


def as_list(value: Any) -> list[Any]:
    """What may stand in a file as one thing or as a list of them: as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


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


def _layers_of(path: Path, *, seen: tuple[Path, ...]) -> list[Layer]:
    """What a file extends, then the file."""
    if path.resolve() in seen:
        chain = " → ".join(p.stem for p in (*seen, path))
        raise SiteFileError(f"{path}: it extends itself ({chain})\n  → take one of the `extends` away")
    content = _read(path)
    base = content.pop("extends", None)
    if base is None and path.parent == own_sites() and (_CATALOG / path.name).exists():
        base = path.stem
    below: list[Layer] = []
    if base is not None:
        below = _layers_of(_beneath(path, str(base)), seen=(*seen, path.resolve()))
        content = {"name": path.stem, **content}
    defaults = content.pop("defaults", {})
    given, known = content.get("pools", {}), merged_layers(below).get("pools", {})
    inherited: dict[str, Any] = {}
    for layer in below:
        inherited = _merged(inherited, layer.defaults)
    pools = {
        name: None
        if name in known and given.get(name, ...) is None  # taken away
        else _merged(defaults if name in known else _merged(inherited, defaults), given.get(name) or {})
        for name in {**known, **given}
        if defaults or name in given
    }
    if pools:
        content["pools"] = copy.deepcopy(pools)
    return [*below, Layer(origin=str(path), content=content, defaults=defaults)]


def _beneath(path: Path, base: str) -> Path:
    """The file that another one extends; a path in it is relative to where it is."""
    if base == path.stem:
        return _CATALOG / f"{base}.yaml"
    if base.endswith((".yaml", ".yml")):
        return path.parent / Path(base).expanduser()
    return _path_of(base)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: Any = read_yaml(path)
    except FileNotFoundError:
        raise SiteFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SiteFileError(f"{path}: it cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SiteFileError(f"{path}: this is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise SiteFileError(f"{path}: this does not describe a site\n  → see `zonemelt sites show local`")
    for key in ("pools", "defaults"):
        if content.get(key, {}) is None:  # a heading with nothing below it
            del content[key]
        _check_values(content.get(key, {}), f"{path}: {key}")
    for name, pool in content.get("pools", {}).items():
        if pool is not None:
            _check_values(pool, f"{path}: pools.{name}")
    return content


def _check_values(found: Any, where: str) -> None:
    if not isinstance(found, dict):
        raise SiteFileError(f"{where}: here belong names and values, found {found!r}")


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two mappings, the second on top; mappings inside are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _overrides(overrides: dict[str, Any], below: dict[str, Any], origin: str) -> Layer:
    content: dict[str, Any] = {}
    for key, value in overrides.items():
        if key in _POOL_FIELDS and key not in Site.model_fields:
            paths = [f"pools.{name}.{key}" for name in below.get("pools", {})]
        else:
            paths = [key]
        for path in paths:
            *parents, last = path.split(".")
            place: Any = content
            under: Any = below
            for parent in parents:
                under = under.get(parent, {}) if isinstance(under, dict) else None
                place = place.setdefault(parent, {}) if isinstance(place, dict) else None
            if not isinstance(place, dict) or not isinstance(under, dict):
                raise SiteFileError(
                    f"{Path(origin).stem}: '{key}' names no value\n  → e.g. pools.gpu.walltime, or account"
                )
            place[last] = value
    return Layer(origin=OVERRIDE, content=content)
