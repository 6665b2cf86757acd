"""Seconds that are known, measured, or only guessed to within a factor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.resources import seconds

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of seconds to be drawn.

    Attributes:
        values: one, or several measured ones that are equally likely.
        factor: two thirds of the draws are within this factor of the value (log-normal); 1: exactly it.
    """

    values: tuple[float, ...] = (0.0,)
    factor: float = 1.0

    def draw(self, chance: Random) -> float:
        """One of the values, blurred."""
        value = self.values[0] if len(self.values) == 1 else chance.choice(self.values)
        return value if self.factor == 1.0 else value * math.exp(chance.gauss(0.0, math.log(self.factor)))

    @property
    def mean(self) -> float:
        """What the draws come to on average."""
        return sum(self.values) / len(self.values) * math.exp(math.log(self.factor) ** 2 / 2)

    @property
    def certain(self) -> bool:
        """Whether every draw gives the same."""
        return len(set(self.values)) == 1 and (self.factor == 1.0 or not self.values[0])


NOTHING = Amount()


def read_amount(value: Any, *, where: str) -> Amount:
    """Read an amount: ``90``, ``'01:30:00'``, ``'3600x2'``, ``[80, 95]`` or ``{median: 90, factor: 1.5}``.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(value, dict) and set(value) <= {"median", "factor"} and "median" in value:
        return Amount((seconds(value["median"], where=where),), _factor(value.get("factor", 1.0), where))
    if isinstance(value, list) and value:
        return Amount(tuple(seconds(item, where=where) for item in value))
    if isinstance(value, str):
        text, blurred, factor = value.partition("x")
        plain = float(text) if text.replace(".", "", 1).isdecimal() else text
        return Amount((seconds(plain, where=where),), _factor(factor, where) if blurred else 1.0)
    return Amount((seconds(value, where=where),))


def _factor(value: Any, where: str) -> float:
    try:
        factor = float(value)
    except (TypeError, ValueError):
        factor = 0.0
    if not 1.0 <= factor < math.inf:
        raise InputError(f"{value!r} is not a factor", where=where, remedy="give at least 1, e.g. 2")
    return factor
