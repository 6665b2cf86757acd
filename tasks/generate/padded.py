"""Crystals of several sizes as dense arrays, and the noisy ones that a generator is trained on."""

# G crystals, N atoms of the largest, M crystals of a set

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import stretches
from zonemelt.tasks.generate.noise import TIME, Draws, Noise
from zonemelt.tasks.generate.pairing import paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Standard:
    """How stretches are standardized, from the training part.

    Attributes:
        mean_6: of the stretches (6,).
        deviation: one number, so that directions stay comparable.
    """

    mean_6: Floats
    deviation: float

    @classmethod
    def of(cls, stretches_G6: Floats) -> Standard:
        """That of a set of cells; crystals of one cell alone have the deviation 1."""
        mean_6 = stretches_G6.mean(axis=0)
        spread = float(np.sqrt(((stretches_G6 - mean_6) ** 2).mean()))
        return cls(mean_6=mean_6, deviation=spread if spread > 1e-6 else 1.0)  # noqa: PLR2004

    def there(self, stretches_G6: Floats) -> Floats:
        """Standardized."""
        return (stretches_G6 - self.mean_6) / self.deviation

    def back(self, values_G6: Floats) -> Floats:
        """As they were."""
        return values_G6 * self.deviation + self.mean_6


def check_crystals(crystals: Crystals, names: Sequence[str]) -> None:
    """Refuse what a generator cannot learn from.

    Raises:
        InputError: naming a structure that does not repeat in all directions, has no atoms or no volume.
    """
    volumes_G = np.abs(np.linalg.det(crystals.cells_G33))
    for bad_G, what in (
        (~crystals.periodic_G3.all(axis=1), "does not repeat in all directions"),
        (crystals.sizes_G == 0, "has no atoms"),
        (~(volumes_G > 0), "has no volume"),
    ):
        if bad_G.any():
            raise InputError(
                f"it {what}",
                where=f"structure {names[int(bad_G.argmax())]}",
                remedy="leave it out: a generator learns crystals",
            )


def check_known(crystals: Crystals, elements: NDArray[np.int64]) -> None:
    """Refuse elements that a generator does not know.

    Raises:
        InputError: there are some.
    """
    from ase.data import chemical_symbols

    if strange := sorted(set(np.unique(crystals.numbers_A).tolist()) - set(elements.tolist())):
        raise InputError(
            f"{', '.join(chemical_symbols[number] for number in strange)}, which it does not know",
            where="elements of a generator",
            remedy="leave out crystals with these elements, or train with some",
        )


class CrystalSet:
    """Crystals as a generator sees them.

    Args:
        crystals: M crystals.
        elements: the species, as atomic numbers, ascending.
        standard: of their stretches.
        values_M: standardized values of a property (M,), NaN where one has none.

    Raises:
        InputError: an element is not among the species.
    """

    def __init__(
        self,
        crystals: Crystals,
        *,
        elements: NDArray[np.int64],
        standard: Standard,
        values_M: Floats | None = None,
    ) -> None:
        check_known(crystals, elements)
        self.sizes_M = crystals.sizes_G
        cells_A33 = np.repeat(crystals.cells_G33, crystals.sizes_G, axis=0)
        places = np.linalg.solve(cells_A33.transpose(0, 2, 1), crystals.positions_A3[..., None])[..., 0]
        most = int(self.sizes_M.max(initial=1))
        there_MN = np.arange(most) < self.sizes_M[:, None]
        self.species_MN = np.zeros(there_MN.shape, np.int64)
        self.species_MN[there_MN] = np.searchsorted(elements, crystals.numbers_A)
        self.places_MN3: Floats = np.zeros((*there_MN.shape, 3))
        self.places_MN3[there_MN] = places % 1.0
        self.cells_M6 = standard.there(stretches(crystals.cells_G33, crystals.sizes_G))
        self.values_M = np.full(len(crystals), np.nan) if values_M is None else values_M
        self.species = len(elements)

    def __len__(self) -> int:
        return len(self.sizes_M)

    def noisy(
        self, members: NDArray[np.int64], seed: Sequence[int], *, shown: float, wished: float
    ) -> dict[str, torch.Tensor]:
        """Members in noise, at a time of their own each, with the way out of it.

        Args:
            members: which.
            seed: with the number of a member, that of its noise.
            shown: share of the crystals whose species are known from the beginning, as in structure
                prediction.
            wished: share of the crystals whose property is told.

        Returns:
            What :class:`.Denoiser` reads, and ``way_cells`` (G, 6), ``way_places`` (G, N, 3), ``species`` (G,
            N).
        """
        import torch

        sizes_G = self.sizes_M[members]
        most = int(sizes_G.max())
        species_GN, end_GN3 = self.species_MN[members, :most], self.places_MN3[members, :most]
        draws = Draws(seed, members)
        noise = Noise.drawn(draws, atoms=most)
        time_G, known_G, told_G = draws.uniform(np.arange(TIME, TIME + 3)).T
        there_GN = np.arange(most) < sizes_G[:, None]
        known_GN = there_GN & (known_G < shown)[:, None]
        order_GN, way_GN3 = paired(noise.places_GN3, end_GN3, np.where(known_GN, species_GN, -1), sizes_G)
        species_GN = np.take_along_axis(species_GN, order_GN, axis=1)
        seen_GN = known_GN | (there_GN & (noise.shown_GN < time_G[:, None]))
        cells_G6 = self.cells_M6[members]
        start_GN3 = noise.places_GN3 * there_GN[..., None]
        arrays = {
            "tokens": np.where(seen_GN, species_GN, self.species),
            "species": species_GN,
            "there": there_GN,
            "places": start_GN3 + time_G[:, None, None] * way_GN3,
            "way_places": way_GN3,
            "cells": noise.cells_G6 + time_G[:, None] * (cells_G6 - noise.cells_G6),
            "way_cells": cells_G6 - noise.cells_G6,
            "time": time_G,
            "wish": np.where(told_G < wished, self.values_M[members], np.nan),
        }
        return {
            name: torch.from_numpy(value.astype(np.float32) if value.dtype == np.float64 else value)
            for name, value in arrays.items()
        }
