"""Describe a crystal by the mean of the SOAP vectors of its atoms.

The mean over atoms (dscribe's ``outer`` average) makes any model linear in it a sum of atomic
energies, and keeps it invariant under translation, rotation, and the choice of cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry


def soap(
    geometries: Sequence[Geometry],
    *,
    elements: Sequence[str],
    cutoff: float,
    n_max: int = 6,
    l_max: int = 3,
    sigma: float = 0.3,
) -> NDArray[np.float64]:
    """Averaged SOAP power spectra.

    Args:
        geometries: N crystals.
        elements: the elements of the system; their order fixes that of the columns.
        cutoff: radius, Å.
        n_max: radial functions.
        l_max: largest angular momentum.
        sigma: width of the atomic Gaussians, Å.

    Returns:
        Features (N, F), dimensionless.
    """
    from dscribe.descriptors import SOAP

    descriptor = SOAP(
        species=sorted(elements),
        periodic=True,
        r_cut=cutoff,
        n_max=n_max,
        l_max=l_max,
        sigma=sigma,
        average="outer",
    )
    rows = [descriptor.create(geometry.atoms()) for geometry in geometries]
    return np.asarray(rows, dtype=np.float64)
