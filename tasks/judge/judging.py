"""How candidates are judged: what counts as a structure, as the same, as stable."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from zonemelt.tasks.explore.candidate import CLOSEST
from zonemelt.tasks.judge.novelty import MATERIALS
from zonemelt.tasks.quality.same import Alike  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.records import Geometry  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.theory import Document


class Judging(Document):
    """Bounds and settings of a judgement."""

    closest: float = Field(
        default=CLOSEST, gt=0, lt=1, description="of the sum of covalent radii: nearer atoms are no structure"
    )
    volume: float = Field(
        default=0.3, gt=0, description="change in a relaxation, a fraction, beyond which the basin was left"
    )
    symprec: float = Field(default=0.1, gt=0, description="of space groups, Å")
    alike: Alike = Field(default=MATERIALS, description="when two crystals are the same")
    hull: Literal["references", "everything"] = Field(
        default="references",
        description="what candidates compete with: known crystals; or these and one another, so that of two"
        " that are found together only one is stable",
    )
    stable: float = Field(
        default=0.001, description="eV/atom above the hull up to which a crystal counts as on it"
    )
    metastable: float = Field(default=0.1, description="eV/atom up to which it may be made")
    error: float | None = Field(
        default=None, gt=0,
        description="standard error of the potential's above_hull where that is known, eV/atom",
    )  # fmt: skip
    factor: float = Field(
        default=1.0, gt=0, description="by which deviations of a committee are multiplied: its calibration"
    )
    promise: float = Field(
        default=0.05, ge=0, lt=1,
        description="least probability of a predicted range at which a candidate is relaxed",
    )  # fmt: skip
    phonons: int = Field(default=0, ge=0, description="how many of the best get phonons")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.metastable < self.stable:
            raise ValueError(f"metastable {self.metastable} is below stable {self.stable}")
        return self


class Known(Document):
    """A known crystal."""

    identifier: str
    geometry: Geometry


class ReferencesSpec(Document):
    """Known crystals that span the hull, and whose energies count."""

    dataset: str = Field(
        default="", description="directory of a dataset: `zonemelt ingest mp:Li-Fe-O --out references`"
    )
    crystals: tuple[Known, ...] = Field(
        default=(), description="instead of a dataset: crystals without energies, relaxed by the potential"
    )
    version: str = Field(default="", description="of it; the newest where empty")
    energies: Literal["potential", "labels"] = Field(
        default="potential",
        description="potential: the references are relaxed by it too; labels: those of the dataset are taken,"
        " which must be of the level of theory that the potential was trained to",
    )
    correct: bool | None = Field(
        default=None,
        description="of labels: whether what the potential says is corrected by MP2020 here; false where it"
        " learnt corrected energies. Must be said where the references are corrected",
    )
    ignoring: tuple[str, ...] = Field(
        default=(), description="of labels: fields of the level of theory that may differ"
    )
    slack: float | None = Field(
        default=None, ge=0,
        description="of potential: leave out references whose labels are farther above the hull, eV/atom",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.dataset) == bool(self.crystals):
            raise ValueError("give a dataset of known crystals, or crystals, and not both")
        if self.crystals and (self.energies == "labels" or self.slack is not None):
            raise ValueError("crystals have no labels: take energies and slack away")
        return self

    @property
    def described(self) -> str:
        """For messages."""
        return f"references {self.dataset}" if self.dataset else f"{len(self.crystals)} references"
