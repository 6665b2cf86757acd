"""Whether relaxations came to rest: only then their energies may be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def at_rest(relaxed: Mapping[str, Mapping[str, Any]]) -> str:
    """Why energies may not be compared: names and outcomes of what is not at rest; empty where all is.

    Args:
        relaxed: name → what :func:`.relaxed_documents` says of it.
    """
    return "; ".join(
        f"{name}: {one['outcome']}" for name, one in relaxed.items() if one["outcome"] != "converged"
    )
