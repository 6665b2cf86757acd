"""What campaigns have in common that label structures: the oracle and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zonemelt.tasks.label.registry import ORACLES
from zonemelt.tasks.label.settings import (
    AbinitMakerSettings,
    AbinitSettings,
    AseSettings,
    Cp2kSettings,
    EmtSettings,
    EspressoSettings,
    GpawSettings,
    PotentialSettings,
    VaspSettings,
)
from zonemelt.workflows.campaigns.base import CampaignSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class OraclesSpec(BaseModel):
    """The settings of every oracle; only those of the chosen one are used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    emt: EmtSettings = Field(default_factory=EmtSettings)
    qe: EspressoSettings = Field(default_factory=EspressoSettings)
    gpaw: GpawSettings = Field(default_factory=GpawSettings)
    abinit: AbinitSettings = Field(default_factory=AbinitSettings)
    vasp: VaspSettings = Field(default_factory=VaspSettings)
    cp2k: Cp2kSettings = Field(default_factory=Cp2kSettings)
    abinit_atomate2: AbinitMakerSettings = Field(default_factory=AbinitMakerSettings)
    ase: AseSettings = Field(default_factory=AseSettings)
    potential: PotentialSettings = Field(default_factory=PotentialSettings)


class OracleSpec(CampaignSpec):
    """A campaign that labels structures."""

    also_oracles: ClassVar[tuple[str, ...]] = ()
    """What else may label than the codes: a kind's own."""

    oracle: str = Field(default="emt", description="what labels: a name of the oracle registry")
    oracles: OraclesSpec = Field(default_factory=OraclesSpec)

    @field_validator("oracle")
    @classmethod
    def _known_oracle(cls, oracle: str) -> str:
        known = (*cls.also_oracles, *ORACLES)
        if oracle not in known:
            raise ValueError(
                f"there is no such oracle; choose one of: {', '.join(known)}; for a calculator "
                "of your own ase (docs/how-to/my-oracle.md)"
            )
        return oracle

    def with_paths_from(self, base: Path) -> Self:
        """The same, files that oracles' settings name by their whole paths."""
        given = {name: getattr(self.oracles, name) for name in self.oracles.model_fields_set}
        whole = {name: one.with_paths_from(base) for name, one in given.items()}
        return (
            super()
            .with_paths_from(base)
            .model_copy(update={"oracles": self.oracles.model_copy(update=whole)})
        )

    def oracle_settings(self, elements: Iterable[str]) -> dict[str, Any]:
        """The chosen oracle's settings, with all that workers would have to look for elsewhere.

        Args:
            elements: of what is labelled.

        Raises:
            OracleError: it cannot run here.
        """
        from zonemelt.tasks.label.prepared import prepared

        if self.oracle not in ORACLES:
            return {}
        chosen = getattr(self.oracles, self.oracle)
        return prepared(
            self.oracle, chosen, elements=sorted(set(elements)), here=self.site in {"local", "inline"}
        )
