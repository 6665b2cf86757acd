"""What a person says of a training, checked: the architecture and the settings, from plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.models.registry import AnyArchitecture, OwnArchitecture
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train.settings import TrainSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.models.registry import Architecture

KINDS: dict[str, type[Architecture]] = {
    kind.model_fields["architecture"].default: kind for kind in get_args(get_args(AnyArchitecture)[0])
}

Model = TypeVar("Model", bound=BaseModel)


def architecture_of(document: Mapping[str, Any] | Architecture) -> Architecture:
    """The architecture that a document names, with its settings.

    Args:
        document: such as ``{"architecture": "cogn", "width": 64}``.

    Raises:
        UnknownKeyError: there is no such architecture, or it has no such setting; with the nearest name.
        InputError: a value cannot be used, or a network of one's own cannot be imported.
    """
    if not isinstance(document, dict):
        return document  # type: ignore[return-value]
    name = document.get("architecture")
    if name not in KINDS:
        raise UnknownKeyError.of(str(name), KINDS, where="architecture")
    found = read_settings(KINDS[name], document, where=f"architecture {name}")
    if isinstance(found, OwnArchitecture) and not found.source:
        from zonemelt.tasks.models.own import source_of

        return found.model_copy(update={"source": source_of(found.network)})
    return found


def settings_of(document: Mapping[str, Any] | TrainSettings) -> TrainSettings:
    """The settings of a training.

    Raises:
        UnknownKeyError: there is no such setting; with the nearest name.
        InputError: a value cannot be used, or the seed is missing.
    """
    if isinstance(document, TrainSettings):
        return document
    return read_settings(TrainSettings, document, where="train settings")
