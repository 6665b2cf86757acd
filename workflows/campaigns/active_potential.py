"""The campaign kind ``active_potential``: a potential learnt from labels that a committee asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.tasks.rounds.stop import Stop
from zonemelt.workflows.campaigns.oracle import OracleSpec
from zonemelt.workflows.campaigns.structures import BulkSpec, absolute_paths, read_structures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jobflow import Flow

LOOP_STEERABLE = ("batch", "ahead", "quorum", "most_failed", "stop", "acquire")


class LoopSpec(OracleSpec):
    """What all loops have in common."""

    steerable: ClassVar[tuple[str, ...]] = (*OracleSpec.steerable, *LOOP_STEERABLE)

    batch: int = Field(default=8, ge=1, description="labels asked for in a round")
    ahead: int = Field(
        default=1, ge=0, le=10,
        description="batches that are chosen ahead: 0 lets the oracles idle while committees are trained",
    )  # fmt: skip
    quorum: float = Field(
        default=1.0, gt=0, le=1, description="share of the labels a round waits for; the others join the next"
    )
    most_failed: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of a round's labels that may fail before it ends",
    )
    stop: Stop = Field(default_factory=Stop, description="the first criterion that is met ends the campaign")
    resources: dict[Literal["label", "train", "explore"], dict[str, Any]] = Field(
        default_factory=dict, description="pool, ranks_per_node, walltime … of each kind of job"
    )

    @model_validator(mode="after")
    def _resources(self) -> Self:
        from zonemelt.workflows.engine.resources import read_resources

        for step, wanted in self.resources.items():
            try:
                read_resources(wanted, where=f"resources.{step}")
            except ZonemeltError as error:
                raise ValueError(str(error)) from None
        return self

    def loop_fields(self, elements: Iterable[str]) -> dict[str, Any]:
        """Fields of :class:`.RelabelMaker`.

        Args:
            elements: of what is labelled.
        """
        return {
            "name": self.name, "oracle": self.oracle, "settings": self.oracle_settings(elements),
            "batch": self.batch, "ahead": self.ahead, "quorum": self.quorum, "seed": self.seed,
            "most_failed": self.most_failed, "stop": self.stop.model_dump(mode="json"),
            "resources": {step: self.with_program(step, dict(one)) for step, one in self.resources.items()},
        }  # fmt: skip

    @staticmethod
    def with_program(step: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Ranks of a label are those of the program that computes it."""
        several = int(wanted.get("nodes", 1)) * int(wanted.get("ranks_per_node", 1)) > 1
        return {"launcher": "program", **wanted} if step == "label" and several else wanted


class CommitteeSpec(BaseModel):
    """Several potentials that differ by their seed, and how each is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: int = Field(default=4, ge=2)
    kind: Literal["linear", "network"] = "linear"
    basis: dict[str, Any] | None = Field(default=None, description="of linear ones: cutoff, radial, degree")
    energy_weight: float | None = Field(default=None, ge=0, description="of linear ones, beside forces")
    architecture: dict[str, Any] | None = Field(default=None, description="of networks: cutoff, channels …")
    settings: dict[str, Any] | None = Field(default=None, description="of networks: epochs, batch_size …")
    loss: dict[str, Any] | None = Field(default=None, description="of networks")
    start: str | None = Field(
        default=None, description="weights that networks begin with, e.g. sevennet-0; or a folder"
    )

    def with_paths_from(self, base: Path) -> Self:
        """The same, a folder of weights by its whole path."""
        if not self.start or not (folder := base / self.start).is_dir():
            return self
        return self.model_copy(update={"start": str(folder.resolve())})


class ActivePotentialSpec(LoopSpec):
    """A committee explores, and what it disagrees on is labelled, round by round."""

    steerable: ClassVar[tuple[str, ...]] = (*LoopSpec.steerable, "explore", "walkers")

    kind: Literal["active_potential"] = "active_potential"
    structures: list[BulkSpec | str] = Field(
        min_length=1, description="what everything begins with: crystals, or paths of files"
    )
    start: dict[str, Any] = Field(
        default_factory=dict, description="displacement, strain … of what is labelled first and held out"
    )
    initial: int = Field(default=8, ge=2, description="labels of the first committee")
    heldout: int = Field(default=8, ge=2, description="labels that errors are measured on, never learnt from")
    committee: CommitteeSpec = Field(default_factory=CommitteeSpec)
    validation: float = Field(default=0.1, gt=0, lt=1, description="share that trainings validate on")
    explore: dict[str, dict[str, Any]] = Field(min_length=1, description="name → an explorer")
    walkers: int = Field(default=1, ge=1, description="jobs of each explorer in a round")
    acquire: dict[str, Any] = Field(default_factory=dict, description="strategy, score, windows …")

    @model_validator(mode="after")
    def _explorers(self) -> Self:
        from zonemelt.tasks.acquire.jobs import Acquiring
        from zonemelt.tasks.explore.deform import Deform
        from zonemelt.tasks.explore.explorers import explorer_of

        Deform.model_validate(self.start)
        Acquiring.model_validate(self.acquire)
        for name, said in self.explore.items():
            try:
                explorer_of(said)
            except ZonemeltError as error:
                raise ValueError(f"explore.{name}: {error}") from None
        return self

    def with_paths_from(self, base: Path) -> Self:
        """Paths relative to the campaign's file, whole."""
        update = {
            "structures": absolute_paths(self.structures, base),
            "committee": self.committee.with_paths_from(base),
        }
        return super().with_paths_from(base).model_copy(update=update)


def build(spec: ActivePotentialSpec) -> Flow:
    """The graph of the campaign.

    Raises:
        OracleError: the oracle cannot run here.
        InputError: a structure cannot be read, or a setting of a training cannot be used.
    """
    from zonemelt.flows.relabel_potential import RelabelPotentialMaker

    structures = read_structures(spec.structures)
    elements = {symbol for one in structures for symbol in one["geometry"]["symbols"]}
    maker = RelabelPotentialMaker(
        **spec.loop_fields(elements),
        structures=structures, start=spec.start, initial=spec.initial,
        heldout=spec.heldout, committee=spec.committee.model_dump(mode="json", exclude_none=True),
        validation=spec.validation, explore=spec.explore, walkers=spec.walkers, acquire=spec.acquire,
    )  # fmt: skip
    maker.check()
    return maker.make()
