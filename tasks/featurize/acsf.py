"""Describe atoms by Behler's symmetry functions, and crystals by their means over atoms.

Source: J. Behler, J. Chem. Phys. 134, 074106 (2011): G¹ and G² count neighbours of each element at each
distance, G⁴ the angles between them. Computed by dscribe.
"""

# A atoms of all structures, F features, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.species import species

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

SHELLS: Final = 8
SHARPNESS: Final = (1.0, 4.0)  # ζ: how sharply angles are told apart


def acsf(
    crystals: Crystals,
    *,
    elements: Sequence[str],
    cutoff: float,
    average: Literal["outer", "centres"] = "outer",
    shells: int = SHELLS,
) -> NDArray[np.float64]:
    """Symmetry functions averaged over the atoms of each structure.

    Symmetry functions of an atom do not say of which element it is. ``outer`` averages over all atoms;
    ``centres`` sums over those of each element apart, divided by the number of all: models linear in it
    are sums of energies of atoms by element. (An ``inner`` mean, as SOAP has it, is one of expansion
    coefficients, which symmetry functions have none of.)

    Args:
        crystals: G structures.
        elements: the elements of the system.
        cutoff: radius, Å.
        average: ``outer`` or ``centres``.
        shells: how many distances G² looks at.

    Returns:
        Features (G, F), or (G, elements * F) with ``centres``.

    Raises:
        InputError: there is no such average, or a structure has another element.
    """
    from ase.data import atomic_numbers

    if average not in {"outer", "centres"}:
        raise InputError(
            f"there is no average '{average}' of symmetry functions",
            where="average",
            remedy="choose outer or centres; acsf_of_atoms gives those of each atom",
        )
    values_AF = acsf_of_atoms(crystals, elements=elements, cutoff=cutoff, shells=shells)
    names = species(crystals, elements)
    if average == "centres":
        own_A = [crystals.numbers_A == atomic_numbers[name] for name in names]
        values_AF = np.concatenate([values_AF * own[:, None] for own in own_A], axis=1)
    result: NDArray[np.float64] = np.add.reduceat(values_AF, crystals.first_G[:-1])
    return result / crystals.sizes_G[:, None]


def acsf_of_atoms(
    crystals: Crystals, *, elements: Sequence[str], cutoff: float, shells: int = SHELLS
) -> NDArray[np.float64]:
    """Symmetry functions of each atom (A, F), in the order of the atoms.

    Raises:
        InputError: a structure has another element.
    """
    descriptor = _descriptor(species(crystals, elements), cutoff, shells)
    rows = [descriptor.create(crystals.atoms(index)) for index in range(len(crystals))]
    empty = np.empty((0, descriptor.get_number_of_features()))
    return np.concatenate([*rows, empty]).astype(np.float64)


def acsf_labels(
    *,
    elements: Sequence[str],
    cutoff: float,
    average: Literal["outer", "centres"] = "outer",
    shells: int = SHELLS,
) -> tuple[str, ...]:
    """What the columns are called: the function and the elements of the neighbours, and of the centre."""
    from ase.data import atomic_numbers

    names = sorted(set(elements), key=atomic_numbers.__getitem__)  # dscribe's order
    radial = ["G1", *(f"G2 {distance:.2f}Å" for distance, _ in _radial(cutoff, shells))]
    angular = [f"G4 ζ={sharpness:g} λ={sign:+d}" for _, sharpness, sign in _angular(cutoff)]
    pairs = [f"{one}-{other}" for place, other in enumerate(names) for one in names[: place + 1]]
    labels = [f"{kind} {name}" for name in names for kind in radial]
    labels += [f"{kind} {pair}" for pair in pairs for kind in angular]
    if average == "centres":
        labels = [f"{centre}: {label}" for centre in sorted(names) for label in labels]
    return tuple(labels)


def _radial(cutoff: float, shells: int) -> list[tuple[float, float]]:
    """Distance (Å) and η (1/Å²) of each shell: they reach halfway to each other."""
    step = cutoff / (shells + 1)
    return [(number * step, 0.5 / step**2) for number in range(1, shells + 1)]


def _angular(cutoff: float) -> list[tuple[float, float, int]]:
    """η (1/Å²), ζ and λ: of neighbours up to about half the cutoff."""
    return [(2 / cutoff**2, sharpness, sign) for sharpness in SHARPNESS for sign in (1, -1)]


def _descriptor(names: Sequence[str], cutoff: float, shells: int) -> Any:
    from dscribe.descriptors import ACSF

    return ACSF(
        r_cut=cutoff,
        g2_params=[(sharpness, distance) for distance, sharpness in _radial(cutoff, shells)],
        g4_params=_angular(cutoff),
        species=list(names),
        periodic=True,
    )
