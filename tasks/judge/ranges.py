"""Bounds of a quantity, said in words or field by field."""

from __future__ import annotations

import math
import re
from typing import Any, Final, Self

from pydantic import Field, model_validator

from zonemelt.tasks.theory import Document

NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
SHAPE: Final = "such as '1.1 to 1.7 eV', '< 0.05' or '>= 2'"
_UNIT: Final = r"(?:\s*(?P<unit>[^\s\d<>=]\S*))?"
_FROM_TO: Final = re.compile(rf"^(?P<low>{NUMBER})\s*(?:to|\.\.|…)\s*(?P<high>{NUMBER}){_UNIT}$")
_COMPARED: Final = re.compile(rf"^(?P<sign>[<>]=?)\s*(?P<value>{NUMBER}){_UNIT}$")
_SIGNS: Final = {"<": "below", "<=": "most", ">": "above", ">=": "least"}


class Range(Document):
    """Bounds of a quantity; also said as ``1.1 to 1.7 eV`` or ``< 0.05``."""

    least: float | None = Field(default=None, description="itself allowed")
    above: float | None = Field(default=None, description="itself not allowed")
    most: float | None = Field(default=None, description="itself allowed")
    below: float | None = Field(default=None, description="itself not allowed")
    unit: str = Field(default="", description="must be that of the quantity, where it is said")

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, said: Any) -> Any:
        if not isinstance(said, str):
            return said
        text = said.strip().replace("≤", "<=").replace("≥", ">=")
        if found := _FROM_TO.match(text):
            return {
                "least": float(found["low"]), "most": float(found["high"]), "unit": found["unit"] or ""
            }  # fmt: skip
        if found := _COMPARED.match(text):
            return {_SIGNS[found["sign"]]: float(found["value"]), "unit": found["unit"] or ""}
        raise ValueError(f"'{said}' is no range: write it {SHAPE}")

    @model_validator(mode="after")
    def _something_fits(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError(f"a range without a bound: write it {SHAPE}")
        if self.low is not None and self.high is not None:
            open_end = self.above == self.low or self.below == self.high
            if self.low > self.high or (self.low == self.high and open_end):
                raise ValueError(f"nothing is {self.described}: the lower bound must be below the upper one")
        return self

    @property
    def low(self) -> float | None:
        """The tighter of the lower bounds."""
        return max((bound for bound in (self.least, self.above) if bound is not None), default=None)

    @property
    def high(self) -> float | None:
        """The tighter of the upper bounds."""
        return min((bound for bound in (self.most, self.below) if bound is not None), default=None)

    @property
    def described(self) -> str:
        """In signs."""
        signs = ((">=", self.least), (">", self.above), ("<=", self.most), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None) + (
            f" {self.unit}" if self.unit else ""
        )

    def holds(self, value: float) -> bool:
        """Whether a value is within."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def probability(self, value: float, deviation: float | None) -> float:
        """That a quantity of this mean and standard deviation is within, if its error is Gaussian."""
        if not deviation:
            return float(self.holds(value))
        above = 0.0 if self.low is None else _gauss((self.low - value) / deviation)
        below = 1.0 if self.high is None else _gauss((self.high - value) / deviation)
        return max(0.0, below - above)


def _gauss(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
