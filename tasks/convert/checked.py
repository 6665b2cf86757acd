"""Make a record of what somebody else supplied, or say in words why it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REMEDY = "correct it at its source, or leave it out"
Model = TypeVar("Model", bound=BaseModel)
_OURS: Final = frozenset({"identifier", "geometry", "theory", "provenance"})


def checked(make: Callable[[], Model], *, where: str) -> Model:
    """What ``make`` makes, with the complaints of pydantic turned into ours.

    Raises:
        InputError: a value is not what its field may hold; every field is named.
    """
    try:
        return make()
    except ValidationError as error:
        raise InputError(described(error), where=where, remedy=REMEDY) from None


def described(error: ValidationError) -> str:
    """The first few complaints of pydantic in one line: field, what is wrong, the value."""
    said = []
    for one in error.errors(include_url=False, include_context=False)[:3]:
        place = ".".join(map(str, one["loc"]))
        words = one["msg"].removeprefix("Value error, ")
        value = f" (it is {one['input']!r:.60})" if place and one["type"] != "missing" else ""
        said.append(f"{place}: {words}{value}" if place else words)
    more = error.error_count() - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def is_record(document: Mapping[str, Any]) -> bool:
    """Whether a dictionary has the fields that every record of ours has."""
    return document.keys() >= _OURS


def new_record(*, where: str, **fields: Any) -> Record:
    """A record of these fields; see :func:`checked`."""
    return checked(lambda: Record(**fields), where=where)


def new_geometry(atoms: Any, *, where: str) -> Geometry:
    """The geometry of an ``ase.Atoms``; see :func:`checked`."""
    return checked(lambda: Geometry.of(atoms), where=where)
