"""Crystals to begin with where none is known: all orderings of pairs of elements on simple lattices."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import LATTICES, Ordering, orderings
from zonemelt.tasks.quality.composition import cell_formula
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def molar_volumes(elements: Sequence[str]) -> dict[str, float]:
    """Volume of an atom in the pure solid, Å³, as tables have it.

    Raises:
        InputError: an element is not known, or nobody has measured it as a solid.
    """
    from ase.data import atomic_numbers
    from pymatgen.core.periodic_table import Element
    from scipy.constants import N_A

    found = {}
    for element in elements:
        volume = Element(element).molar_volume if element in atomic_numbers and element != "X" else None
        if not volume:
            raise InputError(
                f"nothing is known of the volume of '{element}'",
                where="orderings",
                remedy="name solid elements; give structures of others as files",
            )
        found[element] = float(volume) * 1e24 / N_A
    return found


def decorated(
    ordering: Ordering, elements: Sequence[str], volumes: Mapping[str, float], *, lattice: str = "fcc"
) -> Geometry:
    """The ideal crystal of an ordering, at the volume of Vegard's law.

    Args:
        ordering: the sites and their colours.
        elements: the elements that colours 0 and 1 stand for.
        volumes: element → volume of the pure crystal, Å³/atom.
        lattice: a key of :data:`.LATTICES`.
    """
    from ase import Atoms

    symbols = [elements[colour] for colour in ordering.colours]
    volume = sum(volumes[symbol] for symbol in symbols) / len(symbols)
    primitive = LATTICES[lattice] * (volume / abs(np.linalg.det(LATTICES[lattice]))) ** (1 / 3)
    cell = np.array(ordering.hermite) @ primitive
    atoms = Atoms(symbols, positions=ordering.sites() @ primitive, cell=cell, pbc=True)
    atoms.set_cell(atoms.cell.minkowski_reduce()[0])
    atoms.wrap()
    supercell = np.rint(atoms.cell.array @ np.linalg.inv(primitive)).astype(int)
    return Geometry.of(atoms, supercell=supercell.tolist())


def ordered_crystals(
    elements: Sequence[str], *, lattices: Sequence[str], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """The pure elements, and every ordering of every two of them.

    Args:
        elements: two or more.
        lattices: keys of :data:`.LATTICES`.
        sizes: of the cells, atoms; the pure elements are there in any case.

    Returns:
        Documents with ``identifier`` (``Al1Au3-fcc-2``) and ``geometry``.

    Raises:
        InputError: an element is there twice, or there is none of its volume.
    """
    if len(set(elements)) < max(2, len(elements)):
        raise InputError(
            f"{', '.join(elements)}", where="orderings", remedy="name two elements or more, each once"
        )
    volumes = molar_volumes(elements)
    found: list[dict[str, Any]] = []

    def add(ordering: Ordering, some: Sequence[str], lattice: str, number: int) -> None:
        geometry = decorated(ordering, some, volumes, lattice=lattice)
        name = f"{cell_formula(geometry.symbols)}-{lattice}-{number}"
        found.append({"identifier": name, "geometry": geometry.model_dump(mode="json", exclude_none=True)})

    for lattice in lattices:
        pure = orderings(1, lattice)[0]
        for element in elements:
            add(pure, [element, element], lattice, 1)
        for size in sorted(set(sizes) - {1}):
            for number, ordering in enumerate(orderings(size, lattice), start=1):
                for two in combinations(sorted(elements), 2):
                    add(ordering, two, lattice, number)
    return found
