"""The settings of an oracle as jobs are given them: resolved and looked through where a campaign starts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.label.settings import DftSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.label.settings import OracleSettings


def prepared(
    oracle: str, settings: OracleSettings, *, elements: Iterable[str] | None = None, here: bool = True
) -> dict[str, Any]:
    """The settings with the protocol written out and, where jobs run here, the program found.

    Args:
        oracle: its name.
        settings: as a campaign file gives them.
        elements: that it will be asked about; None where they are not known.
        here: jobs run on this machine, so what is missing here is missing there.

    Raises:
        InputError: there is no such oracle or protocol.
        UnfitStructureError: the protocol has no pseudopotential for an element.
        OracleAbsentError: the program or a pseudopotential is not there.
    """
    oracle_named(oracle)
    if not isinstance(settings, DftSettings):
        return settings.model_dump(mode="json")
    from zonemelt.tasks.label.dft import answer, code_named, resolved

    written = resolved(settings)
    if here:
        answer(settings, elements)
        command = shlex.join(code_named(settings.code).EXECUTABLE.find(settings.command))
        written = written.model_copy(update={"command": command})
    return written.model_dump(mode="json")
