"""Bounds of numbers that a person sets: the first field that breaks its own is told by name and value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Bound(NamedTuple):
    """What a number must be.

    Attributes:
        least: it may be this, where ``included``, or more.
        most: it may be this or less.
        included: whether ``least`` itself is allowed.
    """

    least: float
    most: float = math.inf
    included: bool = True

    def holds(self, value: float) -> bool:
        """Whether a number is finite and within."""
        above = value >= self.least if self.included else value > self.least
        return math.isfinite(value) and above and value <= self.most

    @property
    def described(self) -> str:
        """In words, to follow 'give a number'."""
        if math.isinf(self.least):
            return "that is finite"
        above = f"of {self.least:g} or more" if self.included else f"above {self.least:g}"
        return above if math.isinf(self.most) else f"{above}, up to {self.most:g}"


POSITIVE: Final = Bound(0, included=False)
NOT_NEGATIVE: Final = Bound(0)
COUNT: Final = Bound(1)
FINITE: Final = Bound(-math.inf)


def check_bounds(settings: Any, bounds: Mapping[str, Bound], *, where: str) -> None:
    """Refuse numbers beyond their bounds; of several each, and None says nothing.

    Args:
        settings: an object with these fields.
        bounds: field → what it must be.
        where: the settings were given.

    Raises:
        InputError: naming the first field that is wrong, its value and what it must be.
    """
    for field, bound in bounds.items():
        value = getattr(settings, field)
        for number in value if isinstance(value, tuple | list) else (value,):
            if number is not None and not bound.holds(number):
                raise InputError(
                    f"{number!r} cannot be used",
                    where=f"{where}: {field}",
                    remedy=f"give a number {bound.described}",
                )
