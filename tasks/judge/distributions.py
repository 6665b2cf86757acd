"""How far generated crystals are from true ones in density, number of elements, or a property."""

# N crystals

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.compositions import Compositions
from zonemelt.tasks.featurize.structural import LARGEST, densities, symmetry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

DRAWN: Final = 1000  # valid crystals that published distances are of
DRAWS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A Wasserstein distance, in the unit of the quantity.

    Attributes:
        every: of all crystals given.
        drawn: mean over draws of 1,000 of them, as published values are; None where there are fewer.
        spread: standard deviation over the draws.
    """

    every: float
    drawn: float | None
    spread: float | None


def wasserstein(generated_N: NDArray[np.float64], true_N: NDArray[np.float64], *, seed: int = 0) -> Distance:
    """The first Wasserstein distance (earth mover's) between values of generated and of true crystals.

    Published tables take 1,000 valid generated crystals at random and all of the test set. A distance of a
    sample is on average larger than that of all, so both are given.

    Args:
        generated_N: of the valid generated crystals, one dimension.
        true_N: of the test set.
        seed: of the draws.

    Raises:
        InputError: one of them is empty, or holds a number that is not finite.
    """
    from scipy.stats import wasserstein_distance

    for said, values in (("generated", generated_N), ("true", true_N)):
        if not len(values) or not np.isfinite(values).all():
            raise InputError(
                f"{np.isfinite(values).sum()} finite values of {len(values)} {said} crystals",
                where="distance of distributions",
                remedy="give valid crystals only",
            )
    rng = np.random.default_rng(seed)
    drawn = [
        float(wasserstein_distance(rng.choice(generated_N, DRAWN, replace=False), true_N))
        for _ in range(DRAWS if len(generated_N) >= DRAWN else 0)
    ]
    return Distance(
        every=float(wasserstein_distance(generated_N, true_N)),
        drawn=float(np.mean(drawn)) if drawn else None,
        spread=float(np.std(drawn, ddof=1)) if drawn else None,
    )


def mass_densities(crystals: Crystals) -> NDArray[np.float64]:
    """Of crystals with a volume (N,), g/cm³."""
    return densities(crystals)[:, 0] if len(crystals) else np.empty(0)


def element_counts(crystals: Crystals) -> NDArray[np.float64]:
    """How many elements each has (N,)."""
    return Compositions.of_crystals(crystals).lengths_N.astype(float)


def space_groups(crystals: Crystals, *, symprec: float = 0.1) -> NDArray[np.int64]:
    """Number of the space group of each crystal, by spglib; 0 where none can be told (N,).

    Args:
        crystals: with a volume and finite positions.
        symprec: how far atoms may be from symmetric places, Å; generated crystals are never exact.
    """
    found = [
        symmetry(crystals, row, symprec=symprec) if size <= LARGEST else None
        for row, size in enumerate(crystals.sizes_G)
    ]
    return np.array([0 if one is None else one[0] for one in found], np.int64)
