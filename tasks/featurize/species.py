"""The elements that columns of features are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.crystals import Crystals


def species(crystals: Crystals, elements: Sequence[str]) -> list[str]:
    """The elements in alphabetical order, the one in which they have their columns.

    Raises:
        InputError: there are none, a name is no element's, or a structure has one that is not among them.
    """
    from ase.data import atomic_numbers, chemical_symbols

    names = sorted(set(elements))
    if not names:
        raise InputError("no elements", where="elements", remedy="name those of the system")
    for name in names:
        if not atomic_numbers.get(name):
            raise InputError(
                f"'{name}' is no element", where="elements", remedy="name them as in NaCl: Na, Cl"
            )
    strange_A = ~np.isin(crystals.numbers_A, [atomic_numbers[name] for name in names])
    if strange_A.any():
        atom = int(strange_A.argmax())
        row = int(np.searchsorted(crystals.first_G, atom, side="right")) - 1
        symbol = chemical_symbols[crystals.numbers_A[atom]]
        raise InputError(
            f"it has {symbol}, the features are about {', '.join(names)}",
            where=f"structure {row}",
            remedy=f"add {symbol} to the elements, or leave the structure out",
        )
    return names
