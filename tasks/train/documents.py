"""What a person says of a training, checked: the architecture and the settings, from plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.models.registry import AnyArchitecture
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
        InputError: a value cannot be used.
    """
    if not isinstance(document, dict):
        return document  # type: ignore[return-value]
    name = document.get("architecture")
    if name not in KINDS:
        raise UnknownKeyError.of(str(name), KINDS, where="architecture")
    return checked(KINDS[name], document, where=f"architecture {name}")


def settings_of(document: Mapping[str, Any] | TrainSettings) -> TrainSettings:
    """The settings of a training.

    Raises:
        UnknownKeyError: there is no such setting; with the nearest name.
        InputError: a value cannot be used, or the seed is missing.
    """
    if isinstance(document, TrainSettings):
        return document
    return checked(TrainSettings, document, where="train settings")


def checked(kind: type[Model], document: Mapping[str, Any], *, where: str) -> Model:
    """Plain JSON as a model.

    Raises:
        UnknownKeyError: it has no such key; with the nearest name.
        InputError: a value cannot be used, or one is missing.
    """
    for key in document:
        if key not in kind.model_fields:
            raise UnknownKeyError.of(key, kind.model_fields, where=where)
    try:
        return kind.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        known = kind.model_fields.get(str(first["loc"][0])) if first["loc"] else None
        raise InputError(
            f"{key}: {first['msg']}" + ("" if first["type"] == "missing" else f" (it is {first['input']!r})"),
            where=where,
            remedy=f"give {key}{f', {known.description}' if known and known.description else ''}",
        ) from None
