"""Potentials as calculators of ASE, and calculators of ASE as potentials: one structure at a time."""

# A atoms of all structures, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.potentials.potential import Evaluated, Potential

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.theory import Theory


class OfCalculator(Potential):
    """Any calculator of ASE: the way to potentials that no adapter of ours knows.

    Args:
        calculator: what its package offers, such as ``mace.calculators.mace_mp("medium")``.
        name: for messages and records.
        elements: symbols it was trained for: nobody else refuses the others.
        theory: what its labels were computed with.
        licence: of its weights.
        cutoff: Å, where it is known.
    """

    def __init__(
        self,
        calculator: Any,
        *,
        name: str,
        elements: Iterable[str],
        theory: Theory,
        licence: str,
        cutoff: float | None = None,
    ) -> None:
        self._calculator = calculator
        self.name, self.elements, self.theory = name, frozenset(elements), theory
        self.licence, self.cutoff = licence, cutoff

    def evaluate_some(self, crystals: Crystals, *, forces: bool, stress: bool) -> Evaluated:
        """Ask the calculator for one structure after the other."""
        energies, of_atoms, of_cells = [], [np.empty((0, 3))], []
        for index in range(len(crystals)):
            atoms = crystals.atoms(index)
            atoms.calc = self._calculator
            energies.append(atoms.get_potential_energy())
            if forces:
                of_atoms.append(atoms.get_forces())
            if stress:
                of_cells.append(atoms.get_stress(voigt=False))
        return Evaluated(
            energies_G=np.array(energies, float),
            forces_A3=np.concatenate(of_atoms) if forces else None,
            stresses_G33=np.array(of_cells).reshape(-1, 3, 3) if stress else None,
        )


def calculator(potential: Potential) -> Any:
    """A potential as a calculator of ASE: energy, free energy, forces and stress."""
    from ase.calculators.calculator import Calculator, all_changes

    class OfPotential(Calculator):
        implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  ASE's own way

        def calculate(
            self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
        ) -> None:
            super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
            periodic = bool(atoms.pbc.all())
            found = potential.evaluate(Crystals.of_atoms([atoms]), stress=periodic)
            energy = float(found.energies_G[0])
            self.results = {"energy": energy, "free_energy": energy, "forces": found.forces_A3}
            if found.stresses_G33 is not None:
                stress_33 = found.stresses_G33[0]
                self.results["stress"] = stress_33.flat[[0, 4, 8, 5, 2, 1]]  # Voigt's order

    return OfPotential()  # type: ignore[no-untyped-call]
