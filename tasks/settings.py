"""What a person has written, read and checked: one error, which names file, field, value and remedy."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pydantic import ValidationError

Model = TypeVar("Model")
_SHOWN = 60  # characters of a value
_UNIONS = frozenset({typing.Union, types.UnionType})


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


def read_settings(
    model: type[Model],
    document: Mapping[str, Any],
    *,
    where: str,
    page: str = "",
    secret: Collection[str] = (),
) -> Model:
    """A document as a model.

    Args:
        model: of pydantic, whose unknown keys are errors; or a dataclass, which has no others.
        document: as a person gave it.
        where: file or argument that it is of.
        page: of the docs that tells of the fields.
        secret: fields whose values are not shown.

    Raises:
        UnknownKeyError: a key is unknown; with the nearest that exists.
        InputError: a value is missing, or cannot be used.
    """
    from pydantic import TypeAdapter, ValidationError

    if is_dataclass(model):  # of which pydantic passes over what it does not know
        known = [field.name for field in fields(model)]
        for name in document:
            if name not in known:
                raise UnknownKeyError.of(str(name), known, where=where)
    try:
        return TypeAdapter(model).validate_python(dict(document))
    except ValidationError as error:
        raise problem_of(error, model, where=where, page=page, secret=secret) from None


def problem_of(
    error: ValidationError,
    model: type[Any],
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
        secret: fields whose values are not shown, nor those of what lies in them.
    """
    problem = _telling(error.errors(include_url=False))
    names = [str(part) for part in problem["loc"]]
    field = ".".join(names)
    place = f"{where}: {field}" if field else where
    more = f"; see {page}" if page else ""
    if problem["type"] == "extra_forbidden":
        return UnknownKeyError.of(names[-1], _fields(model, names[:-1]), where=place)
    known = getattr(model, "model_fields", {}).get(names[0]) if names else None
    said = f", {known.description}" if known and known.description else ""
    if problem["type"] == "missing":
        return InputError(f"'{field}' is missing", where=where, remedy=f"add '{field}: …'{said}{more}")
    reason = problem["msg"].removeprefix("Value error, ")
    whole = not field and not isinstance(problem["input"], dict)
    if whole and problem["type"] == "value_error":  # of ours: it says what is wrong in a person's words
        return InputError(reason, where=place, remedy=f"see {page}" if page else "write it anew")
    shown = "***" if set(names) & set(secret) else f"{problem['input']!r:.{_SHOWN}}"
    what = f"{shown} cannot be used" if field or whole else "the fields do not agree"
    return InputError(what, where=place, remedy=reason + said + more)


def _telling(problems: Sequence[Any]) -> Any:
    """The first problem; of a key that is missing the unknown one beside it, which may be it misspelt."""
    first = problems[0]
    unknown = (one for one in problems if one["type"] == "extra_forbidden")
    beside = (one for one in unknown if one["loc"][:-1] == first["loc"][:-1])
    return next(beside, first) if first["type"] == "missing" else first


def _fields(model: Any, path: Sequence[str]) -> list[str]:
    """Names of the fields at ``path`` below a model."""
    for name in path:
        model = _below(model, name)
    return list(getattr(_of_optional(model), "model_fields", {}))


def _below(model: Any, name: str) -> Any:
    """What lies at a step of pydantic's path: a field, an item, or a member of a union."""
    model = _of_optional(model)
    origin, inside = typing.get_origin(model), typing.get_args(model)
    if origin is dict:
        return inside[1]
    if origin in {list, tuple, set, frozenset}:
        return inside[0]
    if origin in _UNIONS:
        return next((one for one in inside if _is_named(one, name)), model)
    field = getattr(model, "model_fields", {}).get(name)
    return model if field is None else field.annotation


def _is_named(model: Any, name: str) -> bool:
    """Whether pydantic's path calls a member of a union so: by its class, or by the word that tells it."""
    own = getattr(model, "model_fields", {})
    return getattr(model, "__name__", "") == name or any(field.default == name for field in own.values())


def _of_optional(annotation: Any) -> Any:
    """The model in ``Model | None``, without what is noted beside it."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) not in _UNIONS:
        return annotation
    some = [one for one in typing.get_args(annotation) if one is not type(None)]
    return some[0] if len(some) == 1 else annotation
