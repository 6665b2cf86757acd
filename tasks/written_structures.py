"""Structures as a person writes them into a campaign: a file, or a space group with its sites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import Field, model_validator

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

Site = tuple[float, float, float]
_SAME: Final = 0.1  # Å


class Written(Document):
    """A file of one structure, or a space group with a cell and the sites of each element."""

    file: str = Field(default="", description="CIF, POSCAR, extxyz …")
    space_group: str | int | None = Field(default=None, description="symbol or number, as pymatgen has them")
    cell: dict[str, float] = Field(
        default_factory=dict,
        description="a, b, c in Å, alpha, beta, gamma in degrees; what follows is left out",
    )
    sites: dict[str, tuple[Site, ...]] = Field(
        default_factory=dict, description="element → fractional coordinates, one for each orbit"
    )
    primitive: bool = Field(default=True, description="whether the primitive cell is taken")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.file) == bool(self.space_group is not None and self.cell and self.sites):
            raise ValueError("give a file, or space_group, cell and sites")
        return self


def written(document: Mapping[str, Any] | Written, *, where: str) -> Geometry:
    """The structure that is meant.

    Raises:
        UnknownKeyError: a key that no structure has; with the nearest.
        InputError: it cannot be made; with what is wrong.
    """
    found = document if isinstance(document, Written) else read_settings(Written, document, where=where)
    return _of_file(found.file) if found.file else _of_group(found, where)


def _of_file(file: str) -> Geometry:
    from zonemelt.tasks.structure_files import read_structures

    found = list(read_structures(Path(file)))
    if len(found) != 1 or found[0].geometry is None:
        reason = found[0].reason if len(found) == 1 else f"it holds {len(found)} structures"
        raise InputError(reason, where=file, remedy="give a file of one structure")
    return found[0].geometry


def _of_group(found: Written, where: str) -> Geometry:
    from pymatgen.core.structure import Structure
    from pymatgen.symmetry.groups import SpaceGroup

    symbols = [symbol for symbol, sites in found.sites.items() for _ in sites]
    sites = [site for each in found.sites.values() for site in each]
    group = found.space_group
    try:
        name = SpaceGroup.from_int_number(group).symbol if isinstance(group, int) else str(group)
        structure = Structure.from_spacegroup(name, _lattice(found.cell, SpaceGroup(name)), symbols, sites)
    except (ValueError, KeyError) as error:
        raise InputError(
            f"pymatgen cannot make it: {error}", where=where, remedy="look at the space group, cell and sites"
        ) from error
    structure.merge_sites(tol=_SAME, mode="average")  # coordinates of special places are rounded
    if found.primitive:
        structure = structure.get_primitive_structure()
    return Geometry.of(structure.to_ase_atoms())


def _lattice(cell: Mapping[str, float], group: Any) -> Any:
    """The lattice; what the crystal system says already need not be said.

    Raises:
        ValueError: a length is missing, or a key is unknown.
    """
    from pymatgen.core.lattice import Lattice

    if unknown := sorted(set(cell) - {"a", "b", "c", "alpha", "beta", "gamma"}):
        raise ValueError(f"the cell has no '{unknown[0]}'")
    system = group.crystal_system
    a = cell.get("a")
    if a is None:
        raise ValueError("the cell has no length a")
    b = cell.get("b", a if system in {"cubic", "tetragonal", "trigonal", "hexagonal"} else None)
    c = cell.get("c", a if system == "cubic" else None)
    if b is None or c is None:
        raise ValueError(f"a {system} cell needs lengths a, b and c where they differ")
    angles = {"triclinic": ("alpha", "beta", "gamma"), "monoclinic": ("beta",)}.get(system, ())
    if system == "monoclinic" and set(cell) & {"alpha", "gamma"}:
        angles = ()  # another vector than b is the unique one
    if unsaid := [name for name in angles if name not in cell]:
        raise ValueError(f"a {system} cell needs {' and '.join(unsaid)}")
    gamma = 120.0 if system in {"trigonal", "hexagonal"} else 90.0
    return Lattice.from_parameters(
        a, b, c, cell.get("alpha", 90.0), cell.get("beta", 90.0), cell.get("gamma", gamma)
    )
