"""The models that a person can name: networks that read graphs, families that read compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.learn.shallow import FAMILIES
from zonemelt.tasks.train.documents import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection


def known_models() -> dict[str, tuple[str, str]]:
    """Name → what it reads, and what it is in one line."""
    networks = {
        name: ("crystals", (kind.__doc__ or "").strip().splitlines()[0].rstrip(".") + ".")
        for name, kind in KINDS.items()
    }
    return networks | {
        name: ("compositions", f"{family.about[0].upper()}{family.about[1:]}.")
        for name, family in FAMILIES.items()
    }


def model_named(name: str) -> str:
    """A name that is known.

    Raises:
        UnknownKeyError: it is not; with the nearest one.
    """
    known = known_models()
    if name not in known:
        raise UnknownKeyError.of(name, known, where="--model")
    return name


def is_network(name: str) -> bool:
    """Whether it reads graphs."""
    return name in KINDS


def tried_besides(family: str, fixed: Collection[str]) -> dict[str, list[Any]]:
    """What is still tried of a classical family when some of its settings are fixed."""
    return {key: list(values) for key, values in FAMILIES[family].grid.items() if key not in fixed}
