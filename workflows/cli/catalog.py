"""The campaigns that come with zonemelt, as files."""

from __future__ import annotations

from pathlib import Path

from zonemelt.tasks.errors import InputError

_CATALOG = Path(__file__).parents[1] / "catalog"


def catalog_names() -> list[str]:
    """Their names."""
    return sorted(path.stem for path in _CATALOG.glob("*.yaml"))


def catalog_text(name: str) -> str:
    """The file of one, comments included.

    Raises:
        InputError: there is no such campaign.
    """
    if name not in catalog_names():
        raise InputError(
            f"there is no campaign '{name}' in the catalog",
            where="--campaign",
            remedy=f"the campaigns are: {', '.join(catalog_names())}",
        )
    return (_CATALOG / f"{name}.yaml").read_text()
