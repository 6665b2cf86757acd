"""The campaign kinds ``cathodes``, ``ferroelectrics`` and ``polymorphs``: what potentials are good for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.applications.charges import Charges  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.records import Element  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.written_structures import Written  # noqa: TC001 (pydantic reads it)
from zonemelt.workflows.campaigns.base import CampaignSpec
from zonemelt.workflows.campaigns.structures import absolute_written

if TYPE_CHECKING:
    from jobflow import Flow


class ApplicationSpec(CampaignSpec):
    """What these kinds have in common."""

    potential: str = Field(
        default="sevennet-0", description="`zonemelt potential list` says which there are; or a folder"
    )
    relax: dict[str, Any] = Field(
        default={"force": 0.03, "method": "lbfgs"}, description="force, steps, method … of relaxations"
    )
    directory: str = Field(
        default="", description="of checkpoints, seen by all nodes; empty for one in the directory of runs"
    )
    structures: int = Field(default=4, ge=1, description="that are relaxed in one job")
    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Literal["float32", "float64"] = Field(
        default="float64", description="of relaxations; float32 where a library has no other"
    )
    trust: bool = Field(
        default=False, description="read a file of another library, which can run any program when it is read"
    )

    def with_paths_from(self, base: Path) -> Self:
        """Files of structures and the folder of a potential, relative to the campaign's file, whole."""
        update: dict[str, Any] = {
            name: {key: absolute_written(one, base) for key, one in getattr(self, name).items()}
            for name in ("cathodes", "polymorphs")
            if hasattr(self, name)
        }
        if (base / self.potential).is_dir():
            update["potential"] = str((base / self.potential).resolve())
        return super().with_paths_from(base).model_copy(update=update)

    def common(self) -> dict[str, Any]:
        """Fields of :class:`.ApplicationMaker`."""
        from zonemelt.workflows.settings import load_settings

        place = self.directory or str(load_settings().runs_directory / "checkpoints")
        return {
            "name": self.name, "potential": self.potential, "relax": self.relax,
            "directory": str(Path(place).expanduser().resolve()), "structures": self.structures,
            "device": self.device, "dtype": self.dtype, "trust": self.trust,
        }  # fmt: skip


class CathodesSpec(ApplicationSpec):
    """Average voltage, capacity, change of volume and barrier of cathodes."""

    kind: Literal["cathodes"] = "cathodes"
    cathodes: dict[str, Written] = Field(min_length=1, description="name → discharged structure")
    ion: str = Field(default="Li", description="that leaves")
    barriers: bool = Field(default=True, description="whether hops into a vacancy are looked at")
    length: float = Field(default=8.0, gt=0, description="least size of a supercell with a hop, Å")
    neb: dict[str, Any] = Field(default={"images": 5, "force": 0.05}, description="images, force, steps …")


class CompoundSpec(BaseModel):
    """A perovskite ABX3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    a: Element
    b: Element
    x: Element = "O"
    length: float = Field(gt=0, description="of the cubic cell to begin with, Å")
    valences: tuple[float, float, float] = (2.0, 4.0, -2.0)
    born: Charges | None = None


class FerroelectricsSpec(ApplicationSpec):
    """Polar distortions of perovskites."""

    kind: Literal["ferroelectrics"] = "ferroelectrics"
    compounds: dict[str, CompoundSpec] = Field(min_length=1, description="name → compound")
    shift: float = Field(default=0.03, gt=0, lt=0.2, description="first distortion, in units of the cell")
    stretch: float = Field(default=1.02, gt=0.9, lt=1.3, description="of the first cell along c")


class PolymorphsSpec(ApplicationSpec):
    """Energies of polymorphs relative to one of them."""

    kind: Literal["polymorphs"] = "polymorphs"
    polymorphs: dict[str, Written] = Field(min_length=2, description="name → structure")
    reference: str = Field(description="the one whose energy is zero")


def build_cathodes(spec: CathodesSpec) -> Flow:
    """The graph of a screening of cathodes."""
    from zonemelt.flows.applications import CathodesMaker

    return CathodesMaker(
        **spec.common(), cathodes=_dumped(spec.cathodes), ion=spec.ion, barriers=spec.barriers,
        length=spec.length, neb=spec.neb,
    ).make()  # fmt: skip


def build_ferroelectrics(spec: FerroelectricsSpec) -> Flow:
    """The graph of a look at perovskites."""
    from zonemelt.flows.applications import FerroelectricsMaker

    return FerroelectricsMaker(
        **spec.common(), compounds=_dumped(spec.compounds), shift=spec.shift, stretch=spec.stretch
    ).make()


def build_polymorphs(spec: PolymorphsSpec) -> Flow:
    """The graph of a comparison of polymorphs."""
    from zonemelt.flows.applications import PolymorphsMaker

    return PolymorphsMaker(
        **spec.common(), polymorphs=_dumped(spec.polymorphs), reference=spec.reference
    ).make()


def _dumped(models: Any) -> dict[str, dict[str, Any]]:
    return {name: one.model_dump(mode="json") for name, one in models.items()}
