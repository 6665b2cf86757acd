"""Explore imperfect crystals: vacancies, antisites, interstitials, each that symmetry tells apart once."""

# N atoms of the parent, I interstitial places

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.crystals import repeats
from zonemelt.tasks.explore.candidate import Explorer, Found, Parent
from zonemelt.tasks.quality.symmetry import asked
from zonemelt.tasks.records import Element, Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SAME = 0.3  # Å: interstitial places that are nearer to one another are one
_EDGE = 1e-6  # of a vector: what lies on the border of the cell lies in it


class Defects(Explorer):
    """One defect in a supercell of each parent, for every kind of site."""

    explorer: Literal["defects"] = "defects"
    kinds: tuple[Literal["vacancy", "antisite", "interstitial"], ...] = (
        "vacancy",
        "antisite",
        "interstitial",
    )
    size: float = Field(default=8.0, gt=0, description="least distance between a defect and its image, Å")
    elements: tuple[Element, ...] = Field(
        default=(), description="that antisites and interstitials are made of; empty for those of the parent"
    )
    places: int = Field(default=3, ge=1, description="interstitial places of a parent: the widest")
    displacement: float = Field(
        default=0.02,
        ge=0,
        description="of all atoms, standard deviation in each direction, Å: no false symmetry",
    )
    symprec: float = Field(default=0.01, gt=0, description="how far atoms may be from symmetric places, Å")


def explore(settings: Defects, parents: Sequence[Parent], *, seed: int) -> Found:
    """Enumerate the defects of every parent; parents that are not crystals are refused and counted."""
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for place, parent in enumerate(parents):
        if not all(parent.geometry.periodic):
            found.refuse("not a crystal")
            continue
        for number, (atoms, kind, site) in enumerate(defective(parent.geometry.atoms(), settings)):
            moves = np.random.default_rng([seed, place, number]).normal(size=(len(atoms), 3))
            atoms.positions += settings.displacement * moves
            found.add(Geometry.of(atoms), parent=parent.identifier, kind=kind, site=site, seed=seed)
    return found


def defective(crystal: Any, settings: Defects) -> Iterator[tuple[Any, str, str]]:
    """Supercells with one defect each, as ``ase.Atoms``, with its kind and site in words."""
    orbits_N, operations = symmetry(crystal, settings.symprec)
    host = crystal.repeat(repeats(crystal.cell.array, settings.size))
    present = set(crystal.get_chemical_symbols())
    elements = sorted(settings.elements or present)
    for atom in np.unique(orbits_N).tolist():
        old = crystal.symbols[atom]
        if "vacancy" in settings.kinds and len(host) > 1:
            without = host.copy()
            del without[atom]  # the first cell of the supercell has the atoms of the crystal, in their order
            yield without, "vacancy", f"{old}{atom}"
        for new in elements if "antisite" in settings.kinds else []:
            if new != old:
                changed = host.copy()
                changed.symbols[atom] = new
                yield changed, "antisite", f"{new} on {old}{atom}"
    if "interstitial" in settings.kinds:
        from ase import Atom

        for position in interstitial_places(crystal, operations)[: settings.places]:
            where = " ".join(f"{value:.3f}" for value in position @ np.linalg.inv(crystal.cell.array))
            for new in elements:
                more = host.copy()
                more.append(Atom(new, position))
                yield more, "interstitial", f"{new} at {where}"


def interstitial_places(crystal: Any, operations: tuple[Floats, Floats]) -> Floats:
    """Corners of Voronoi cells (I, 3), Å, one of each orbit, the farthest from all atoms first."""
    from scipy.spatial import Voronoi, cKDTree

    cell = crystal.cell.array
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    fractions = crystal.get_scaled_positions()
    around = (fractions[None] + steps[:, None]).reshape(-1, 3) @ cell
    corners = Voronoi(around).vertices @ np.linalg.inv(cell)
    corners = corners[((corners > -_EDGE) & (corners < 1 - _EDGE)).all(axis=1)]
    radii = cKDTree(around).query(corners @ cell)[0]
    order = np.lexsort((*np.round(corners, 5).T[::-1], -np.round(radii, 5)))
    rotations, translations = operations
    kept: list[Floats] = []
    for place in corners[order]:
        images = np.einsum("sij,j->si", rotations, place) + translations
        if not any((_apart(images, other, cell) < _SAME).any() for other in kept):
            kept.append(place)
    found: Floats = np.array(kept).reshape(-1, 3) @ cell
    return found


def _apart(fractions: Floats, other: Floats, cell: Floats) -> Floats:
    """Distances (S,), Å, to the nearest image, for places not far from each other."""
    difference = fractions - other
    difference -= np.rint(difference)
    found: Floats = np.linalg.norm(difference @ cell, axis=1)
    return found


def symmetry(crystal: Any, symprec: float) -> tuple[NDArray[np.int64], tuple[Floats, Floats]]:
    """The first atom of the orbit of each (N,), and rotations and translations of fractional coordinates."""
    import spglib

    given = (crystal.cell.array, crystal.get_scaled_positions(), crystal.numbers)
    found = asked(spglib.get_symmetry, given, symprec=symprec)
    if found is None:  # spglib finds not even the identity: nothing is alike
        return np.arange(len(crystal)), (np.eye(3)[None], np.zeros((1, 3)))
    orbits_N = np.asarray(found["equivalent_atoms"], np.int64)
    return orbits_N, (np.asarray(found["rotations"], float), np.asarray(found["translations"], float))
