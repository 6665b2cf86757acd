"""The campaign kind ``discovery``: a generator proposes, a committee judges, an oracle decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.workflows.campaigns.active_potential import CommitteeSpec, LoopSpec
from zonemelt.workflows.campaigns.structures import BulkSpec, OrderingsSpec, absolute_paths, read_structures

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Flow


class GeneratorSpec(BaseModel):
    """The generator of crystals, and what it learns from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: dict[str, Any] = Field(default_factory=dict, description="width, layers, frequencies")
    settings: dict[str, Any] = Field(default_factory=dict, description="epochs, batch_size, learning_rate …")
    loss: dict[str, Any] = Field(default_factory=dict)
    within: float = Field(default=0.2, gt=0, description="eV/atom above the hull of what it learns from")
    most_atoms: int = Field(default=20, ge=1, description="of a cell it learns from")
    cells: int = Field(
        default=0,
        ge=0,
        description="larger cells of each crystal and number of atoms that it learns from too",
    )
    wish: str = Field(
        default="", description="property it is told of; the target's first that is predicted, or above_hull"
    )


class DiscoverySpec(LoopSpec):
    """Draw crystals, judge them, label the best and the unsure, learn from the labels, draw again."""

    steerable: ClassVar[tuple[str, ...]] = (*LoopSpec.steerable, "sample", "refine", "judging")

    kind: Literal["discovery"] = "discovery"
    target: Any = Field(
        default="above_hull < 0.05", description="what is looked for, in words or field by field"
    )
    seeds: list[OrderingsSpec | BulkSpec | str] = Field(
        default_factory=list, description="crystals that are labelled first: orderings, crystals, files"
    )
    known: str = Field(default="", description="directory of a dataset with labels to begin with")
    known_version: str = Field(default="", description="of it; the newest where empty")
    start: dict[str, Any] = Field(
        default_factory=dict, description="displacement, strain, volume of copies of the seeds"
    )
    initial: int = Field(default=0, ge=0, description="labels to begin with; 0 for one of each seed")
    heldout: int = Field(default=0, ge=0, description="labels that errors are measured on; may be none")
    committee: CommitteeSpec = Field(default_factory=CommitteeSpec)
    validation: float = Field(default=0.1, gt=0, lt=1, description="share that trainings validate on")
    models: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="property of the target → model: {family: extra_trees}"
    )
    measure: list[str] = Field(
        default_factory=list, description="properties that the oracle measures beside labels: bulk_modulus"
    )
    generator: GeneratorSpec = Field(default_factory=GeneratorSpec)
    sample: list[dict[str, Any]] = Field(
        default=[{"count": 100}], min_length=1, description="ways to draw: count, atoms, composition, near …"
    )
    relax: dict[str, Any] = Field(
        default={"force": 0.05, "steps": 200, "method": "lbfgs"},
        description="of candidates, by the committee",
    )
    judging: dict[str, Any] = Field(default_factory=dict, description="closest, alike, metastable, phonons …")
    refine: int = Field(
        default=2, ge=0, description="known crystals on the hull that are relaxed and labelled again, a round"
    )
    acquire: dict[str, Any] = Field(default_factory=dict, description="score, unsure, reach, strategy …")
    ahead: int = Field(default=0, ge=0, le=10, description="batches that are chosen ahead of what is learnt")

    @field_validator("target")
    @classmethod
    def _target(cls, said: Any) -> Any:
        from zonemelt.tasks.judge.target import Target

        try:
            Target.of(said)
        except ZonemeltError as error:
            raise ValueError(f"{error.what}, {error.remedy}") from None
        return said

    @model_validator(mode="after")
    def _begins_with_something(self) -> Self:
        from zonemelt.tasks.explore.deform import Deform

        if not self.seeds and not self.known:
            raise ValueError("neither seeds nor known labels: give one of them")
        Deform.model_validate(self.start)
        return self

    def with_paths_from(self, base: Path) -> Self:
        """Paths relative to the campaign's file, whole."""
        update: dict[str, Any] = {
            "seeds": absolute_paths(self.seeds, base),
            "committee": self.committee.with_paths_from(base),
        }
        if self.known:
            update["known"] = str((base / self.known).resolve())
        return super().with_paths_from(base).model_copy(update=update)


def build(spec: DiscoverySpec) -> Flow:
    """The graph of the campaign; everything that can be checked is checked before anything is spent.

    Raises:
        OracleError: the oracle cannot run here.
        InputError: seeds cannot be read or are too few, known labels are of another level of theory than one,
            or nothing of what they hold can meet the target.
    """
    from zonemelt.flows.discovery import DiscoveryMaker
    from zonemelt.tasks.rounds.adopt import check_level, known_symbols

    structures = read_structures(spec.seeds, where="seeds") if spec.seeds else []
    known = {"dataset": spec.known, "version": spec.known_version} if spec.known else {}
    maker = DiscoveryMaker(
        name=spec.name, structures=structures, known=known, target=spec.target, start=spec.start,
        initial=spec.initial or len(structures), heldout=spec.heldout,
        committee=spec.committee.model_dump(mode="json", exclude_none=True), validation=spec.validation,
        models=spec.models, measure=spec.measure,
        generator=spec.generator.model_dump(mode="json", exclude_defaults=True),
        sample=spec.sample, relax=spec.relax, judging=spec.judging, refine=spec.refine, acquire=spec.acquire,
    )  # fmt: skip
    maker.check()
    elements, _, _ = known_symbols(known, structures)
    fields = spec.loop_fields(elements)
    if spec.known:
        check_level(spec.known, spec.known_version, oracle=spec.oracle, settings=fields["settings"])
    return replace(maker, **fields).make()
