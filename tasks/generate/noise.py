"""From noise to crystals: the paths along which a generator is trained and followed.

Cells go in straight lines from a normal distribution (Lipman et al., ICLR 2023), atoms along shortest lines
on the torus from a uniform one (B. K. Miller et al., FlowMM, ICML 2024), and species are hidden until a time
drawn evenly for each atom (A. Campbell et al., ICML 2024). Time runs from 0, noise, to 1, a crystal.
"""

# G crystals, N atoms of the largest, K species

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
TIME: Final = 20
"""The first of the places of numbers that concern a crystal as a whole, after those of its cell."""
_PLACES: Final = np.arange(100, 103)
_SHOWN: Final = np.arange(103, 104)
_GUMBEL: Final = 200
_ATOM: Final = 1000  # numbers of an atom, so that they do not depend on how many atoms there are


def wrapped(differences: Any) -> Any:
    """Differences of fractional coordinates as the shortest on the torus, in [-1/2, 1/2]; NumPy or torch."""
    return differences - differences.round()


class Draws:
    """Random numbers by place instead of in order: number i of crystal g is the same in any batch.

    A counter is scrambled, once with the crystal and once with the place: the finalizer of SplitMix64
    (G. L. Steele, D. Lea & C. H. Flood, OOPSLA 2014).

    Args:
        seed: of all.
        members_G: numbers of the crystals (G,).
    """

    def __init__(self, seed: Sequence[int], members_G: Integers) -> None:
        key = np.random.SeedSequence(seed).generate_state(1, np.uint64)
        self._keys_G = _scrambled(key + (members_G.astype(np.uint64) + np.uint64(1)) * _GOLDEN)

    def uniform(self, places: Integers) -> Floats:
        """Even numbers above 0 and below 1 (G, *places), one for each place."""
        counters = (places.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        keys = self._keys_G.reshape(-1, *(1,) * places.ndim)
        bits = (_scrambled(keys + counters) >> np.uint64(11)).astype(np.float64)
        found: Floats = (bits + 0.5) / 2.0**53
        return found

    def normal(self, places: Integers) -> Floats:
        """Normal numbers (G, *places)."""
        from scipy.special import ndtri

        found: Floats = ndtri(self.uniform(places))
        return found


def _scrambled(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    found = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """All that is random about some crystals: a seed gives the same for each, whatever the batch.

    Attributes:
        cells_G6: where stretches begin (G, 6), standard normal.
        places_GN3: where atoms begin (G, N, 3), uniform.
        shown_GN: the time at which the species of each atom is shown (G, N), uniform.
    """

    cells_G6: Floats
    places_GN3: Floats
    shown_GN: Floats

    @classmethod
    def drawn(cls, draws: Draws, *, atoms: int) -> Noise:
        """That of crystals with at most so many atoms; the first of them begin where they always do."""
        first_N1 = _ATOM * np.arange(atoms)[:, None]
        return cls(
            cells_G6=draws.normal(np.arange(6)),
            places_GN3=draws.uniform(first_N1 + _PLACES),
            shown_GN=draws.uniform(first_N1 + _SHOWN)[..., 0],
        )


def gumbel(draws: Draws, *, atoms: int, species: int) -> Floats:
    """Numbers of the standard Gumbel distribution (G, N, K), for the choice of species."""
    places_NK = _ATOM * np.arange(atoms)[:, None] + _GUMBEL + np.arange(species)
    found: Floats = -np.log(-np.log(draws.uniform(places_NK)))
    return found
