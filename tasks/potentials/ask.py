"""Ask a potential for structures one may have doubts about: each is evaluated or refused with its reason."""

# G structures, N atoms of a structure

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.units import GPA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential
    from zonemelt.tasks.records import Geometry
    from zonemelt.tasks.structure_files import Read

_TOGETHER: Final = 64  # structures between two reports of progress


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One structure with what a potential says of it.

    Attributes:
        name: of the structure.
        geometry: None where the file holds none.
        refused: why nothing is said; empty where something is.
        energy: eV.
        forces_N3: eV/Å.
        stress_33: eV/Å³; None where not asked for, or where the structure does not repeat in all directions.
        energy_spread: of a committee, eV/atom.
        force_spread: the largest on an atom, eV/Å.
    """

    name: str
    geometry: Geometry | None = None
    refused: str = ""
    energy: float | None = None
    forces_N3: NDArray[np.float64] | None = None
    stress_33: NDArray[np.float64] | None = None
    energy_spread: float | None = None
    force_spread: float | None = None

    def row(self) -> dict[str, Any]:
        """For tables and JSON; units in the names."""
        atoms = None if self.geometry is None else len(self.geometry.symbols)
        known = self.energy is not None and atoms is not None
        pressure = None if self.stress_33 is None else -GPA * float(np.trace(self.stress_33)) / 3
        return {
            "structure": self.name,
            "formula": "" if self.geometry is None else self.geometry.atoms().get_chemical_formula("metal"),
            "atoms": atoms,
            "energy (eV)": self.energy,
            "energy (eV/atom)": self.energy / atoms if known and self.energy is not None and atoms else None,
            "largest force (eV/Å)": None
            if self.forces_N3 is None
            else float(np.linalg.norm(self.forces_N3, axis=1).max()),
            "pressure (GPa)": pressure,
            "energy spread (eV/atom)": self.energy_spread,
            "force spread (eV/Å)": self.force_spread,
            "refused": self.refused,
        }


def evaluate_each(
    potential: Potential,
    structures: Sequence[Read],
    *,
    stress: bool = False,
    progress: Callable[[int], object] | None = None,
) -> list[Asked]:
    """Evaluate what can be evaluated, in batches, in the given order.

    Args:
        potential: or a committee, which also says by how much its members disagree.
        structures: some of which may hold only a reason.
        stress: whether to give those of crystals too.
        progress: called with the number of structures done.
    """
    found: dict[int, Asked] = {}
    able: list[int] = []
    for place, one in enumerate(structures):
        reason = one.reason
        if one.geometry is not None:
            try:
                potential.check(Crystals.of([one.geometry]))
            except InputError as error:
                reason = error.what
        if reason or one.geometry is None:
            found[place] = Asked(name=one.name, geometry=one.geometry, refused=reason)
        else:
            able.append(place)
    for start in range(0, len(able), _TOGETHER):
        some = able[start : start + _TOGETHER]
        for stressed in (True, False):
            part = [
                place for place in some if (stress and all(_geometry(structures[place]).periodic)) == stressed
            ]
            if part:
                found |= dict(zip(part, _asked(potential, structures, part, stress=stressed), strict=True))
        if progress is not None:
            progress(len(found))
    return [found[place] for place in range(len(structures))]


def _geometry(one: Read) -> Geometry:
    assert one.geometry is not None
    return one.geometry


def _asked(
    potential: Potential, structures: Sequence[Read], part: Sequence[int], *, stress: bool
) -> list[Asked]:
    crystals = Crystals.of([_geometry(structures[place]) for place in part])
    spread = None
    if isinstance(potential, Committee):
        said, spread = potential.evaluate_with_spread(crystals, stress=stress)
    else:
        said = potential.evaluate(crystals, stress=stress)
    assert said.forces_A3 is not None
    ends = crystals.first_G[1:-1]
    forces = np.split(said.forces_A3, ends)
    spreads = None if spread is None else np.split(spread.forces_A, ends)
    return [
        Asked(
            name=structures[place].name,
            geometry=structures[place].geometry,
            energy=float(said.energies_G[row]),
            forces_N3=forces[row],
            stress_33=None if said.stresses_G33 is None else said.stresses_G33[row],
            energy_spread=None if spread is None else float(spread.energies_G[row]),
            force_spread=None if spreads is None else float(spreads[row].max()),
        )
        for row, place in enumerate(part)
    ]
