"""The settings of each oracle, as a campaign file gives them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class OracleSettings(BaseModel):
    """The base: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmtSettings(OracleSettings):
    """ASE's effective-medium potential has nothing to set."""


class DftSettings(OracleSettings):
    """What the DFT codes share: what is computed, and where the program and its files are."""

    code: ClassVar[str] = ""
    folder_variables: ClassVar[tuple[str, ...]] = ()
    default_folder: ClassVar[str] = "."

    protocol: str | dict[str, Any] = Field(
        default="fast",
        description="a ready protocol by name, a file, or its fields; based_on names what they begin from",
    )
    command: str = Field(
        default="", description="the program with its options; empty: looked for on the PATH"
    )
    pseudopotentials: str = Field(default="", description="folder of the files that the protocol names")
    timeout: float = Field(default=3600.0, gt=0, description="wall time of one attempt, s")

    def pseudopotential_folder(self) -> Path:
        """The settings' folder, else the one that the environment names, else where Debian has it."""
        named = [os.environ[name] for name in self.folder_variables if os.environ.get(name)]
        return Path(
            next(iter([self.pseudopotentials] * bool(self.pseudopotentials) + named), self.default_folder)
        )


class EspressoSettings(DftSettings):
    """Quantum ESPRESSO's pw.x."""

    code: ClassVar[str] = "qe"
    folder_variables: ClassVar[tuple[str, ...]] = ("ZONEMELT_QE_PSEUDOPOTENTIALS", "ESPRESSO_PSEUDO")
    default_folder: ClassVar[str] = "/usr/share/espresso/pseudo"


class AbinitSettings(DftSettings):
    """ABINIT with norm-conserving pseudopotentials."""

    code: ClassVar[str] = "abinit"
    folder_variables: ClassVar[tuple[str, ...]] = ("ZONEMELT_ABINIT_PSEUDOPOTENTIALS",)
    default_folder: ClassVar[str] = "/usr/share/abinit/psp"


class GpawSettings(DftSettings):
    """GPAW in plane waves; its program is the Python of its environment."""

    code: ClassVar[str] = "gpaw"
