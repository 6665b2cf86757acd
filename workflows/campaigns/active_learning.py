"""The campaign kind ``active_learning``: learn the formation energies of a binary fcc alloy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from zonemelt.workflows.campaigns.oracle import OracleSpec

if TYPE_CHECKING:
    from jobflow import Flow

Size = Annotated[int, Field(ge=2, le=8)]
Strain = Annotated[float, Field(gt=-0.2, lt=0.2)]


class ActiveLearningSpec(OracleSpec):
    """Enumerate orderings, label a few, learn, label the most uncertain, learn again."""

    kind: Literal["active_learning"] = "active_learning"
    elements: list[str] = Field(min_length=2, max_length=2, description="two fcc metals")
    reference_strains: list[Strain] = Field(
        default=[-0.03, -0.01, 0.01, 0.03, 0.05],
        min_length=5,
        description="linear strains of the pure elements, from the experimental lattice",
    )
    sizes: list[Size] = Field(default=[2, 3, 4], min_length=1, description="of the cells, atoms")
    max_aspect: float = Field(
        default=3.0, ge=1, description="longest over shortest lattice vector of the cells considered"
    )
    strains: list[Strain] = Field(
        default=[-0.03, 0.0, 0.03], min_length=1, description="linear strains of every ordering"
    )
    rattle: float = Field(default=0.0, ge=0, le=0.5, description="of one more copy of each, Å")
    heldout_orderings: int = Field(default=5, ge=1, description="orderings only tested on")
    strategies: list[Literal["uncertainty", "random"]] = Field(
        default=["uncertainty", "random"], min_length=1, description="the first is the campaign's"
    )
    repeats: int = Field(default=3, ge=1, description="repetitions of each strategy")
    initial: int = Field(default=6, ge=1, description="labels each arm starts from")
    rounds: int = Field(default=2, ge=1)
    batch: int = Field(default=6, ge=1, description="labels an arm chooses in a round")
    confirm: int = Field(default=2, ge=0, description="predicted most stable that are labelled")
    features: Literal["pairs", "soap"] = Field(default="pairs", description="what describes a crystal")
    feature_cutoff: float = Field(default=6.0, gt=2.5, le=10, description="of the features, Å")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name in ("elements", "sizes", "strains", "reference_strains", "strategies"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} names the same thing twice")
        return self


def build(spec: ActiveLearningSpec) -> Flow:
    """The graph of the campaign.

    Raises:
        OracleError: the oracle cannot run here.
        InputError: an element has no fcc reference.
    """
    from zonemelt.flows.active_learning import ActiveLearningMaker

    return ActiveLearningMaker(
        name=spec.name,
        elements=list(spec.elements),
        oracle=spec.oracle,
        settings=spec.oracle_settings(spec.elements),
        reference_strains=list(spec.reference_strains),
        sizes=list(spec.sizes),
        max_aspect=spec.max_aspect,
        strains=list(spec.strains),
        rattle=spec.rattle,
        heldout_orderings=spec.heldout_orderings,
        strategies=list(spec.strategies),
        repeats=spec.repeats,
        initial=spec.initial,
        rounds=spec.rounds,
        batch=spec.batch,
        confirm=spec.confirm,
        features=spec.features,
        cutoff=spec.feature_cutoff,
        seed=spec.seed,
    ).make()
