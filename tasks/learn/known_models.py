"""The models that a person can name: networks that read graphs, families that read compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.learn.shallow import FAMILIES
from zonemelt.tasks.models.registry import Architecture
from zonemelt.tasks.train.documents import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

OWN: Final = "own"


def known_models() -> dict[str, tuple[str, str]]:
    """Name → what it reads, and what it is in one line."""
    networks = {
        "own:MODULE:NAME" if name == OWN else name: (
            "crystals",
            (kind.__doc__ or "").strip().splitlines()[0].rstrip(".") + ".",
        )
        for name, kind in KINDS.items()
    }
    return networks | {
        name: ("compositions", f"{family.about[0].upper()}{family.about[1:]}.")
        for name, family in FAMILIES.items()
    }


def model_named(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a model that a person names.

    Args:
        name: an architecture, a family, or ``own:module:name``.
        said: of the model: settings of an architecture or a family, arguments of a network of one's own.

    Raises:
        UnknownKeyError: there is no such model; with the nearest one.
    """
    first, _, path = name.partition(":")
    if first == OWN and path:
        of_graph = {key: value for key, value in said.items() if key in Architecture.model_fields}
        arguments = {key: value for key, value in said.items() if key not in of_graph}
        return {"architecture": OWN, "network": path, "arguments": arguments, **of_graph}
    if name in KINDS and name != OWN:
        return {"architecture": name, **said}
    if name not in FAMILIES:
        raise UnknownKeyError.of(name, known_models(), where="--model")
    return {"family": name, **({"settings": dict(said), "grid": tried_besides(name, said)} if said else {})}


def tried_besides(family: str, fixed: Collection[str]) -> dict[str, list[Any]]:
    """What is still tried of a classical family when some of its settings are fixed."""
    return {key: list(values) for key, values in FAMILIES[family].grid.items() if key not in fixed}
