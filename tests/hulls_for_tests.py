"""A phase diagram of all elements at once, as pymatgen builds it: what hulls of ours are compared with."""

from __future__ import annotations

from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram


def entry(phase):
    """A phase as pymatgen has it."""
    return PDEntry(dict(phase.composition), phase.energy * sum(phase.composition.values()))


def above_hull_by_pymatgen(candidate, known, *, elements):
    """eV/atom above the hull of what is known and of elements at zero; below zero where it is stable."""
    diagram = PhaseDiagram([*(PDEntry({el: 1}, 0.0) for el in elements), *map(entry, known)])
    return diagram.get_e_above_hull(entry(candidate), allow_negative=True)
