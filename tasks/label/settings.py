"""The settings of each oracle, as a campaign file gives them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zonemelt.tasks.own_code import NAMED

BASED_ON = "based_on"
"""The key of a protocol that names the one whose fields hold where it says nothing."""


class OracleSettings(BaseModel):
    """The base: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_paths_from(self, base: Path) -> Self:  # noqa: ARG002 (of those that name files)
        """The same, files that it names by their whole paths; relative ones are from ``base``."""
        return self


class EmtSettings(OracleSettings):
    """ASE's effective-medium potential has nothing to set."""


def protocol_from_folder(given: Any, base: Path) -> Any:
    """A protocol as it is given, or what it is based on: a file by its whole path, all else as it stands."""
    if isinstance(given, str) and given.endswith((".yaml", ".yml")):
        return str((base / given).absolute())
    if isinstance(given, dict) and BASED_ON in given:
        return {**given, BASED_ON: protocol_from_folder(given[BASED_ON], base)}
    return given


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

    def with_paths_from(self, base: Path) -> Self:
        """The same, the protocol's file and the folder of pseudopotentials by their whole paths."""
        update: dict[str, Any] = {"protocol": protocol_from_folder(self.protocol, base)}
        if self.pseudopotentials:
            update["pseudopotentials"] = str((base / self.pseudopotentials).absolute())
        return self.model_copy(update=update)

    def named_folder(self) -> str:
        """The folder that the settings name, else the environment; empty where neither does."""
        named = (os.environ.get(name, "") for name in self.folder_variables)
        return self.pseudopotentials or next(filter(None, named), "")

    def pseudopotential_folder(self) -> Path:
        """The folder that is named, else where Debian has it."""
        return Path(self.named_folder() or self.default_folder)


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


class AseSettings(OracleSettings):
    """Any calculator of ASE that is allowed on the machine."""

    calculator: str = Field(
        default="ase.calculators.lj:LennardJones", pattern=NAMED,
        description="where it is made, module:callable; see the allow-list in docs/oracles.md",
    )  # fmt: skip
    arguments: dict[str, Any] = Field(default_factory=dict, description="of the callable, as JSON has them")
    functional: str = Field(default="", description="what it computes, in words")
    is_dft: bool = Field(default=False, description="its labels are of density-functional theory")
    admitted: str = Field(default="", description="written by zonemelt when the list was looked at")


class PotentialSettings(OracleSettings):
    """An interatomic potential as a teacher."""

    name: str = Field(
        default="sevennet-0", description="a name, library:model, or the folder of one trained here"
    )
    device: str = "cpu"
    dtype: str = "float64"

    def with_paths_from(self, base: Path) -> Self:
        """The same, a folder or a file by its whole path."""
        place = base / self.name
        return self.model_copy(update={"name": str(place.resolve())}) if place.exists() else self


class Atomate2Settings(OracleSettings):
    """What atomate2's makers share."""

    code: ClassVar[str] = ""
    makers: ClassVar[dict[str, str]] = {}

    maker: str = Field(description="a static maker of atomate2")
    changes: dict[str, Any] = Field(
        default_factory=dict, description="of the input set, e.g. user_incar_settings: {ENCUT: 600}"
    )
    command: str = Field(
        default="", description="the program with its options; empty: looked for on the PATH"
    )

    @field_validator("maker")
    @classmethod
    def _known(cls, maker: str) -> str:
        if maker not in cls.makers:
            raise ValueError(f"choose one of: {', '.join(cls.makers)}")
        return maker


class VaspSettings(Atomate2Settings):
    """VASP by atomate2."""

    code: ClassVar[str] = "vasp"
    makers: ClassVar[dict[str, str]] = {
        "MatPesGGAStaticMaker": "atomate2.vasp.jobs.matpes:MatPesGGAStaticMaker",
        "MatPesMetaGGAStaticMaker": "atomate2.vasp.jobs.matpes:MatPesMetaGGAStaticMaker",
        "MPGGAStaticMaker": "atomate2.vasp.jobs.mp:MPGGAStaticMaker",
        "MPMetaGGAStaticMaker": "atomate2.vasp.jobs.mp:MPMetaGGAStaticMaker",
        "MP24StaticMaker": "atomate2.vasp.jobs.mp:MP24StaticMaker",
        "StaticMaker": "atomate2.vasp.jobs.core:StaticMaker",
    }
    maker: str = "MatPesGGAStaticMaker"


class Cp2kSettings(Atomate2Settings):
    """CP2K by atomate2."""

    code: ClassVar[str] = "cp2k"
    makers: ClassVar[dict[str, str]] = {
        "StaticMaker": "atomate2.cp2k.jobs.core:StaticMaker",
        "HybridStaticMaker": "atomate2.cp2k.jobs.core:HybridStaticMaker",
    }
    maker: str = "StaticMaker"


class AbinitMakerSettings(Atomate2Settings):
    """ABINIT by atomate2, which needs abipy."""

    code: ClassVar[str] = "abinit_atomate2"
    makers: ClassVar[dict[str, str]] = {"StaticMaker": "atomate2.abinit.jobs.core:StaticMaker"}
    maker: str = "StaticMaker"
