"""Candidates: structures without a label, each with its origin, and a count of what was not kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.convert.checked import checked
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.composition import cell_formula
from zonemelt.tasks.quality.contacts import too_close
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Times = Annotated[int, Field(ge=1)]
Repeat = tuple[_Times, _Times, _Times]
"""How often a cell is repeated along each of its vectors."""
Kelvin = Annotated[float, Field(ge=0)]
CLOSEST: Final = 0.5
"""Of the sum of covalent radii: what is nearer is no structure, and is not kept."""
_DIGITS: Final = 6  # of Å: geometries that agree so far are one candidate


class Origin(Document):
    """How a candidate came about."""

    explorer: str
    parent: str = Field(description="identifier of the structure it was made from; empty for none")
    settings: dict[str, Any] = Field(default_factory=dict, description="what tells it from its siblings")


class Candidate(Document):
    """A structure that may be labelled."""

    identifier: str = Field(description="formula, explorer and hash of the geometry: the same where that is")
    geometry: Geometry
    origin: Origin


class Explorer(BaseModel):
    """What all explorers have in common: settings to be asked with; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closest: float = Field(
        default=CLOSEST, gt=0, lt=1, description="of the sum of covalent radii: nearer atoms are refused"
    )


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A structure to start from."""

    identifier: str
    geometry: Geometry


@dataclass
class Found:
    """Collects candidates: refuses what is no structure, keeps equal ones once, and counts both.

    Args:
        explorer: its name, part of every identifier.
        closest: see :class:`Explorer`.
    """

    explorer: str
    closest: float = CLOSEST
    candidates: dict[str, Candidate] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, geometry: Geometry, *, parent: str, **settings: Any) -> bool:
        """Take one structure; False where it is not kept."""
        self.counts["proposed"] += 1
        if too_close(geometry, self.closest) is not None:
            self.counts["refused: atoms too close"] += 1
            return False
        name = identifier(geometry, self.explorer)
        if name in self.candidates:
            self.counts["refused: the same as another"] += 1
            return False
        origin = Origin(explorer=self.explorer, parent=parent, settings=settings)
        self.candidates[name] = Candidate(identifier=name, geometry=geometry, origin=origin)
        return True

    def refuse(self, why: str, number: int = 1) -> None:
        """Count what did not even become a structure."""
        self.counts["proposed"] += number
        self.counts[f"refused: {why}"] += number

    def document(self) -> dict[str, Any]:
        """``candidates`` in the order they came, and ``counts``."""
        return {
            "candidates": [one.model_dump(mode="json") for one in self.candidates.values()],
            "counts": {"proposed": 0, **self.counts, "kept": len(self.candidates)},
        }


def identifier(geometry: Geometry, explorer: str) -> str:
    """Formula, explorer and a hash of cell, symbols and positions rounded to a millionth of an Å."""
    rounded = [
        [round(value, _DIGITS) + 0.0 for value in vector] for vector in (*geometry.cell, *geometry.positions)
    ]
    said = f"{geometry.symbols}{geometry.periodic}{rounded}".encode()
    return f"{cell_formula(geometry.symbols)}-{explorer}-{hashlib.sha256(said).hexdigest()[:10]}"


def read_parents(parents: Iterable[dict[str, Any]], *, where: str = "parents") -> list[Parent]:
    """Structures to start from: candidates, records or any documents with ``identifier`` and ``geometry``.

    Raises:
        InputError: there is none, two have one name, or one of them is no structure.
    """
    found = []
    for number, one in enumerate(parents):
        place = f"{where}, number {number}"
        if absent := [name for name in ("identifier", "geometry") if one.get(name) is None]:
            raise InputError(
                f"it has no '{absent[0]}'",
                where=place,
                remedy="give documents with 'identifier' and 'geometry'",
            )
        geometry = checked(partial(Geometry.model_validate, one["geometry"]), where=place)
        found.append(Parent(identifier=str(one["identifier"]), geometry=geometry))
    if not found:
        raise InputError("there is none", where=where, remedy="give a structure to start from")
    if twice := [name for name, times in Counter(one.identifier for one in found).items() if times > 1]:
        raise InputError(f"'{twice[0]}' is there twice", where=where, remedy="give each a name of its own")
    return found


def joined(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several explorers found, as one document; equal candidates once."""
    candidates: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update({key: number for key, number in document["counts"].items() if key != "kept"})
        for one in document["candidates"]:
            if one["identifier"] in candidates:
                counts["refused: the same as another"] += 1
            candidates.setdefault(one["identifier"], one)
    return {"candidates": list(candidates.values()), "counts": {**counts, "kept": len(candidates)}}
