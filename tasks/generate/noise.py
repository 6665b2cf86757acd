"""From noise to crystals: the paths along which a generator is trained and followed.

Cells go in straight lines from a normal distribution (Lipman et al., ICLR 2023), atoms along shortest lines
on the torus from a uniform one (B. K. Miller et al., FlowMM, ICML 2024), and species are hidden until a time
drawn evenly for each atom (A. Campbell et al., ICML 2024). Time runs from 0, noise, to 1, a crystal.
"""

# G crystals, N atoms of the largest, K species

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def wrapped(differences: Any) -> Any:
    """Differences of fractional coordinates as the shortest on the torus, in [-1/2, 1/2]; NumPy or torch."""
    return differences - differences.round()


def way_on_torus(start_N3: Floats, end_N3: Floats) -> Floats:
    """The constant velocity (N, 3) from one arrangement of atoms to another.

    Their common motion is taken off: it ends at a translate of ``end_N3``, which is the same crystal.
    """
    way_N3: Floats = wrapped(end_N3 - start_N3)
    way_N3 -= way_N3.mean(axis=0)
    return way_N3


@dataclass(frozen=True, kw_only=True)
class Noise:
    """All that is random about one crystal, drawn at once: so a seed gives the same whatever the batch.

    Attributes:
        cell_6: where its stretch begins (6,), standard normal.
        places_N3: where its atoms begin (N, 3), uniform.
        shown_N: the time at which the species of each atom is shown (N,), uniform.
        gumbel_NK: for the choice of species (N, K), of the standard Gumbel distribution.
    """

    cell_6: Floats
    places_N3: Floats
    shown_N: Floats
    gumbel_NK: Floats

    @classmethod
    def drawn(cls, seed: Sequence[int], *, atoms: int, species: int) -> Noise:
        """That of one crystal."""
        draw = np.random.default_rng(seed)
        return cls(
            cell_6=draw.normal(size=6),
            places_N3=draw.uniform(size=(atoms, 3)),
            shown_N=draw.uniform(size=atoms),
            gumbel_NK=draw.gumbel(size=(atoms, species)),
        )
