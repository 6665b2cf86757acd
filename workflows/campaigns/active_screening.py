"""The campaign kind ``active_screening``: the best of a pool, found with few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from zonemelt.workflows.campaigns.active_potential import LoopSpec

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Flow


class ActiveScreeningSpec(LoopSpec):
    """A model says what may be among the best; that is labelled, and learnt from."""

    also_oracles: ClassVar[tuple[str, ...]] = ("pool",)

    kind: Literal["active_screening"] = "active_screening"
    oracle: str = Field(default="pool", description="what labels: pool, where the pool has labels, or a code")
    pool: str = Field(description="directory of a dataset with the candidates")
    pool_version: str = Field(default="", description="of it; the newest where empty")
    target: str = Field(description="the property; energy_per_atom, or one of the records' properties")
    model: dict[str, Any] = Field(
        default={"family": "extra_trees", "grid": {}}, description="family, settings, grid"
    )
    initial: int = Field(default=20, ge=5, description="labels to begin with, drawn at random")
    heldout: int = Field(default=0, ge=0, description="labels that errors are measured on; may be none")
    acquire: dict[str, Any] = Field(
        default_factory=dict, description="wanted, fraction, score, strategy, limit …"
    )

    @model_validator(mode="after")
    def _acquiring(self) -> Self:
        from zonemelt.tasks.acquire.jobs import Acquiring

        Acquiring.model_validate(self.acquire)
        return self

    def with_paths_from(self, base: Path) -> Self:
        """The pool's directory, whole."""
        pool = str((base / self.pool).resolve())
        return super().with_paths_from(base).model_copy(update={"pool": pool})


def build(spec: ActiveScreeningSpec) -> Flow:
    """The graph of the campaign.

    Raises:
        OracleError: the oracle cannot run here.
        InputError: there is no such pool, or it is too small.
    """
    from zonemelt.flows.relabel_screening import RelabelScreeningMaker
    from zonemelt.tasks.datasets import open_dataset

    found = open_dataset(spec.pool, spec.pool_version or None)
    elements = {symbol for one in found.frame(["elements"])["elements"].unique() for symbol in one.split("-")}
    # all pairs of a large pool are not compared, unless somebody asks for it
    usual = {"strategy": "top", "score": "probability_of_best", "features": ""}
    maker = RelabelScreeningMaker(
        **spec.loop_fields(elements),
        pool={"dataset": spec.pool, "version": found.version}, target=spec.target, model=spec.model,
        initial=spec.initial, heldout=spec.heldout, acquire={**usual, **spec.acquire},
    )  # fmt: skip
    maker.check()
    return maker.make()
