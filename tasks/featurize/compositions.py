"""Many compositions as a few flat arrays."""

# N compositions, E elements of all of them one after the other, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

ELEMENTS = 118
LEAST = 1e-8  # an amount below it counts as none, as in pymatgen


@dataclass(frozen=True, kw_only=True)
class Compositions:
    """Compositions, one after the other; no element twice in one of them, no amount zero.

    Attributes:
        numbers_E: atomic numbers, unsigned 8-bit.
        amounts_E: atoms of each in the formula as it was written.
        first_N: where the elements of each begin, and the end of the last (N + 1,), int64.
    """

    numbers_E: NDArray[np.uint8]
    amounts_E: NDArray[np.float64]
    first_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first_N) - 1

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """How many elements each has."""
        return np.diff(self.first_N)

    @classmethod
    def of(cls, amounts: Iterable[Mapping[int, float]]) -> Self:
        """From amounts by atomic number; amounts of none are left out.

        Raises:
            InputError: a composition has no atoms, an amount below zero, or a number that is no element's.
        """
        numbers: list[int] = []
        values: list[float] = []
        ends = [0]
        for row, composition in enumerate(amounts):
            kept = {number: amount for number, amount in composition.items() if abs(amount) >= LEAST}
            if not kept or any(not 0 < amount < np.inf for amount in kept.values()):
                raise InputError(
                    f"{dict(composition)} has no atoms, or amounts that are no numbers above zero",
                    where=f"row {row}",
                    remedy="give the amount of each element as a number above zero",
                )
            if any(not 1 <= number <= ELEMENTS for number in kept):
                raise InputError(
                    f"{dict(composition)} has an atomic number that no element has",
                    where=f"row {row}",
                    remedy=f"atomic numbers go from 1 to {ELEMENTS}",
                )
            numbers += kept
            values += kept.values()
            ends.append(len(numbers))
        return cls(
            numbers_E=np.array(numbers, np.uint8),
            amounts_E=np.array(values, np.float64),
            first_N=np.array(ends, np.int64),
        )

    @classmethod
    def of_crystals(cls, crystals: Crystals) -> Self:
        """How many atoms of each element structures have; elements ascend in each."""
        owners_A = np.repeat(np.arange(len(crystals)), crystals.sizes_G)
        keys_E, counts_E = np.unique(owners_A * 256 + crystals.numbers_A, return_counts=True)
        return cls(
            numbers_E=(keys_E % 256).astype(np.uint8),
            amounts_E=counts_E.astype(np.float64),
            first_N=np.searchsorted(keys_E, np.arange(len(crystals) + 1) * 256).astype(np.int64),
        )
