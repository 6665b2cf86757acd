"""Code of a person's own that a file may name: only where its owner has listed it in the environment.

Naming a module imports it, which runs its code. So the list is kept by who starts a campaign, and not by who
wrote the file: ``ZONEMELT_CALCULATORS=my_calculators:Springs``, commas between several. Workers are told the
lists, and where the head imports from.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, ZonemeltError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CALCULATORS: Final = "ZONEMELT_CALCULATORS"
EXPLORERS: Final = "ZONEMELT_EXPLORERS"
MODELS: Final = "ZONEMELT_MODELS"
NAMED: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""Pattern of ``module:name``."""
LISTS: Final = (CALCULATORS, EXPLORERS, MODELS)


def listed(variable: str) -> tuple[str, ...]:
    """What a variable of the environment lists, as ``module:name``."""
    return tuple(entry.strip() for entry in os.environ.get(variable, "").split(",") if entry.strip())


def lists() -> dict[str, str]:
    """The variables that are set, for workers."""
    return {variable: os.environ[variable] for variable in LISTS if listed(variable)}


def take_lists(given: Mapping[str, str]) -> None:
    """Take over the lists of the head, where the machine of a worker has none of its own."""
    for variable in LISTS:
        if variable in given:
            os.environ.setdefault(variable, given[variable])


def look_in(folder: str | Path) -> None:
    """Look for modules in a folder too, after all others; only where anything is listed."""
    if lists() and (whole := str(Path(folder).resolve())) not in sys.path:
        sys.path.append(whole)


def own_function(path: str, *, variable: str, where: str) -> Callable[..., Any]:
    """What ``module:name`` stands for, imported.

    Args:
        path: module and name.
        variable: of the environment, which must list it.
        where: for messages.

    Raises:
        InputError: it is not listed, or cannot be imported.
    """
    if path not in listed(variable):
        raise InputError(
            f"{path} is not allowed here",
            where=where,
            remedy=f"if you trust it, list it where the campaign is started: export {variable}={path}",
        )
    return imported(path, where=where)


def imported(path: str, *, where: str, error: type[ZonemeltError] = InputError) -> Callable[..., Any]:
    """Import the function or class that ``module:name`` stands for; whether one may is asked before.

    Args:
        path: module and name; the name may have dots.
        where: for messages.
        error: what is raised.

    Raises:
        ZonemeltError: there is no such module, importing it fails, or it has no such name.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as raised:
        raise _not_imported(module, raised, where=where, error=error) from raised
    at = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, [one for one in dir(found) if one[:1] != "_"], n=1)
            raise error(
                f"{path} cannot be imported: {at} has no '{part}'",
                where=where,
                remedy=f"did you mean '{near[0]}'?" if near else "write module:name, as the module has it",
            )
        found, at = getattr(found, part), f"{at}.{part}"
    if not callable(found):
        raise error(f"{path} cannot be called", where=where, remedy="name a function or a class")
    return found  # type: ignore[no-any-return]


def _not_imported(
    module: str, raised: BaseException, *, where: str, error: type[ZonemeltError]
) -> ZonemeltError:
    """What to say of a module that is not there, or whose code fails."""
    absent = raised.name if isinstance(raised, ModuleNotFoundError) else None
    if absent is not None and f"{module}.".startswith(f"{absent}."):
        return error(
            f"{module} cannot be imported: there is no module '{absent}'",
            where=where,
            remedy="install it, put its folder into PYTHONPATH, or start in the folder that holds it",
        )
    frames = [
        frame for frame in traceback.extract_tb(raised.__traceback__) if "importlib" not in frame.filename
    ]
    at = f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    return error(
        f"{module} cannot be imported: it raises {type(raised).__name__}: {raised}{at}",
        where=where,
        remedy=f'see it whole: python -c "import {module}"',
    )
