"""Whether relaxations came to rest, and of what: only then their energies may be compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def why_not_at_rest(relaxed: Mapping[str, Mapping[str, Any]]) -> str:
    """Why energies may not be compared: names and outcomes of what is not at rest; empty where all is.

    Args:
        relaxed: name → what :func:`.relaxed_documents` says of it.
    """
    return "; ".join(
        f"{name}: {one['outcome']}" for name, one in relaxed.items() if one["outcome"] != "converged"
    )


def reduced(symbols: Sequence[str]) -> tuple[str, int]:
    """The formula unit as chemists write it, and how many of it there are."""
    from pymatgen.core.composition import Composition

    composition = Composition(Counter(symbols))
    formula, units = composition.get_reduced_formula_and_factor()
    return formula, int(units)
