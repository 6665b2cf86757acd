"""The settings of an oracle as jobs are given them: resolved and looked through where a campaign starts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.label.settings import (
    AseSettings,
    Atomate2Settings,
    DftSettings,
    EmtSettings,
    PotentialSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.label.settings import OracleSettings


def prepared(
    oracle: str, settings: OracleSettings, *, elements: Iterable[str] | None = None, here: bool = True
) -> dict[str, Any]:
    """The settings with the protocol written out, paths whole and, where jobs run here, the program found.

    Args:
        oracle: its name.
        settings: as a campaign file gives them.
        elements: that it will be asked about; None where they are not known.
        here: jobs run on this machine, so what is missing here is missing there.

    Raises:
        InputError: there is no such oracle or protocol, or a calculator is not allowed.
        UnfitStructureError: the protocol has no pseudopotential, or EMT no parameters, for an element.
        OracleAbsentError: the program or a pseudopotential is not there.
    """
    oracle_named(oracle)
    if here:
        found(settings, elements)
    if isinstance(settings, DftSettings):
        from zonemelt.tasks.label.dft import code_named, resolved

        settings = resolved(settings)
        if folder := settings.named_folder() if here else settings.pseudopotentials:
            settings = settings.model_copy(update={"pseudopotentials": str(Path(folder).absolute())})
        if here:
            command = shlex.join(code_named(settings.code).EXECUTABLE.find(settings.command))
            settings = settings.model_copy(update={"command": command})
    elif isinstance(settings, AseSettings):
        from zonemelt.tasks.label.by_ase import admit

        # what the file says of itself does not count
        settings = settings.model_copy(update={"admitted": ""})
        admit(settings)
        settings = settings.model_copy(update={"admitted": settings.calculator})
    elif isinstance(settings, PotentialSettings) and Path(settings.name).exists():
        settings = settings.model_copy(update={"name": str(Path(settings.name).resolve())})
    return settings.model_dump(mode="json")


def found(settings: OracleSettings, elements: Iterable[str] | None = None) -> str:
    """What answers on this machine, in words; empty where there is nothing to look for.

    Args:
        settings: of the oracle.
        elements: that it will be asked about; None: all that it knows.

    Raises:
        InputError: there is no such protocol, or a calculator is not allowed.
        OracleAbsentError: a program or a file is not there.
    """
    if isinstance(settings, DftSettings):
        from zonemelt.tasks.label.dft import answer

        return answer(settings, elements)
    if isinstance(settings, Atomate2Settings):
        from zonemelt.tasks.label.by_atomate2 import answer as by_atomate2

        return by_atomate2(settings)
    if isinstance(settings, AseSettings):
        from zonemelt.tasks.label.by_ase import answer as by_ase

        return by_ase(settings.model_copy(update={"admitted": ""}))
    if isinstance(settings, EmtSettings) and elements is not None:
        from zonemelt.tasks.label.by_ase import check_emt

        check_emt(elements, where="oracle emt")
    return ""
