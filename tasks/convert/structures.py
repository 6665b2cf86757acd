"""Records and geometries as pymatgen structures, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.checked import REMEDY, checked, new_record
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

REST: Final = "zonemelt"
_NOT_PERIODIC: Final = {
    "cell": ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "periodic": (False, False, False),
}


def structure_of(record: Record) -> Any:
    """The record as a pymatgen Structure.

    Site properties ``forces`` (eV/Å) and ``magmom`` (μB) and the structure's properties ``energy_free``,
    ``energy_sigma0`` (eV) and ``stress`` (eV/Å³, tension positive) are there where the record has them; all
    else is under ``zonemelt``, from which :func:`record_of_structure` makes the record again.
    """
    structure = record.geometry.structure()
    if record.forces is not None:
        structure.add_site_property("forces", [list(row) for row in record.forces])
    if record.magmoms is not None:
        structure.add_site_property("magmom", list(record.magmoms))
    document = record.model_dump(mode="json")
    for name in ("energy_free", "energy_sigma0", "stress"):
        if document[name] is not None:
            structure.properties[name] = document[name]
    structure.properties[REST] = rest_of(record)
    return structure


def record_of_structure(structure: Any) -> Record:
    """The record that :func:`structure_of` made a structure of; a changed structure gives a changed record.

    Raises:
        InputError: the structure is of another origin, or it is no record any more.
    """
    where = f"structure of {len(structure)} sites"
    if REST not in structure.properties:
        raise InputError(
            f"it has no property '{REST}'",
            where=where,
            remedy="make a Record of geometry_of_structure, and say where it comes from",
        )
    known = {name: structure.properties.get(name) for name in ("energy_free", "energy_sigma0", "stress")}
    known |= {
        "geometry": geometry_of_structure(structure, where=where),
        "forces": structure.site_properties.get("forces"),
        "magmoms": structure.site_properties.get("magmom"),
    }
    return record_of_rest(structure.properties[REST], known, where=where)


def rest_of(record: Record) -> dict[str, Any]:
    """What a record holds besides its geometry, energies, forces, stress and moments, ready for JSON."""
    held = {"energy_free", "energy_sigma0", "forces", "stress", "magmoms"}
    rest: dict[str, Any] = record.model_dump(mode="json", exclude=held | {"geometry"})
    if record.geometry.supercell is not None:
        rest["supercell"] = [list(row) for row in record.geometry.supercell]
    return rest


def record_of_rest(rest: Mapping[str, Any], known: Mapping[str, Any], *, where: str) -> Record:
    """Put together what :func:`rest_of` took apart.

    Raises:
        InputError: the parts are no record.
    """
    fields = dict(rest)
    geometry: Geometry = known["geometry"]
    if (supercell := fields.pop("supercell", None)) is not None:
        parts = geometry.model_dump() | {"supercell": supercell}
        geometry = checked(lambda: Geometry.model_validate(parts), where=where)
    fields = fields | dict(known) | {"geometry": geometry}
    return new_record(where=where, **fields)


def geometry_of_structure(structure: Any, *, where: str) -> Geometry:
    """The geometry of a pymatgen Structure or Molecule, or of one as a dictionary.

    Of dictionaries only lattice, species and coordinates are read: nothing that they name is imported.

    Raises:
        InputError: a site is shared, vacant or of no element, or the structure is none.
    """
    if structure is None:
        raise InputError("there is no structure", where=where, remedy=REMEDY)
    try:
        document = structure if isinstance(structure, dict) else _as_document(structure)
        symbols = [_element(site, number, where=where) for number, site in enumerate(document["sites"])]
        if (lattice := document.get("lattice")) is None:
            positions = [site["xyz"] for site in document["sites"]]
            parts: dict[str, Any] = dict(_NOT_PERIODIC)
        else:
            cell = lattice["matrix"]
            positions = [_position(site, cell) for site in document["sites"]]
            parts = {"cell": cell, "periodic": lattice.get("pbc", (True, True, True))}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"it is no structure: {error!r:.200}", where=where, remedy=REMEDY) from None
    return checked(
        lambda: Geometry.model_validate({"symbols": symbols, "positions": positions} | parts), where=where
    )


def _as_document(structure: Any) -> dict[str, Any]:
    """A Structure or Molecule as its dictionary, without what hangs on it."""
    sites = [
        {
            "species": [{"element": str(s), "occu": part} for s, part in site.species.items()],
            "xyz": site.coords.tolist(),
        }
        for site in structure
    ]
    lattice = getattr(structure, "lattice", None)
    if lattice is None:
        return {"sites": sites}
    return {"sites": sites, "lattice": {"matrix": lattice.matrix.tolist(), "pbc": lattice.pbc}}


def _element(site: Mapping[str, Any], number: int, *, where: str) -> str:
    """The one element of a site, without its charge."""
    from ase.data import atomic_numbers

    species = site["species"]
    if len(species) != 1 or species[0]["occu"] != 1:
        shared = " ".join(f"{one['element']}{one['occu']:g}" for one in species) or "nothing"
        raise InputError(
            f"site {number} is disordered ({shared})",
            where=where,
            remedy="make ordered structures of it first: pymatgen's OrderDisorderedStructureTransformation",
        )
    symbol = str(species[0]["element"]).rstrip("0123456789+-.")
    if symbol not in atomic_numbers:
        symbol = symbol.partition(",")[0].rstrip("0123456789+-.")
    return symbol


def _position(site: Mapping[str, Any], cell: Any) -> Any:
    """Cartesian coordinates of a site, Å."""
    if site.get("xyz") is not None:
        return site["xyz"]
    import numpy as np

    return (np.asarray(site["abc"], float) @ np.asarray(cell, float)).tolist()
