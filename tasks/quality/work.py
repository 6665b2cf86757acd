"""Energies of successive frames against the work of forces and stress: wrong units and signs cannot hide."""

# A atoms

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.units import Bohr, Hartree, Rydberg, kcal, kJ, mol

from zonemelt.tasks.records import Ingested
from zonemelt.tasks.units import GPA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.records import Record

STEP: Final = 0.3  # Å: farther than that the mean force of two frames is not that between them
STRAIN: Final = 0.03
LEAST: Final = 2e-3  # eV: work that is smaller says nothing
FEWEST: Final = 3  # steps of one level of theory
NEAR: Final = 1.15  # a ratio is explained within this factor
RATIOS: Final = {
    -1.0: "forces or stress have the wrong sign",
    Hartree / Bohr: "forces are in Hartree/bohr",
    Rydberg / Bohr: "forces are in Rydberg/bohr",
    1 / Hartree: "energies are in Hartree",
    1 / Rydberg: "energies are in Rydberg",
    1 / Bohr: "energies and forces are in atomic units (Hartree or Rydberg, over bohr)",
    mol / kJ: "energies are in kJ/mol",
    mol / kcal: "energies are in kcal/mol",
    kJ / mol: "forces are in kJ/mol/Å",
    kcal / mol: "forces are in kcal/mol/Å",
    1 / GPA: "stress is in GPa",
    -0.1 / GPA: "stress is in kbar with the sign of VASP",
}


@dataclass(frozen=True, kw_only=True)
class WorkCheck:
    """Energy differences over work, for one level of theory.

    Attributes:
        theory: its key.
        ratio: the median over the steps; 1 if all is right. None where too few steps can be used.
        steps: that could be used.
        reason: what is wrong, by the ratio; empty where it is right or unknown.
    """

    theory: str
    ratio: float | None
    steps: int
    reason: str


def check_work(records: Iterable[Record]) -> list[WorkCheck]:
    """Compare energies with forces (and stress, where the cell changes) along relaxations and trajectories.

    Between two frames the energy changes by minus force times displacement plus volume times stress times
    strain, with the mean of the forces and of the stress of both. Frames of one calculation are paired in
    their order; steps longer than 0.3 Å are left out.

    Returns:
        One for each level of theory that has frames of one calculation, by key.
    """
    runs: dict[tuple[str, str], list[tuple[int, Record]]] = defaultdict(list)
    for record in records:
        if isinstance(record.provenance, Ingested):
            run = runs[record.theory.key, record.provenance.calculation]
            run.append((record.provenance.frame, record))
    ratios: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for (key, _), frames in sorted(runs.items()):
        for (_, one), (_, other) in pairwise(sorted(frames, key=itemgetter(0))):
            found = ratios[key]
            if (ratio := _ratio(one, other)) is not None:
                found.append((ratio, len(one.geometry.symbols)))
    return [_verdict(key, found) for key, found in sorted(ratios.items())]


def _ratio(one: Record, other: Record) -> float | None:
    """Energy difference over work; None where the step cannot be used."""
    a, b = one.geometry, other.geometry
    if a.symbols != b.symbols or one.energy_free is None or other.energy_free is None:
        return None
    if one.forces is None or other.forces is None:
        return None
    cells = np.array(a.cell), np.array(b.cell)
    moved_A3 = np.array(b.positions) - np.array(a.positions)
    work = 0.0
    if all(a.periodic):
        strain = np.linalg.solve(cells[0], cells[1]) - np.eye(3)
        places = [np.array(g.positions) @ np.linalg.inv(cell) for g, cell in zip((a, b), cells, strict=True)]
        moved = places[1] - places[0]
        moved_A3 = (moved - np.rint(moved)) @ (cells[0] + cells[1]) / 2
        if np.abs(strain).max() > STRAIN:
            return None
        if np.abs(strain).max() > 0:
            if one.stress is None or other.stress is None:
                return None
            volume = np.abs(np.linalg.det((cells[0] + cells[1]) / 2))
            work += volume * float(((np.array(one.stress) + np.array(other.stress)) / 2 * strain).sum())
    if np.linalg.norm(moved_A3, axis=1).max() > STEP:
        return None
    work -= float(((np.array(one.forces) + np.array(other.forces)) / 2 * moved_A3).sum())
    difference = other.energy_free - one.energy_free
    if max(abs(work), abs(difference)) < LEAST or work == 0:
        return None
    return difference / work


def _verdict(key: str, found: list[tuple[float, int]]) -> WorkCheck:
    if len(found) < FEWEST:
        return WorkCheck(theory=key, ratio=None, steps=len(found), reason="")
    ratios = np.array(found)
    ratio = float(np.median(ratios[:, 0]))
    if 1 / NEAR < ratio < NEAR:
        return WorkCheck(theory=key, ratio=ratio, steps=len(found), reason="")
    by_atom = float(np.median(ratios[:, 0] * ratios[:, 1]))
    guesses = [words for usual, words in RATIOS.items() if 1 / NEAR < ratio / usual < NEAR]
    if 1 / NEAR < by_atom < NEAR:
        guesses.append("energies are those of one atom, not of the cell")
    far = f"energy differences are {ratio:.3g} of the work of the forces in {len(found)} steps"
    could = " or ".join(guesses) or "no usual mistake explains it"
    return WorkCheck(
        theory=key,
        ratio=ratio,
        steps=len(found),
        reason=f"{far}: {could}; nothing was converted; look into the source for its units",
    )
