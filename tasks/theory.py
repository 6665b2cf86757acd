"""The level of theory of a label: everything that must agree before two energies are compared."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Collection

_PER_ELEMENT = {"setups", "hubbard_u"}  # compared element by element: records/one_theory


class Document(BaseModel):
    """The base of what is stored: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Theory(Document):
    """The level of theory of a label; None where nothing says so."""

    code: str
    version: str | None = None
    functional: str | None = Field(default=None, description="PBE, r2SCAN, HSE06 …, without U and dispersion")
    dispersion: str | None = Field(default=None, description="D3(BJ), rVV10 …")
    hubbard_u: dict[str, float] = Field(default_factory=dict, description="element → U - J, eV; absent is 0")
    setups: dict[str, str] = Field(
        default_factory=dict, description="element → name or fingerprint of its potential or basis"
    )
    cutoff: float | None = Field(default=None, description="of plane waves or of the density grid, eV")
    kpoint_density: float | None = Field(
        default=None, description="what was asked for, points per Å⁻¹; not what a mesh comes to in one cell"
    )
    kpoint_mesh: str | None = Field(default=None, description="in words, where it is the same in all cells")
    smearing: str | None = None
    smearing_width: float | None = Field(default=None, description="eV")
    spin: bool | None = None
    is_dft: bool = True

    @property
    def key(self) -> str:
        """A short hash of every field but those that differ with the elements present."""
        return self.key_without(())

    def key_without(self, ignored: Collection[str]) -> str:
        """The key, but for some fields."""
        fields = self.model_dump(mode="json", exclude=_PER_ELEMENT | set(ignored))
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def described(self) -> str:
        """In a few words: code, version and functional."""
        return " ".join(part for part in (self.code, self.version, self.functional) if part)
