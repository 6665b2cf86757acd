"""The settings of each oracle, as a campaign file gives them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class OracleSettings(BaseModel):
    """The base: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmtSettings(OracleSettings):
    """ASE's effective-medium potential has nothing to set."""


class GpawSettings(OracleSettings):
    """GPAW in plane waves, run by its own Python as a subprocess."""

    python: str | None = Field(
        default=None,
        description="the Python of GPAW's environment; None: $ZONEMELT_GPAW_PYTHON or .venv-gpaw/bin/python",
    )
    functional: Literal["PBE", "LDA", "RPBE", "revPBE"] = "PBE"
    cutoff: float = Field(default=300.0, gt=50, description="plane-wave cutoff, eV")
    kpoint_density: float = Field(default=3.0, gt=0, description="points per Å⁻¹")
    kpoint_mesh: int | None = Field(
        default=None,
        gt=0,
        description="instead of the density: divisions of the parent lattice, folded into each cell",
    )
    smearing_width: float = Field(default=0.1, gt=0, description="Fermi-Dirac width, eV")
    max_iterations: int = Field(default=100, gt=0)
    timeout: float = Field(default=3600.0, gt=0, description="wall time of one label, s")
