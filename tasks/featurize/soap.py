"""Describe atoms by SOAP power spectra, and crystals by their means over atoms.

Source: A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013). Computed by dscribe.
"""

# A atoms of all structures, F features, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.species import species

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals


def soap(
    crystals: Crystals,
    *,
    elements: Sequence[str],
    cutoff: float,
    average: Literal["outer", "inner"] = "outer",
    n_max: int = 6,
    l_max: int = 3,
    sigma: float = 0.3,
) -> NDArray[np.float64]:
    """Averaged SOAP power spectra, the same under translation, rotation, and in any cell of a crystal.

    The ``outer`` mean is one of the power spectra of the atoms: any model linear in it is a sum of atomic
    energies. The ``inner`` one is the power spectrum of the mean expansion: it also tells of how
    environments are oriented to each other.

    Args:
        crystals: G structures.
        elements: the elements of the system.
        cutoff: radius, Å.
        average: ``outer`` or ``inner``.
        n_max: radial functions.
        l_max: largest angular momentum.
        sigma: width of the atomic Gaussians, Å.

    Returns:
        Features (G, F), dimensionless.

    Raises:
        InputError: there is no such average, or a structure has another element.
    """
    if average not in {"outer", "inner"}:
        raise InputError(
            f"there is no average '{average}' of SOAP",
            where="average",
            remedy="choose outer or inner; soap_of_atoms gives the spectra of each atom",
        )
    names = species(crystals, elements)
    descriptor = _descriptor(names, cutoff=cutoff, average=average, n_max=n_max, l_max=l_max, sigma=sigma)
    rows = [descriptor.create(crystals.atoms(index)) for index in range(len(crystals))]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), descriptor.get_number_of_features())


def soap_of_atoms(
    crystals: Crystals,
    *,
    elements: Sequence[str],
    cutoff: float,
    n_max: int = 6,
    l_max: int = 3,
    sigma: float = 0.3,
) -> NDArray[np.float64]:
    """SOAP power spectra of each atom (A, F), in the order of the atoms; settings as for :func:`soap`.

    Raises:
        InputError: a structure has another element.
    """
    names = species(crystals, elements)
    descriptor = _descriptor(names, cutoff=cutoff, average="off", n_max=n_max, l_max=l_max, sigma=sigma)
    rows = [descriptor.create(crystals.atoms(index)) for index in range(len(crystals))]
    return np.concatenate([*rows, np.empty((0, descriptor.get_number_of_features()))])


def soap_labels(*, elements: Sequence[str], n_max: int = 6, l_max: int = 3) -> tuple[str, ...]:
    """What the columns are called: the two elements, and a number that counts their n, n' and l."""
    from ase.data import atomic_numbers

    names = sorted(set(elements), key=atomic_numbers.__getitem__)  # dscribe's order
    return tuple(
        f"SOAP {one}-{other} {number}"
        for place, one in enumerate(names)
        for other in names[place:]
        for number in range((n_max * (n_max + 1) // 2 if one == other else n_max**2) * (l_max + 1))
    )


def _descriptor(names: Sequence[str], *, cutoff: float, **settings: Any) -> Any:
    from dscribe.descriptors import SOAP

    return SOAP(species=list(names), periodic=True, r_cut=cutoff, **settings)
