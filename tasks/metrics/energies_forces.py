"""Errors of energies, forces and stresses: how they are called, with their units, and their means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

UNITS: Final = {"energy": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}
"""Energies are per atom; of forces and stresses each component counts."""


def named(quantity: str, how: str) -> str:
    """The name of an error, such as ``energy mae (eV/atom)``."""
    return f"{quantity} {how} ({UNITS[quantity]})"


ENERGY_MAE: Final = named("energy", "mae")
FORCES_MAE: Final = named("forces", "mae")


def mean_errors(errors: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Mean absolute errors (``mae``) and roots of mean squares (``rmse``), by their names.

    Args:
        errors: key of :data:`UNITS` → errors of any shape, at least one, in that unit.
    """
    found = {}
    for quantity, values in errors.items():
        found[named(quantity, "mae")] = float(abs(values).mean())
        found[named(quantity, "rmse")] = float((values**2).mean() ** 0.5)
    return found
