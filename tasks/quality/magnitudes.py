"""Energies, forces and stresses that look as if their unit were another: a warning with a guess."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from ase.units import Hartree, Rydberg, kcal, kJ, mol

from zonemelt.tasks.units import GPA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zonemelt.tasks.records import Record

IN_EV: Final = {"Hartree": Hartree, "Rydberg": Rydberg, "kJ/mol": kJ / mol, "kcal/mol": kcal / mol}
ALL_ELECTRONS: Final = {"fhi-aims", "aims", "gaussian", "pyscf", "elk", "exciting", "fleur", "wien2k", "orca"}
VALENCE: Final = {"quantum espresso", "qe", "pwscf", "abinit", "cp2k", "castep", "siesta", "abacus"}
RELATIVE: Final = {"vasp", "gpaw"}  # energies relative to those of atoms
NOBLE: Final = {"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Hg"}  # hardly bound: energies near zero are right

NEAR: Final = 1.35  # a ratio is that of a unit within this factor
LARGE_BINDING: Final = 40.0  # eV/atom: no solid is bound so strongly
SMALL_BINDING: Final = 0.5  # eV/atom: hardly one is bound so weakly
LARGE_FORCE: Final = 100.0  # eV/Å: no set of usable labels has it as its median
LARGE_STRESS: Final = 1.0  # eV/Å³


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A warning about one quantity of the records of one level of theory.

    Attributes:
        quantity: ``energy``, ``forces`` or ``stress``.
        theory: key of the level of theory.
        guess: units in which the number would make sense; empty where none does.
        reason: what is strange, and what to do.
    """

    quantity: Literal["energy", "forces", "stress"]
    theory: str
    guess: tuple[str, ...]
    reason: str


def suspicious_units(records: Iterable[Record]) -> list[Suspicion]:
    """What looks like another unit, for each level of theory, by the median of its records.

    Total energies of all electrons are compared with those of the atoms; energies of valence electrons with
    the ionisation energies of the outer shell; energies relative to atoms with what binds solids. Of other
    codes energies are not judged. Forces that are too small cannot be told from those of relaxed structures:
    :mod:`zonemelt.tasks.quality.work` compares them with energies.
    """
    levels: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        levels[record.theory.key].append(record)
    return [
        suspicion
        for key, of_level in sorted(levels.items())
        for suspicion in (_energy(key, of_level), _forces(key, of_level), _stress(key, of_level))
        if suspicion is not None
    ]


def energy_of_atoms(symbols: Sequence[str]) -> float:
    """Energy of all electrons of free atoms, within some percent, eV.

    The statistical atom with Scott's and Schwinger's terms: B.-G. Englert, Semiclassical Theory of Atoms
    (Springer 1988), equation 1-2; relativity, 10 % for the heaviest, is left out.
    """
    from ase.data import atomic_numbers

    charge = np.array([atomic_numbers[symbol] for symbol in symbols], float)
    return float(
        -Hartree * (0.768745 * charge ** (7 / 3) - 0.5 * charge**2 + 0.269900 * charge ** (5 / 3)).sum()
    )


def energy_of_outer_shells(symbols: Sequence[str]) -> float:
    """Minus the energy that takes the outer s and p electrons from free atoms, eV."""
    from pymatgen.core.periodic_table import Element

    total = 0.0
    for symbol in symbols:
        element = Element(symbol)
        outer = max(shell for shell, _, _ in element.full_electronic_structure)
        count = sum(
            n for shell, kind, n in element.full_electronic_structure if shell == outer and kind in "sp"
        )
        total -= sum(energy for energy in element.ionization_energies[:count] if energy is not None)
    return total


def _energy(key: str, records: Sequence[Record]) -> Suspicion | None:
    code = records[0].theory.code.lower().replace("_", " ")
    held = [
        (energy, r.geometry.symbols)
        for r in records
        if (energy := r.energy_free if r.energy_free is not None else r.energy_sigma0) is not None
    ]
    if not held:
        return None
    if code in ALL_ELECTRONS:
        ratio = float(np.median([energy / energy_of_atoms(symbols) for energy, symbols in held]))
        if 1 / NEAR < ratio < NEAR:
            return None
        guess = tuple(unit for unit, size in IN_EV.items() if 1 / NEAR < ratio * size < NEAR)
        strange = f"energies are {ratio:.3g} of those of all electrons of the atoms"
    elif code in VALENCE:
        ratio = float(np.median([energy / energy_of_outer_shells(symbols) for energy, symbols in held]))
        if ratio > 1 / 2:
            return None
        guess = ("Hartree", "Rydberg") if ratio > 1 / (2 * Hartree) else ()
        strange = f"energies are {ratio:.3g} of those of the outer electrons alone"
    elif code in RELATIVE:
        bound = [energy / len(symbols) for energy, symbols in held if not set(symbols) <= NOBLE]
        usual = float(np.median(np.abs(bound))) if bound else 1.0
        if SMALL_BINDING < usual < LARGE_BINDING:
            return None
        guess = ("kJ/mol", "kcal/mol") if usual > LARGE_BINDING else ("Hartree", "Rydberg")
        strange = f"energies of {usual:.3g} eV/atom are not those of {records[0].theory.code}"
    else:
        return None
    return _said("energy", key, guess, strange, unit="eV", count=len(held))


def _forces(key: str, records: Sequence[Record]) -> Suspicion | None:
    largest = [np.linalg.norm(r.forces, axis=1).max() for r in records if r.forces is not None]
    if not largest or (usual := float(np.median(largest))) <= LARGE_FORCE:
        return None
    guess = ("kcal/mol/Å", "kJ/mol/Å", "meV/Å")
    strange = f"the usual largest force is {usual:.3g} eV/Å"
    return _said("forces", key, guess, strange, unit="eV/Å", count=len(largest))


def _stress(key: str, records: Sequence[Record]) -> Suspicion | None:
    largest = [np.abs(r.stress).max() for r in records if r.stress is not None]
    if not largest or (usual := float(np.median(largest))) <= LARGE_STRESS:
        return None
    strange = f"the usual largest stress is {usual:.3g} eV/Å³, which is {usual * GPA:.3g} GPa"
    return _said("stress", key, ("GPa", "kbar"), strange, unit="eV/Å³", count=len(largest))


def _said(
    quantity: Literal["energy", "forces", "stress"],
    key: str,
    guess: tuple[str, ...],
    strange: str,
    *,
    unit: str,
    count: int,
) -> Suspicion:
    could = f"they could be in {' or '.join(guess)}" if guess else "no usual unit explains it"
    remedy = f"look into the source, and say there that {quantity} is not in {unit} when it is read again"
    return Suspicion(
        quantity=quantity,
        theory=key,
        guess=guess,
        reason=f"{strange} ({count} records): {could}; nothing was converted; {remedy}",
    )
