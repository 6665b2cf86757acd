"""Potentials whose statistics are known on paper: no forces, springs to fixed places, a cell that resists."""

from __future__ import annotations

import numpy as np

from zonemelt.tasks.potentials.potential import Evaluated, Potential
from zonemelt.tasks.theory import Theory


class Simple(Potential):
    """Atoms on springs of their own at the places they are told, in a cell whose volume costs energy.

    Args:
        places_N3: of each structure's atoms, Å; None: there are no springs.
        stiffness: eV/Å².
        resistance: eV/Å³, of energy ½ B (V - V₀)² / V₀.
        volume: V₀, Å³.
    """

    name = "simple"
    elements = frozenset({"Ar", "Cu"})
    cutoff = 0.0
    licence = "none"
    theory = Theory(code="paper", is_dft=False)

    def __init__(self, places_N3=None, *, stiffness=1.0, resistance=0.0, volume=1.0):
        self.places_N3, self.stiffness = places_N3, stiffness
        self.resistance, self.volume = resistance, volume

    def evaluate_some(self, crystals, *, forces, stress):
        away_A3 = np.zeros_like(crystals.positions_A3)
        if self.places_N3 is not None:
            away_A3 = crystals.positions_A3 - np.tile(self.places_N3, (len(crystals), 1))
        squares_A = 0.5 * self.stiffness * (away_A3**2).sum(axis=1)
        excess_G = np.abs(np.linalg.det(crystals.cells_G33)) - self.volume
        slopes_G = self.resistance * excess_G / self.volume
        return Evaluated(
            energies_G=np.add.reduceat(squares_A, crystals.first_G[:-1]) + 0.5 * slopes_G * excess_G,
            forces_A3=-self.stiffness * away_A3 if forces else None,
            stresses_G33=slopes_G[:, None, None] * np.eye(3) if stress else None,
        )
