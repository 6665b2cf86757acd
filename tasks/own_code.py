"""Code of a person's own that a file may name: only where its owner has listed it in the environment.

Naming a module imports it, which runs its code. So the list is kept by who starts a campaign, and not by who
wrote the file: ``ZONEMELT_CALCULATORS=my_calculators:Springs``, commas between several.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

CALCULATORS = "ZONEMELT_CALCULATORS"
EXPLORERS = "ZONEMELT_EXPLORERS"


def listed(variable: str) -> tuple[str, ...]:
    """What a variable of the environment lists, as ``module:name``."""
    return tuple(entry.strip() for entry in os.environ.get(variable, "").split(",") if entry.strip())


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
    module, _, name = path.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be imported: {error}", where=where, remedy="is its folder in PYTHONPATH?"
        ) from error
    if not callable(found):
        raise InputError(f"{path} cannot be called", where=where, remedy="name a function or a class")
    return found  # type: ignore[no-any-return]
