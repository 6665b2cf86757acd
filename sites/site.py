"""A machine as data: its scheduler and its pools of workers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_CATALOG = Path(__file__).parent / "catalog"


class Pool(BaseModel):
    """One kind of resource of a site: one Parsl executor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int | None = Field(None, ge=1, description="worker processes a node; default: its cores")
    environment: dict[str, str] = Field(default_factory=dict, description="variables set for its workers")

    @property
    def capacity(self) -> int:
        """How many workers it may have at once."""
        return self.workers or len(os.sched_getaffinity(0))


class Site(BaseModel):
    """A machine that campaigns run on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    scheduler: Literal["local"]
    pools: dict[str, Pool] = Field(min_length=1)


class SiteFileError(ValueError):
    """A site cannot be read; says which, what, and what to do."""


def site_names() -> list[str]:
    """The sites that come with zonemelt."""
    return sorted(path.stem for path in _CATALOG.glob("*.yaml"))


def load_site(name: str | Path) -> Site:
    """Read a site by its name in the catalog, or from a YAML file.

    Raises:
        SiteFileError: there is no such site, or its file does not describe one.
    """
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else _CATALOG / f"{name}.yaml"
    try:
        content: Any = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SiteFileError(
            f"site '{name}': there is no such site\n  → the sites are: {', '.join(site_names())}; "
            "or give the path of a .yaml file"
        ) from None
    except yaml.YAMLError as error:
        raise SiteFileError(f"{path}: this is not YAML: {error}") from None
    try:
        return Site.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'the file'}: {e['msg']}" for e in error.errors()
        )
        raise SiteFileError(f"{path}: {problems}") from None
