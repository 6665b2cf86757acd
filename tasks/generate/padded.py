"""Crystals of several sizes as dense arrays, and the noisy ones that a generator is trained on."""

# G crystals, N atoms of the largest, M crystals of a set

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import stretches
from zonemelt.tasks.generate.noise import Noise, way_on_torus

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
        from ase.data import chemical_symbols

        self.sizes_M, self._first = crystals.sizes_G, crystals.first_G
        if strange := sorted(set(np.unique(crystals.numbers_A).tolist()) - set(elements.tolist())):
            raise InputError(
                f"{', '.join(chemical_symbols[number] for number in strange)}, which it does not know",
                where="elements of a generator",
                remedy="leave out crystals with these elements, or train with some",
            )
        self.species_A = np.searchsorted(elements, crystals.numbers_A)
        cells_A33 = np.repeat(crystals.cells_G33, crystals.sizes_G, axis=0)
        places = np.linalg.solve(cells_A33.transpose(0, 2, 1), crystals.positions_A3[..., None])[..., 0]
        self.places_A3: Floats = (places % 1.0).astype(np.float64)
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

        most = int(self.sizes_M[members].max())
        count = len(members)
        arrays = {
            "tokens": np.full((count, most), self.species),
            "species": np.zeros((count, most), np.int64),
            "there": np.zeros((count, most), bool),
            "places": np.zeros((count, most, 3)),
            "way_places": np.zeros((count, most, 3)),
            "cells": np.zeros((count, 6)),
            "way_cells": np.zeros((count, 6)),
            "time": np.zeros(count),
            "wish": np.full(count, np.nan),
        }
        for row, member in enumerate(members.tolist()):
            atoms = slice(int(self._first[member]), int(self._first[member + 1]))
            size = atoms.stop - atoms.start
            noise = Noise.drawn([*seed, member, 0], atoms=size, species=self.species)
            time, known, told = np.random.default_rng([*seed, member, 1]).uniform(size=3)
            species, places, cell = self.species_A[atoms], self.places_A3[atoms], self.cells_M6[member]
            way = way_on_torus(noise.places_N3, places)
            seen = (noise.shown_N < time) | (known < shown)
            arrays["tokens"][row, :size] = np.where(seen, species, self.species)
            arrays["species"][row, :size] = species
            arrays["there"][row, :size] = True
            arrays["places"][row, :size] = noise.places_N3 + time * way
            arrays["way_places"][row, :size] = way
            arrays["cells"][row] = (1 - time) * noise.cell_6 + time * cell
            arrays["way_cells"][row] = cell - noise.cell_6
            arrays["time"][row] = time
            arrays["wish"][row] = self.values_M[member] if told < wished else np.nan
        return {
            name: torch.from_numpy(value.astype(np.float32) if value.dtype == np.float64 else value)
            for name, value in arrays.items()
        }
