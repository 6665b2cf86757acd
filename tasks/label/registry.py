"""The oracles a campaign can name, in one table."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.settings import (
    AbinitMakerSettings,
    AbinitSettings,
    AseSettings,
    Cp2kSettings,
    EmtSettings,
    EspressoSettings,
    GpawSettings,
    OracleSettings,
    PotentialSettings,
    VaspSettings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.records import Geometry, Record


class Label(Protocol):
    """What an oracle is: a function from a geometry to a record."""

    def __call__(self, geometry: Geometry, settings: Any, *, identifier: str, workdir: Path) -> Record:
        """Label one geometry, writing logs into ``workdir``; raises OracleError on failure."""


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """An oracle: its settings, and where its code is (imported only when a label is asked for).

    Attributes:
        name: in campaign files.
        title: for people.
        is_dft: whether its labels are of density-functional theory.
        settings: how they are checked.
        function: that labels, module:function.
        properties: whether its labels may hold properties besides what is measured.
    """

    name: str
    title: str
    is_dft: bool
    settings: type[OracleSettings]
    function: str
    properties: bool = False

    def load(self) -> Label:
        """Import the function that labels."""
        module, _, name = self.function.partition(":")
        return cast("Label", getattr(importlib.import_module(module), name))


ORACLES: Final[dict[str, Oracle]] = {
    oracle.name: oracle
    for oracle in (
        Oracle(
            name="emt",
            title="EMT of ASE, a toy potential and not DFT",
            is_dft=False,
            settings=EmtSettings,
            function="zonemelt.tasks.label.by_ase:emt",
        ),
        Oracle(
            name="qe",
            title="Quantum ESPRESSO, density-functional theory in plane waves",
            is_dft=True,
            settings=EspressoSettings,
            function="zonemelt.tasks.label.dft:label",
        ),
        Oracle(
            name="gpaw",
            title="GPAW, density-functional theory in plane waves",
            is_dft=True,
            settings=GpawSettings,
            function="zonemelt.tasks.label.dft:label",
        ),
        Oracle(
            name="abinit",
            title="ABINIT, density-functional theory in plane waves",
            is_dft=True,
            settings=AbinitSettings,
            function="zonemelt.tasks.label.dft:label",
        ),
        Oracle(
            name="vasp",
            title="VASP by atomate2's makers",
            is_dft=True,
            settings=VaspSettings,
            function="zonemelt.tasks.label.by_atomate2:label",
            properties=True,
        ),
        Oracle(
            name="cp2k",
            title="CP2K by atomate2's makers",
            is_dft=True,
            settings=Cp2kSettings,
            function="zonemelt.tasks.label.by_atomate2:label",
            properties=True,
        ),
        Oracle(
            name="abinit_atomate2",
            title="ABINIT by atomate2's makers",
            is_dft=True,
            settings=AbinitMakerSettings,
            function="zonemelt.tasks.label.by_atomate2:label",
            properties=True,
        ),
        Oracle(
            name="ase",
            title="a calculator of ASE",
            is_dft=False,
            settings=AseSettings,
            function="zonemelt.tasks.label.by_ase:label",
            properties=True,
        ),
        Oracle(
            name="potential",
            title="an interatomic potential, not DFT",
            is_dft=False,
            settings=PotentialSettings,
            function="zonemelt.tasks.label.by_potential:label",
        ),
    )
}


def oracle_named(name: str) -> Oracle:
    """Look an oracle up.

    Raises:
        InputError: no oracle has that name.
    """
    try:
        return ORACLES[name]
    except KeyError:
        raise InputError(
            f"there is no oracle '{name}'", where="oracle", remedy=f"choose one of: {', '.join(ORACLES)}"
        ) from None
