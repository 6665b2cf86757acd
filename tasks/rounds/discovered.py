"""What a round of discovery has come to: its funnel, what its models learnt, and what the oracle confirmed.

The document of a round (see :func:`.judge.round_document`) carries an :class:`Outcome` as ``discovery``; so
does the summary of a campaign: that of the last round, with the funnels of all rounds added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from zonemelt.tasks.explore.candidate import Origin  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.records import Geometry, Property  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Iterable


class Funnel(Document):
    """How many crystals got how far; each is one of those before."""

    generated: int = Field(default=0, ge=0, description="drawn, or made in another way")
    valid: int = Field(
        default=0, ge=0, description="that are structures, within the target, and came to rest"
    )
    unique: int = Field(default=0, ge=0, description="of those, different from one another")
    novel: int = Field(default=0, ge=0, description="and from all that has a label")
    stable: int = Field(default=0, ge=0, description="and within the target, as predicted")
    chosen: int = Field(default=0, ge=0, description="for a label: not stable ones alone")
    labelled: int = Field(default=0, ge=0, description="whose label came and was accepted")
    confirmed: int = Field(default=0, ge=0, description="within the target by their label")

    @classmethod
    def sum_of(cls, funnels: Iterable[Funnel]) -> Self:
        """Of several rounds."""
        rows = [one.model_dump() for one in funnels]
        return cls(**{name: sum(row[name] for row in rows) for name in cls.model_fields})


class Discovery(Document):
    """A crystal that was proposed, judged and labelled."""

    identifier: str
    formula: str
    round: int = Field(description="that learnt from its label")
    label: str = Field(description="uuid of the job that labelled it: `zonemelt why`")
    geometry: Geometry = Field(description="at rest as the potential had it; what was labelled")
    origin: Origin | None
    energy_per_atom: float = Field(description="of its label, extrapolated to zero smearing, eV/atom")
    formation_energy: float = Field(description="from the pure elements that have labels, eV/atom")
    above_hull: float = Field(description="on the hull of all labels so far, eV/atom")
    predicted_above_hull: float | None = Field(description="before it had a label, eV/atom")
    space_group: int | None = Field(default=None, description="number, of the geometry")
    deviation: float | None = Field(description="of what was predicted, as the committee had it, eV/atom")
    force: float | None = Field(
        description="largest on an atom in its label, eV/Å: 0 were at rest for the oracle"
    )
    properties: dict[str, Property] = Field(
        default_factory=dict, description="of the target: of its label, or else predicted"
    )
    predicted: tuple[str, ...] = Field(default=(), description="names of the properties that are predicted")
    confirmed: bool = Field(description="whether it is within the target")
    reasons: tuple[str, ...] = Field(default=(), description="why it is not")


class HullPoint(Document):
    """A labelled crystal on or near the hull of all labels."""

    identifier: str
    composition: dict[str, float] = Field(description="element → atoms in the cell")
    formation_energy: float = Field(description="eV/atom")
    above_hull: float = Field(description="eV/atom")
    seed: bool = Field(description="whether the campaign began with it")


class Lesson(Document):
    """What one model was worth on labels that it had not seen, and was then trained on."""

    model: str = Field(description="potential, generator, or the name of a property")
    labels: int = Field(description="that it is trained on now")
    new: int = Field(default=0, description="labels that the errors are of")
    errors: dict[str, float] = Field(
        default_factory=dict, description="of the model before, on the new labels: name with unit → value"
    )
    metrics: dict[str, float] = Field(
        default_factory=dict, description="of the model now: name with unit → value"
    )


class Outcome(Document):
    """All there is to say about a round of discovery."""

    target: dict[str, Any] = Field(description="what is looked for, as the campaign file has it")
    described: str = Field(description="the same in words")
    oracle: str
    funnel: Funnel
    discoveries: list[Discovery] = Field(description="of all rounds so far, the most stable first")
    hull: list[HullPoint] = Field(description="of all labels so far, by their energy above it")
    lessons: list[Lesson]
    factor: float = Field(
        default=1.0,
        description="by which the committee's deviations of energies are too small, on new labels",
    )
