"""What follows from force constants: dispersion, density of states, free energy, imaginary modes."""

# Q points, B branches

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.phonons import PhononSettings


class Line(Document):
    """One straight line of a dispersion; fractions are of the primitive cell's reciprocal vectors."""

    start: str = Field(description="label of its first point, as of W. Setyawan and S. Curtarolo (2010)")
    end: str
    points: list[list[float]] = Field(description="(Q, 3), fractions")
    distances: list[float] = Field(description="(Q,) along the whole path, 1/Å, without 2π")
    frequencies: list[list[float]] = Field(description="(Q, B), THz; imaginary ones are negative")


class Thermal(Document):
    """Harmonic free energy and its derivatives at constant volume; imaginary modes are left out of them."""

    temperatures: list[float] = Field(description="K")
    free_energy: list[float] = Field(description="of vibrations, zero point included, eV/atom")
    entropy: list[float] = Field(description="eV/K/atom")
    heat_capacity: list[float] = Field(description="eV/K/atom")


class Imaginary(Document):
    """The softest mode at one point where there are imaginary ones."""

    point: list[float] = Field(description="fractions of the primitive cell's reciprocal vectors")
    frequency: float = Field(description="THz, negative")


class PhononNumbers(Document):
    """Phonons of a primitive cell."""

    primitive_cell: list[list[float]] = Field(description="lattice vectors as rows, Å")
    primitive_atoms: int
    dispersion: list[Line]
    dos_frequencies: list[float] = Field(description="THz")
    dos: list[float] = Field(description="states of the primitive cell per THz")
    thermal: Thermal
    lowest: float = Field(description="frequency on mesh and path, THz; imaginary ones are negative")
    highest: float = Field(description="frequency on mesh and path, THz")
    imaginary: list[Imaginary] = Field(
        description="points with imaginary modes, the softest first, at most 20"
    )
    stable: bool = Field(description="whether there are none")


def analysed(work: Any, settings: PhononSettings) -> PhononNumbers:
    """Take everything from a ``Phonopy`` that has its forces.

    Args:
        work: with the forces of all displacements.
        settings: mesh, path, temperatures, and what is noise.
    """
    work.produce_force_constants(show_drift=False)
    work.symmetrize_force_constants(show_drift=False)
    lines, points_Q3, frequencies_QB = _dispersion(work, settings.points)
    work.run_mesh(settings.mesh)
    work.run_total_dos()
    dos, mesh = work.get_total_dos_dict(), work.get_mesh_dict()
    points_Q3 = np.concatenate([points_Q3, mesh["qpoints"]])
    frequencies_QB = np.concatenate([frequencies_QB, mesh["frequencies"]])
    soft = [
        Imaginary(point=points_Q3[row].tolist(), frequency=float(frequencies_QB[row].min()))
        for row in np.argsort(frequencies_QB.min(axis=1), kind="stable")[:20]
        if frequencies_QB[row].min() < -settings.imaginary
    ]
    return PhononNumbers(
        primitive_cell=np.asarray(work.primitive.cell).tolist(),
        primitive_atoms=len(work.primitive),
        dispersion=lines,
        dos_frequencies=dos["frequency_points"].tolist(),
        dos=dos["total_dos"].tolist(),
        thermal=_thermal(work, settings),
        lowest=float(frequencies_QB.min()),
        highest=float(frequencies_QB.max()),
        imaginary=soft,
        stable=not soft,
    )


def _dispersion(work: Any, points: int) -> tuple[list[Line], NDArray[np.float64], NDArray[np.float64]]:
    """Lines between the special points of the primitive cell's lattice."""
    from ase.cell import Cell
    from ase.dft.kpoints import parse_path_string

    path = Cell(work.primitive.cell).bandpath(npoints=0)
    ends = [pair for labels in parse_path_string(path.path) for pair in pairwise(labels)]
    special = path.special_points
    work.run_band_structure([np.linspace(special[start], special[end], points) for start, end in ends])
    bands = work.get_band_structure_dict()
    lines = [
        Line(
            start=start,
            end=end,
            points=bands["qpoints"][row].tolist(),
            distances=bands["distances"][row].tolist(),
            frequencies=bands["frequencies"][row].tolist(),
        )
        for row, (start, end) in enumerate(ends)
    ]
    return lines, np.concatenate(bands["qpoints"]), np.concatenate(bands["frequencies"])


def _thermal(work: Any, settings: PhononSettings) -> Thermal:
    """Per atom, in eV; phonopy gives kJ and J per mole of primitive cells."""
    from ase import units

    work.run_thermal_properties(temperatures=settings.temperatures, cutoff_frequency=settings.imaginary)
    found = work.get_thermal_properties_dict()
    per_atom = 1 / len(work.primitive)
    joule = units.J / units.mol * per_atom
    return Thermal(
        temperatures=found["temperatures"].tolist(),
        free_energy=(found["free_energy"] * 1000 * joule).tolist(),
        entropy=(found["entropy"] * joule).tolist(),
        heat_capacity=(found["heat_capacity"] * joule).tolist(),
    )
