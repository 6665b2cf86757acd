"""The verdict on one candidate: where it lies above the hull, how sure that is, what else is known."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import Field

from zonemelt.tasks.explore.candidate import Origin  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.records import Geometry  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Iterable


class Word(StrEnum):
    """A verdict in one word; the first that fits, from above."""

    INVALID = "invalid"  # no structure, or one that the potential cannot take; nothing was computed
    OFF_TARGET = "off target"  # atoms or predictions miss the target; nothing was computed
    COLLAPSED = "collapsed"  # the relaxation exploded, or ended with atoms on one another
    UNCONVERGED = "unconverged"  # out of steps: no minimum
    UNDEFINED = "undefined"  # no hull: there are no references for an element
    UNSTABLE = "unstable"  # above the hull by more than metastable crystals may be
    METASTABLE = "metastable"
    STABLE = "stable"


class Estimate(Document):
    """A property as a model predicts it."""

    value: float
    unit: str
    deviation: float | None = Field(default=None, description="calibrated standard deviation")


class Confirmation(Document):
    """What an oracle says of a relaxed candidate, and of what it would fall apart into."""

    oracle: str
    energy_per_atom: float | None = Field(default=None, description="eV/atom; None where it was refused")
    max_force: float | None = Field(default=None, description="on an atom, eV/Å: far from zero, no minimum")
    above_hull: float | None = Field(
        default=None, description="above what it decomposes into, all labelled by the oracle, eV/atom"
    )
    reasons: tuple[str, ...] = Field(default=(), description="why something is not known")


class Verdict(Document):
    """What is known of one candidate."""

    identifier: str
    formula: str = Field(description="reduced, elements in alphabetical order")
    geometry: Geometry | None = Field(
        description="relaxed; as it was given where nothing was computed; None where that is no structure"
    )
    energy_per_atom: float | None = Field(
        default=None, description="of the relaxed geometry, not corrected, eV/atom"
    )
    formation_energy: float | None = Field(default=None, description="from the references, eV/atom")
    above_hull: float | None = Field(default=None, description="eV/atom; below zero: below all references")
    decomposition: dict[str, float] = Field(
        default_factory=dict, description="identifier of a reference → share of the atoms"
    )
    undefined: str = Field(default="", description="why there is no above_hull; empty where there is one")
    deviation: float | None = Field(
        default=None, description="standard deviation of above_hull, eV/atom; None where nobody can say"
    )
    probability: float | None = Field(
        default=None, description="that above_hull is within what counts as stable; None as above"
    )
    valid: bool = Field(default=True, description="it is a structure, and the potential knows its elements")
    group: str = Field(description="identifier of the first of those that are the same; its own if alone")
    novel: bool | None = Field(default=None, description="none of the known ones; None where not looked at")
    same_as: str = Field(default="", description="the known crystal that it is; empty where it is novel")
    converged: bool = Field(default=False, description="the relaxation came to rest")
    left_basin: bool = Field(default=False, description="what was relaxed to is another crystal")
    volume_change: float | None = Field(default=None, description="in the relaxation, a fraction")
    space_group: int | None = Field(default=None, description="number, of the relaxed geometry")
    lowest_frequency: float | None = Field(
        default=None, description="THz; imaginary ones below zero; None where there are no phonons"
    )
    dynamically_stable: bool | None = Field(default=None, description="no imaginary modes; None as above")
    properties: dict[str, Estimate] = Field(default_factory=dict, description="that models predict")
    label: Confirmation | None = Field(default=None, description="of an oracle, for the short list")
    on_target: bool | None = Field(default=None, description="it is what was searched; None: no target")
    origin: Origin | None = Field(default=None, description="of the candidate")
    verdict: Word
    reasons: tuple[str, ...] = Field(default=(), description="of the verdict, and what else must be known")

    @property
    def is_new(self) -> bool:
        """The first of those that are the same, and none of the known ones, as far as anybody has looked."""
        return self.group == self.identifier and self.novel is not False

    @property
    def quantities(self) -> dict[str, float | None]:
        """Quantity → value: of the verdict, and what models predict; of the hull the oracle's where known."""
        labelled = self.label.above_hull if self.label else None
        own = {
            "above_hull": self.above_hull if labelled is None else labelled,
            "formation_energy": self.formation_energy,
            "energy_per_atom": self.energy_per_atom, "deviation": self.deviation,
            "probability": self.probability, "lowest_frequency": self.lowest_frequency,
        }  # fmt: skip
        return own | {name: one.value for name, one in self.properties.items()}


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """The funnel: how many candidates came through each sieve; every one holds those below it.

    Returns:
        ``generated``; ``valid``; ``wanted``, not off target before anything was computed; ``converged``;
        ``unique``, one of each group; ``novel``; ``stable``, without imaginary modes where phonons are known;
        and, beside the funnel, ``metastable`` and ``on_target`` ones among the novel, ``left_basin``, and a
        count of every word.
    """
    every = list(verdicts)
    valid = [one for one in every if one.valid]
    wanted = [one for one in valid if one.verdict is not Word.OFF_TARGET]
    converged = [one for one in wanted if one.converged and one.verdict is not Word.COLLAPSED]
    unique = [one for one in converged if one.group == one.identifier]
    novel = [one for one in unique if one.novel is not False]
    words = Counter(str(one.verdict) for one in every)
    return {
        "generated": len(every),
        "valid": len(valid),
        "wanted": len(wanted),
        "converged": len(converged),
        "unique": len(unique),
        "novel": len(novel),
        "stable": sum(one.verdict is Word.STABLE and one.dynamically_stable is not False for one in novel),
        "metastable": sum(one.verdict is Word.METASTABLE for one in novel),
        "left_basin": sum(one.left_basin for one in every),
        "on_target": sum(one.on_target is True for one in novel),
        **{f"verdict {word}": words[word] for word in Word},
    }
