"""The campaign kind ``screening``: known or enumerated crystals, judged, and the best labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.workflows.campaigns.active_potential import LoopSpec
from zonemelt.workflows.campaigns.applications import ApplicationSpec
from zonemelt.workflows.campaigns.oracle import OracleSpec
from zonemelt.workflows.campaigns.structures import AnyStructure, absolute_paths, read_structures

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Flow

    from zonemelt.flows.screening import ScreeningMaker


class KnownSpec(BaseModel):
    """Known crystals that span the hull: a dataset, or some that are written here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field(
        default="", description="a directory: `zonemelt ingest mp:Li-Fe-O --out references` makes one"
    )
    version: str = Field(default="", description="of it; the newest where empty")
    structures: list[AnyStructure] = Field(default_factory=list, description="instead of a dataset")
    energies: Literal["potential", "labels"] = Field(
        default="potential", description="by the potential, or the dataset's, of the level that it learnt"
    )
    correct: bool | None = Field(
        default=None, description="of labels: whether the potential's energies are corrected by MP2020 here"
    )
    ignoring: list[str] = Field(default_factory=list, description="fields of the level that may differ")
    slack: float | None = Field(
        default=None, ge=0, description="eV/atom: references whose labels are farther up are left out"
    )


class ScreeningSpec(ApplicationSpec, OracleSpec):
    """Propose crystals, judge them by a potential against known ones, label the best by an oracle."""

    kind: Literal["screening"] = "screening"
    parents: list[AnyStructure] = Field(
        default_factory=list, description="what explorers start from; the candidates, where there are none"
    )
    explore: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="name → an explorer: sources, substitutions, decorations …"
    )
    references: KnownSpec = Field(description="known crystals, of each element a pure one among them")
    target: Any = Field(default="", description="what is searched, in words or field by field")
    models: list[str] = Field(default_factory=list, description="folders of models of properties")
    judging: dict[str, Any] = Field(default_factory=dict, description="stable, metastable, error, phonons …")
    phonons: dict[str, Any] = Field(default_factory=dict, description="length, force … of phonons")
    dtype: Literal["float32", "float64"] | None = Field(  # type: ignore[assignment]
        default=None, description="of relaxations; what is usual where empty"
    )
    structures: int = Field(default=200, ge=1, description="that are relaxed in one job")
    lot: int = Field(
        default=10_000, ge=0, description="candidates judged together, where all are in files; 0 for all"
    )
    short_list: int = Field(default=0, ge=0, description="how many of the best the oracle labels")
    label: dict[str, Any] = Field(
        default_factory=dict, description="pool, ranks_per_node, walltime … of each label"
    )

    @field_validator("label")
    @classmethod
    def _resources(cls, wanted: dict[str, Any]) -> dict[str, Any]:
        from zonemelt.workflows.engine.resources import read_resources

        try:
            read_resources(wanted, where="label")
        except ZonemeltError as error:
            raise ValueError(str(error)) from None
        return wanted

    def with_paths_from(self, base: Path) -> Self:
        """Paths relative to the campaign's file, whole."""

        def whole(path: str) -> str:
            return str((base / path).resolve())

        known = self.references
        explore = {
            name: {**one, "paths": [whole(path) for path in one["paths"]]} if "paths" in one else one
            for name, one in self.explore.items()
        }
        return (
            super()
            .with_paths_from(base)
            .model_copy(
                update={
                    "parents": absolute_paths(self.parents, base),
                    "explore": explore,
                    "models": [whole(one) for one in self.models],
                    "references": known.model_copy(
                        update={
                            "dataset": whole(known.dataset) if known.dataset else "",
                            "structures": absolute_paths(known.structures, base),
                        }
                    ),
                }
            )
        )


def build(spec: ScreeningSpec) -> Flow:
    """The graph of the campaign; everything that can be checked is checked before anything is spent.

    Raises:
        OracleError: the oracle cannot run here.
        InputError: a structure cannot be read, nothing can satisfy the target, or references and potential do
            not belong together.
    """
    return maker_of(spec).make()


def maker_of(spec: ScreeningSpec) -> ScreeningMaker:
    """The maker of the campaign, checked; errors as above."""
    from zonemelt.flows.judge import JudgeMaker
    from zonemelt.flows.screening import ScreeningMaker

    common = spec.common()
    known = spec.references.model_dump(mode="json", exclude={"structures"}, exclude_defaults=True)
    if spec.references.structures:
        known["crystals"] = read_structures(spec.references.structures, where="references.structures")
    judge = JudgeMaker(
        references=known, judging=spec.judging, target=spec.target, models=spec.models, phonons=spec.phonons,
        **{key: common[key] for key in (
            "potential", "relax", "directory", "structures", "device", "dtype", "trust"
        )},
    )  # fmt: skip
    maker = ScreeningMaker(
        name=spec.name, explore=spec.explore, judge=judge, lot=spec.lot,
        parents=read_structures(spec.parents, where="parents"),
        short_list=spec.short_list, oracle=spec.oracle if spec.short_list else "",
        resources=LoopSpec.with_program("label", dict(spec.label)), seed=spec.seed,
    )  # fmt: skip
    maker.check()
    if spec.short_list:
        maker.settings = spec.oracle_settings(maker.elements())
    return maker
