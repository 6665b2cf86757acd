"""What every interatomic potential offers: energies, forces and stresses of many structures in one pass."""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.theory import Theory


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Energies and their derivatives.

    Attributes:
        energies_G: of whole structures (G,), eV.
        forces_A3: on every atom (A, 3), eV/Å; None where not asked for.
        stresses_G33: of every structure (G, 3, 3), eV/Å³, positive under tension; None where not asked for.
    """

    energies_G: NDArray[np.float64]
    forces_A3: NDArray[np.float64] | None = None
    stresses_G33: NDArray[np.float64] | None = None


class Potential(ABC):
    """Inherit, set the attributes, and give ``evaluate_some``.

    Attributes:
        name: under which it was loaded.
        elements: symbols it was trained for.
        cutoff: how far an atom sees in one step of message passing, Å; None where nobody says so.
        theory: what its labels were computed with: energies of two potentials may be compared only where
            these agree.
        licence: of the weights.
        atoms_at_once: about how many atoms one pass takes, for the sake of memory.
    """

    name: str
    elements: frozenset[str]
    cutoff: float | None
    theory: Theory
    licence: str
    atoms_at_once: int = 500

    def evaluate(self, crystals: Crystals, *, forces: bool = True, stress: bool = False) -> Evaluated:
        """Energies, and on request forces and stresses, of all structures.

        Args:
            crystals: structures with at least one atom each.
            forces: whether to differentiate with respect to positions.
            stress: whether to differentiate with respect to strain; only what repeats in all directions.

        Raises:
            InputError: an element the potential does not know, a structure without atoms, or a stress asked
                for where there is no volume.
        """
        self.check(crystals, stress=stress)
        parts = [
            self.evaluate_some(crystals.take(some), forces=forces, stress=stress)
            for some in passes(crystals.sizes_G, self.atoms_at_once)
        ]
        return joined(parts, forces=forces, stress=stress)

    @abstractmethod
    def evaluate_some(self, crystals: Crystals, *, forces: bool, stress: bool) -> Evaluated:
        """Evaluate structures that were checked and fit into memory together."""

    def check(self, crystals: Crystals, *, stress: bool = False) -> None:
        """Refuse what cannot be evaluated, before anything runs.

        Raises:
            InputError: see :meth:`evaluate`.
        """
        from ase.data import chemical_symbols

        empty = np.flatnonzero(crystals.sizes_G == 0)
        if empty.size:
            raise InputError("no atoms", where=f"structure {empty[0]}", remedy="leave it out")
        known = np.array([symbol in self.elements for symbol in chemical_symbols])
        strange = ~known[np.minimum(crystals.numbers_A, len(known) - 1)]
        if strange.any():
            symbols = sorted({chemical_symbols[number] for number in crystals.numbers_A[strange]})
            first = int(np.searchsorted(crystals.first_G, np.flatnonzero(strange)[0], side="right")) - 1
            raise InputError(
                f"{self.name} does not know {', '.join(symbols)}",
                where=f"structure {first}",
                remedy="leave out structures with these elements, or choose another potential",
            )
        open_G = np.flatnonzero(~crystals.periodic_G3.all(axis=1))
        if stress and open_G.size:
            raise InputError(
                "a stress needs a volume, and the structure does not repeat in all directions",
                where=f"structure {open_G[0]}",
                remedy="ask for no stress",
            )


def passes(sizes_G: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Cut structures into runs of at most ``most`` atoms, or of one structure."""
    cuts, held = [0], 0
    for index, size in enumerate(sizes_G.tolist()):
        if held and held + size > most:
            cuts.append(index)
            held = 0
        held += size
    for start, end in pairwise([*cuts, len(sizes_G)]):
        if end > start:
            yield slice(start, end)


def joined(parts: list[Evaluated], *, forces: bool, stress: bool) -> Evaluated:
    """Put results one after the other."""
    return Evaluated(
        energies_G=np.concatenate([part.energies_G for part in parts] or [np.empty(0)]),
        forces_A3=np.concatenate([_there(part.forces_A3) for part in parts] or [np.empty((0, 3))])
        if forces
        else None,
        stresses_G33=np.concatenate([_there(part.stresses_G33) for part in parts] or [np.empty((0, 3, 3))])
        if stress
        else None,
    )


def _there(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    assert values is not None
    return values
