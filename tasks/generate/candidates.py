"""Candidates: crystals made from orderings by choosing a volume, a strain and small displacements."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import FCC, Ordering, orderings
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MIN_REFERENCES = 5


class Candidate(Document):
    """A crystal under study: which ordering it comes from and how it was deformed."""

    identifier: str
    parent: str
    geometry: Geometry
    strain: float
    rattle: float


class Split(NamedTuple):
    """Parents that are trained on and parents that are held out."""

    pool: list[str]
    heldout: list[str]


def pure_fcc(element: str, lattice_parameter: float) -> Geometry:
    """One atom of ``element`` in the fcc lattice; lattice parameter in Å."""
    cell = (FCC * lattice_parameter).tolist()
    return Geometry(
        cell=cell,
        symbols=(element,),
        positions=((0.0, 0.0, 0.0),),
        supercell=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    )


def reference_crystals(elements: Sequence[str], strains: Sequence[float]) -> dict[str, dict[str, Any]]:
    """Each pure element at each linear strain of its experimental fcc lattice, as dictionaries.

    Raises:
        InputError: an element is not fcc, or there are fewer than five strains to fit a curve to.
    """
    from ase.data import atomic_numbers, reference_states

    if len(set(strains)) < MIN_REFERENCES:
        raise InputError(
            f"{len(set(strains))} strains cannot fix an equation of state",
            where="reference_strains",
            remedy=f"give at least {MIN_REFERENCES}, on both sides of 0",
        )
    crystals = {}
    for element in elements:
        state = reference_states[atomic_numbers[element]] if element in atomic_numbers else None
        if state is None or state["symmetry"] != "fcc":
            raise InputError(
                f"'{element}' is not an element that crystallises as fcc",
                where="elements",
                remedy="choose two fcc metals, for example Al, Au",
            )
        for strain in strains:
            geometry = pure_fcc(element, cast("float", state["a"]) * (1 + strain))
            crystals[f"{element}-x{1 + strain:.3f}"] = geometry.model_dump(mode="json")
    return crystals


def decorate(ordering: Ordering, elements: Sequence[str], volumes: Mapping[str, float]) -> Geometry:
    """The ideal crystal of an ordering, at the volume of Vegard's law.

    Args:
        ordering: the sites and their colours.
        elements: the elements that colours 0 and 1 stand for.
        volumes: element → volume of the pure crystal, Å³/atom.
    """
    from ase import Atoms

    symbols = [elements[colour] for colour in ordering.colours]
    volume = sum(volumes[symbol] for symbol in symbols) / len(symbols)
    primitive = FCC * (4 * volume) ** (1 / 3)
    cell = np.array(ordering.hermite) @ primitive
    atoms = Atoms(symbols, positions=ordering.sites() @ primitive, cell=cell, pbc=True)
    atoms.set_cell(atoms.cell.minkowski_reduce()[0])
    atoms.wrap()
    supercell = np.rint(atoms.cell.array @ np.linalg.inv(primitive)).astype(int)
    return Geometry.of(atoms, supercell=supercell.tolist())


def aspect(geometry: Geometry) -> float:
    """Length of the longest lattice vector over that of the shortest."""
    lengths = np.linalg.norm(np.array(geometry.cell), axis=1)
    return float(lengths.max() / lengths.min())


def deform(geometry: Geometry, *, strain: float, rattle: float, seed: int) -> Geometry:
    """Stretch the cell by ``1 + strain`` and move the atoms by normal noise of ``rattle`` Å."""
    generator = np.random.default_rng(seed)
    positions = np.array(geometry.positions) * (1 + strain)
    positions += generator.normal(0.0, rattle, positions.shape) if rattle else 0.0
    return Geometry(
        cell=(np.array(geometry.cell) * (1 + strain)).tolist(),
        symbols=geometry.symbols,
        positions=tuple(map(tuple, positions.tolist())),
        supercell=geometry.supercell,
    )


def enumerate_candidates(
    *,
    elements: Sequence[str],
    volumes: Mapping[str, float],
    sizes: Sequence[int],
    max_aspect: float,
    strains: Sequence[float],
    rattle: float,
    seed: int,
) -> tuple[dict[str, Geometry], list[Candidate]]:
    """Every ordering with one of the ``sizes``, at every strain, plus one rattled copy of each.

    Cells longer than ``max_aspect`` times their shortest vector are left out: plane-wave codes need
    many more grid points for them.

    Returns:
        The ideal crystals by parent name, and the candidates.
    """
    parents: dict[str, Geometry] = {}
    candidates: list[Candidate] = []
    for size in sizes:
        for number, ordering in enumerate(orderings(size), start=1):
            ideal = decorate(ordering, elements, volumes)
            if aspect(ideal) > max_aspect:
                continue
            counts = Counter(ideal.symbols)
            formula = "".join(f"{e}{counts[e] if counts[e] > 1 else ''}" for e in elements)
            parent = f"{formula}-{number:02d}"
            parents[parent] = ideal
            deformations = [(strain, 0.0) for strain in strains] + ([(0.0, rattle)] if rattle else [])
            for strain, amplitude in deformations:
                suffix = f"rattled{amplitude:g}" if amplitude else f"x{1 + strain:.3f}"
                geometry = deform(ideal, strain=strain, rattle=amplitude, seed=seed + len(candidates))
                candidates.append(
                    Candidate(
                        identifier=f"{parent}-{suffix}",
                        parent=parent,
                        geometry=geometry,
                        strain=strain,
                        rattle=amplitude,
                    )
                )
    return parents, candidates


def split_parents(parents: Sequence[str], *, heldout: int, seed: int) -> Split:
    """Hold out ``heldout`` parents with all their deformations, spread over the sizes of cells.

    Raises:
        InputError: fewer than two parents would be left to learn from.
    """
    if heldout > len(parents) - 2:
        raise InputError(
            f"{heldout} of {len(parents)} orderings cannot be held out",
            where="heldout_orderings",
            remedy="hold out fewer, or add larger sizes",
        )
    generator = np.random.default_rng(seed)
    edges = np.linspace(0, len(parents), heldout + 1).astype(int)
    chosen = {parents[generator.integers(low, high)] for low, high in pairwise(edges)}
    return Split(pool=[p for p in parents if p not in chosen], heldout=sorted(chosen))


def check_disjoint(parents: Mapping[str, Geometry], split: Split) -> int:
    """Make sure that no held-out crystal is symmetry-equivalent to one of the pool.

    Returns:
        How many pairs were compared.

    Raises:
        InputError: two crystals are equivalent by pymatgen's StructureMatcher.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=True, primitive_cell=True)
    structures = {name: geometry.structure() for name, geometry in parents.items()}
    compared = 0
    for held in split.heldout:
        for pooled in split.pool:
            one, other = structures[held], structures[pooled]
            if one.composition.reduced_formula != other.composition.reduced_formula:
                continue
            compared += 1
            if matcher.fit(one, other):
                raise InputError(
                    f"held-out {held} is equivalent to {pooled} of the pool",
                    where="held-out set",
                    remedy="this is a defect of the enumeration: please report it",
                )
    return compared


@job
def enumerate_job(
    *,
    references: dict[str, Any],
    elements: list[str],
    sizes: list[int],
    max_aspect: float,
    strains: list[float],
    rattle: float,
    heldout_orderings: int,
    seed: int,
) -> dict[str, Any]:
    """Enumerate the candidates and set the held-out ones apart.

    Returns:
        ``candidates``: :class:`Candidate` dictionaries; ``pool`` and ``heldout``: identifiers;
        ``pairs_compared``: how many pairs the leak check compared.
    """
    volumes = {element: references["elements"][element]["volume"] for element in elements}
    parents, candidates = enumerate_candidates(
        elements=elements,
        volumes=volumes,
        sizes=sizes,
        max_aspect=max_aspect,
        strains=strains,
        rattle=rattle,
        seed=seed,
    )
    split = split_parents(list(parents), heldout=heldout_orderings, seed=seed)
    held = set(split.heldout)
    return {
        "candidates": [candidate.model_dump(mode="json") for candidate in candidates],
        "pool": [c.identifier for c in candidates if c.parent not in held],
        "heldout": [c.identifier for c in candidates if c.parent in held],
        "heldout_orderings": split.heldout,
        "pairs_compared": check_disjoint(parents, split),
    }
