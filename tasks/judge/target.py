"""What a search is for: ranges of quantities, elements that must or must not be there, sizes.

Said in one line, ``band_gap 1.1 to 1.7 eV, above_hull < 0.05, no Pb, at most 4 elements``, or field by field.
What contradicts itself, and what nothing can satisfy, is refused when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.ranges import Range  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.judge.target_words import ALSO, of_words
from zonemelt.tasks.settings import problem_of
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

QUANTITIES: Final = {
    "above_hull": "eV/atom", "formation_energy": "eV/atom", "energy_per_atom": "eV/atom",
    "deviation": "eV/atom", "probability": "", "lowest_frequency": "THz",
}  # fmt: skip
"""What every verdict says itself, with units; all else that has a range is predicted by a model."""
_LEAST: Final = {"band_gap": 0.0, "deviation": 0.0, "probability": 0.0}  # nothing is below
_MOST: Final = {"probability": 1.0}  # nothing is above


class Target(Document):
    """What candidates must be."""

    ranges: dict[str, Range] = Field(default_factory=dict, description="quantity → range")
    require: tuple[str, ...] = Field(default=(), description="elements that must be there")
    forbid: tuple[str, ...] = Field(default=(), description="elements that must not")
    only: tuple[str, ...] = Field(default=(), description="no others than these; empty for any")
    least_elements: int = Field(default=1, ge=1)
    most_elements: int | None = Field(default=None, ge=1)
    least_atoms: int = Field(default=1, ge=1, description="of the cell")
    most_atoms: int | None = Field(default=None, ge=1, description="of the cell")

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, said: Any) -> Any:
        if isinstance(said, str):
            return of_words(said)
        if isinstance(said, dict) and isinstance(ranges := said.get("ranges"), dict):
            return {**said, "ranges": {ALSO.get(str(name), name): one for name, one in ranges.items()}}
        return said

    @field_validator("require", "forbid", "only")
    @classmethod
    def _elements(cls, some: tuple[str, ...]) -> tuple[str, ...]:
        from ase.data import atomic_numbers

        if strange := [one for one in some if one not in atomic_numbers or one == "X"]:
            raise ValueError(f"'{strange[0]}' is no element")
        return tuple(dict.fromkeys(some))

    @model_validator(mode="after")
    def _something_fits(self) -> Self:
        for name, one in self.ranges.items():
            _check_possible(name, one)
        self._check_elements_agree()
        for what in ("elements", "atoms"):
            least, most = self._bounds(what)
            if most is None:
                continue
            if least > most:
                raise ValueError(f"at least {least} and at most {most} {what}")
            if len(self.require) > most:
                raise ValueError(
                    f"{len(self.require)} elements are required, and at most {most} {what} allowed"
                )
        if self.most_atoms is not None and self.least_elements > self.most_atoms:
            raise ValueError(f"at least {self.least_elements} elements in at most {self.most_atoms} atoms")
        return self

    def _check_elements_agree(self) -> None:
        if both := sorted(set(self.require) & set(self.forbid)):
            raise ValueError(f"{', '.join(both)}: both required and forbidden")
        if not self.only:
            return
        if outside := sorted(set(self.require) - set(self.only)):
            raise ValueError(f"{', '.join(outside)}: required, and not among 'only {' '.join(self.only)}'")
        allowed = set(self.only) - set(self.forbid)
        if len(allowed) < self.least_elements:
            raise ValueError(f"at least {self.least_elements} elements, of {len(allowed)} that are allowed")

    def _bounds(self, what: str) -> tuple[int, int | None]:
        """The least and the most of elements or atoms."""
        return getattr(self, f"least_{what}"), getattr(self, f"most_{what}")

    @classmethod
    def of(cls, said: Any, *, where: str = "target") -> Self:
        """Read one from words, from a mapping, or as it is.

        Raises:
            UnknownKeyError: a mapping has an unknown key; with the nearest that exists.
            InputError: it cannot be read, contradicts itself, or nothing can satisfy it.
        """
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            raise problem_of(error, cls, where=where, page="docs/screening.md") from None

    @property
    def predicted(self) -> list[str]:
        """The quantities with a range that no verdict says itself: a model must."""
        return [name for name in self.ranges if name not in QUANTITIES]

    def check_properties(self, units: Mapping[str, str], *, where: str = "target") -> None:
        """Refuse a range of what nothing gives, or in another unit.

        Args:
            units: property → unit, as models predict it.
            where: for the message.

        Raises:
            UnknownKeyError: nobody predicts such a property; with the nearest name.
            InputError: it has another unit.
        """
        known = {**units, **QUANTITIES}
        for name, one in self.ranges.items():
            if name not in known:
                raise UnknownKeyError.of(name, known, where=where)
            if one.unit and one.unit != known[name]:
                raise InputError(
                    f"{name} {one.described}, and it is given in {known[name] or 'no unit'}",
                    where=where,
                    remedy=f"write the range in {known[name] or 'plain numbers'}",
                )

    def check_elements(self, known: Collection[str], *, who: str, where: str = "target") -> None:
        """Refuse elements that are required, or are the only ones, and that somebody does not know.

        Raises:
            InputError: so no candidate could be judged.
        """
        strange = sorted(set(self.require) - set(known))
        left = (set(self.only) - set(self.forbid)) & set(known)
        if self.only and len(left) < self.least_elements:
            strange = strange or sorted(set(self.only) - set(known))
        if strange:
            raise InputError(
                f"nothing can satisfy it: {who} knows nothing of {', '.join(strange)}",
                where=where,
                remedy="leave these elements out of the target, or choose another",
            )

    def composition_faults(self, symbols: Sequence[str]) -> Iterator[str]:
        """Why a crystal of these atoms cannot be meant, whatever else it is; nothing where it can."""
        found = set(symbols)
        if missing := sorted(set(self.require) - found):
            yield f"no {', '.join(missing)}"
        if bad := sorted(found & set(self.forbid)):
            yield f"with {', '.join(bad)}"
        if self.only and (others := sorted(found - set(self.only))):
            yield f"with {', '.join(others)}"
        for what, number in (("elements", len(found)), ("atoms", len(symbols))):
            least, most = self._bounds(what)
            if number < least:
                yield f"fewer than {least} {what}"
            if most is not None and number > most:
                yield f"more than {most} {what}"

    def quantity_faults(self, values: Mapping[str, float | None]) -> Iterator[str]:
        """Which ranges a crystal misses; of a quantity that nobody knows, that one cannot say.

        Args:
            values: quantity → its value, or None.
        """
        for name, one in self.ranges.items():
            value = values.get(name)
            if value is None:
                yield f"{name} is not known"
            elif not one.holds(value):
                yield f"{name} not {one.described}"


def _check_possible(name: str, one: Range) -> None:
    """Refuse a range in which no crystal can be.

    Raises:
        ValueError: such as a probability above 1.
    """
    least, most = _LEAST.get(name), _MOST.get(name)
    under = least is not None and one.high is not None and (one.high < least or one.below == least)
    over = most is not None and one.low is not None and (one.low > most or one.above == most)
    if under or over:
        raise ValueError(f"nothing has {name} {one.described}")
