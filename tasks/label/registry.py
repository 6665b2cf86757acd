"""The oracles a campaign can name, in one table."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.settings import (
    AbinitSettings,
    EmtSettings,
    EspressoSettings,
    GpawSettings,
    OracleSettings,
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
    """An oracle: its settings, and where its code is (imported only when a label is asked for)."""

    name: str
    title: str
    is_dft: bool
    settings: type[OracleSettings]
    function: str  # module:function

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
            function="zonemelt.tasks.label.emt:label",
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
