"""What a person has written, read and checked: one error, which names file, field, value and remedy."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound="BaseModel")
_SHOWN = 60  # characters of a value


def read_mapping(path: Path, *, of: str = "fields", remedy: str = "") -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: of the file.
        of: what it maps, for messages.
        remedy: what to write instead.

    Raises:
        InputError: the file cannot be read, or is not a YAML mapping; syntax errors name the line.
    """
    import yaml

    from zonemelt.plain_yaml import read_yaml

    try:
        document = read_yaml(path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "no YAML that a person writes"
        raise InputError(
            f"not YAML: {problem}", where=where, remedy="check indentation, colons and quotes there"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}", where=str(path), remedy="check its name, rights and encoding"
        ) from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise InputError(
            f"not a mapping of {of}",
            where=str(path),
            remedy=remedy or "write lines of the form 'field: value'",
        )
    return document


def read_settings(model: type[Model], document: Mapping[str, Any], *, where: str, page: str = "") -> Model:
    """A document as a model.

    Args:
        model: of pydantic, whose unknown keys are errors.
        document: as a person gave it.
        where: file or argument that it is of.
        page: of the docs that tells of the fields.

    Raises:
        UnknownKeyError: a key is unknown; with the nearest that exists.
        InputError: a value is missing, or cannot be used.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(document))
    except ValidationError as error:
        raise problem_of(error, model, where=where, page=page) from None


def problem_of(
    error: ValidationError,
    model: type[BaseModel],
    *,
    where: str,
    page: str = "",
    secret: Collection[str] = (),
) -> InputError:
    """The first problem that pydantic found, as an error of ours.

    Args:
        error: of pydantic.
        model: that was asked.
        where: file or argument that was checked.
        page: of the docs that tells of the fields.
        secret: fields whose values are not shown.
    """
    problem = error.errors(include_url=False)[0]
    names = [str(part) for part in problem["loc"]]
    field = ".".join(names)
    place = f"{where}: {field}" if field else where
    more = f"; see {page}" if page else ""
    if problem["type"] == "extra_forbidden":
        return UnknownKeyError.of(names[-1], _fields(model, names[:-1]), where=place)
    known = model.model_fields.get(names[0]) if names else None
    said = f", {known.description}" if known and known.description else ""
    if problem["type"] == "missing":
        return InputError(f"'{field}' is missing", where=where, remedy=f"add '{field}: …'{said}{more}")
    shown = "***" if names[:1] and names[0] in secret else f"{problem['input']!r:.{_SHOWN}}"
    what = f"{shown} cannot be used" if field else "the fields do not agree"
    return InputError(what, where=place, remedy=problem["msg"].removeprefix("Value error, ") + said + more)


def _fields(model: Any, path: Sequence[str]) -> list[str]:
    """Names of the fields at ``path`` below a model."""
    for name in path:
        if typing.get_origin(model) is dict:
            model = typing.get_args(model)[1]
        elif (field := getattr(model, "model_fields", {}).get(name)) is not None:
            model = _of_optional(field.annotation)
    return list(getattr(model, "model_fields", {}))


def _of_optional(annotation: Any) -> Any:
    """The model in ``Model | None``."""
    if typing.get_origin(annotation) not in {typing.Union, types.UnionType}:
        return annotation
    return next((one for one in typing.get_args(annotation) if hasattr(one, "model_fields")), annotation)
