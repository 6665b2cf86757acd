"""Energy above the convex hull, from formation energies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ON_HULL: Final = 1e-9  # eV/atom, rounding


class Phase(NamedTuple):
    """One crystal to be placed on the hull."""

    identifier: str
    composition: Mapping[str, int]  # element → atoms in the cell
    formation_energy: float  # eV/atom


def above_hull(phases: Sequence[Phase], hull: Sequence[Phase], elements: Sequence[str]) -> dict[str, float]:
    """Energy of each phase above the convex hull of ``hull`` and the pure elements.

    Args:
        phases: what is judged; need not be part of the hull.
        hull: the crystals that span it.
        elements: the pure elements, at zero formation energy.

    Returns:
        Identifier → eV/atom; negative for a phase below the hull, of which it is then no part.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

    def entry(phase: Phase) -> Any:
        atoms = sum(phase.composition.values())
        return PDEntry(dict(phase.composition), phase.formation_energy * atoms, name=phase.identifier)

    pure = [PDEntry({element: 1}, 0.0, name=element) for element in elements]
    diagram = PhaseDiagram([*pure, *(entry(phase) for phase in hull)])
    placed = {}
    for phase in phases:
        above = diagram.get_e_above_hull(entry(phase), allow_negative=True)
        assert above is not None, phase
        placed[phase.identifier] = float(above)
    return placed


def hull_vertices(hull: Sequence[Phase], elements: Sequence[str]) -> list[str]:
    """Identifiers of the phases on the hull, pure elements left out."""
    lowest = above_hull(hull, hull, elements)
    return [identifier for identifier, energy in lowest.items() if abs(energy) < ON_HULL]
