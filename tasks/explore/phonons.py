"""Explore by phonons: supercells with all modes excited as they are at a temperature."""

# N atoms of a supercell, M modes

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.vibrations import Vibrations, vibrations
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.explore.candidate import Explorer, Found, Kelvin, Parent, Repeat
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential

    Floats = NDArray[np.float64]

SOFTEST: Final = 30.0
"""cm⁻¹: softer and unstable modes are displaced as if they had this frequency."""


class Phonons(Explorer):
    """Harmonic displacements from a potential's force constants of a supercell.

    Each mode is displaced by a normal random number with the variance of a quantum oscillator,
    ħ / 2ω coth(ħω / 2kT): D. West, S. K. Estreicher, Phys. Rev. Lett. 96, 115504 (2006).
    """

    explorer: Literal["phonons"] = "phonons"
    temperatures: tuple[Kelvin, ...] = Field(default=(300.0,), min_length=1, description="K")
    copies: int = Field(default=5, ge=1, description="of each parent at each temperature")
    repeat: Repeat = Field(default=(2, 2, 2), description="of the parent's cell")


def explore(settings: Phonons, parents: Sequence[Parent], potential: Potential, *, seed: int) -> Found:
    """Displace the supercell of every parent; parents that are not crystals are refused and counted.

    Raises:
        InputError: an element that the potential does not know, or a supercell of one atom.
    """
    found = Found(explorer=settings.explorer, closest=settings.closest)
    crystals = [one for one in parents if all(one.geometry.periodic)]
    found.refuse("not a crystal", len(parents) - len(crystals))
    supercells = [one.geometry.atoms().repeat(settings.repeat) for one in crystals]
    if not supercells:
        return found
    modes = vibrations(potential, Crystals.of_atoms(supercells))
    for place, (parent, atoms, own) in enumerate(zip(crystals, supercells, modes, strict=True)):
        found.counts["soft or unstable modes"] += int((own.frequencies_M < SOFTEST).sum())
        for temperature in settings.temperatures:
            for copy in range(settings.copies):
                generator = np.random.default_rng([seed, place, round(1000 * temperature), copy])
                moved: Any = atoms.copy()
                moved.positions += displaced(own, temperature, generator)
                found.add(
                    Geometry.of(moved),
                    parent=parent.identifier,
                    temperature=temperature,
                    copy=copy,
                    seed=seed,
                )
    return found


def displaced(own: Vibrations, temperature: float, generator: np.random.Generator) -> Floats:
    """Random displacements (N, 3), Å, of all modes at a temperature in K."""
    widths_M = widths(own.frequencies_M, temperature) * generator.normal(size=len(own.frequencies_M))
    found: Floats = np.einsum("m,mni->ni", widths_M, own.modes_MN3) / np.sqrt(own.masses_N)[:, None]
    return found


def widths(frequencies_M: Floats, temperature: float) -> Floats:
    """Standard deviations of the mass-weighted coordinates (M,), Å √u, of oscillators."""
    from ase import units

    energies_M = np.maximum(frequencies_M, SOFTEST) * units.invcm  # ħω, eV
    # ħ² / u in eV Å²
    quantum = units._hbar**2 / (units._amu * units._e) * 1e20  # noqa: SLF001
    thermal_M = np.ones_like(energies_M)
    if temperature > 0:
        thermal_M = 1 / np.tanh(energies_M / (2 * units.kB * temperature))
    found: Floats = np.sqrt(quantum / (2 * energies_M) * thermal_M)
    return found
