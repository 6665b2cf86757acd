"""Functions with some arguments given already, as arguments of jobs: how they travel.

Monty knows a function by its module and name, and would take a partial one for the bare name of what it
wraps.
"""

from __future__ import annotations

import functools
from typing import Any

from monty.json import MontyDecoder


class Partial:
    """What stands for a ``functools.partial`` in JSON."""

    @staticmethod
    def document_of(partial: functools.partial[Any]) -> dict[str, Any]:
        """The function and the arguments, for an encoder to go on with."""
        return {
            "@module": Partial.__module__,
            "@class": Partial.__name__,
            "function": partial.func,
            "args": list(partial.args),
            "keywords": partial.keywords,
        }

    @staticmethod
    def from_dict(document: dict[str, Any]) -> functools.partial[Any]:
        """The function again; it is called as the one that it wraps."""
        given: dict[str, Any] = {
            key: MontyDecoder().process_decoded(value)
            for key, value in document.items()
            if not key.startswith("@")
        }
        made = functools.partial(given["function"], *given["args"], **given["keywords"])
        return functools.update_wrapper(made, given["function"])
