"""Options that several commands have, as the fields of one argument.

A command decorated with :func:`grouped` may take arguments whose type is a frozen dataclass. What it can be
asked for are the fields of that dataclass, each annotated as any option of typer is.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def grouped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the fields of every dataclass among the arguments be options of the command.

    Args:
        function: of the command; a dataclass among its arguments has no default.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}
    members = {name: [one.name for one in fields(kind)] for name, kind in groups.items()}

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        made = {
            name: kind(**{field: given.pop(field) for field in members[name]})
            for name, kind in groups.items()
        }
        return function(**given, **made)

    parameters = list(_flat(function, hints, groups))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _flat(
    function: Callable[..., Any], hints: dict[str, Any], groups: dict[str, type]
) -> Iterator[inspect.Parameter]:
    """The arguments of the command, a dataclass as its fields in their order."""
    for name, one in inspect.signature(function).parameters.items():
        if name not in groups:
            yield one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
            continue
        own = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=own[field.name]
            )
