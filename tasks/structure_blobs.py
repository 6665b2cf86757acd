"""A pymatgen Structure as one small binary file, exactly and fast.

The file is a safetensors file: coordinates and numeric site properties as tensors, everything else
as one JSON text in its metadata. What is loaded is what jobflow would have delivered through JSON,
``Structure.from_dict(jsanitize(structure))``: explicit labels and charge, arrays in site properties
as lists. A structure that cannot be kept exactly is refused with None and travels as plain JSON.

Legend: N sites. Coordinates are fractional unless said otherwise; cells are row vectors in Å.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Json: TypeAlias = "dict[str, Any]"
# Site and Structure are read and built through their instance dictionaries: their constructors cost
# 20 µs a site. `layout` checks once per process that these are the attributes pymatgen has.
SITE_STATE: Final = ("_lattice", "_frac_coords", "_species", "_coords", "properties", "_label")
STRUCTURE_STATE: Final = ("_lattice", "_sites", "_charge", "_properties")


@cache
def layout() -> bool:
    """Tell whether this pymatgen keeps its state where this module expects it."""
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.periodic_table import DummySpecies, Species
    from pymatgen.core.structure import Structure

    probe = Structure(Lattice.cubic(3.0), ["Si"], [[0, 0, 0]])
    return (
        set(vars(probe)) == set(STRUCTURE_STATE)
        and set(vars(probe[0])) == set(SITE_STATE)
        and "_data" in vars(probe[0].species)
        and set(vars(Species("Si", 4))) == {"_el", "_oxi_state", "_spin"}
        and set(vars(DummySpecies("X", 0))) == {"_symbol", "_oxi_state", "_spin"}
    )


def encode_structure(structure: Any) -> bytes | None:
    """Write a structure as safetensors bytes, or return None if that would not be exact.

    Args:
        structure: a pymatgen ``Structure`` or ``IStructure`` (N sites), ordered or disordered.
    """
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import IStructure, Structure
    from safetensors.numpy import save

    if type(structure) not in (Structure, IStructure) or not layout():
        return None
    lattice = structure.lattice
    states = [vars(site) for site in structure.sites]
    if type(lattice) is not Lattice or not states:
        return None
    if any(state["_lattice"] is not lattice for state in states) and not all(
        _same_lattice(state["_lattice"], lattice) for state in states
    ):
        return None
    table = _species_table([state["_species"] for state in states])
    columns = _property_columns([state["properties"] for state in states])
    rest = _plain(structure.properties)
    if table is None or columns is None or rest is None:
        return None
    species, kinds, names, oxidation = table
    labels = [state["_label"] for state in states]
    labels = [names[kind] if x is None else x for x, kind in zip(labels, kinds, strict=True)]
    defaults = [names[kind] for kind in kinds]
    charge = vars(structure)["_charge"]
    if charge is None:  # what Structure.charge computes, in its order of summation
        charge = sum(chain.from_iterable(oxidation[kind] for kind in kinds), start=0.0)
    tensors: dict[str, NDArray[Any]] = {
        "matrix": np.array(lattice.matrix),
        "frac": np.array([state["_frac_coords"] for state in states]),
        "kinds": np.array(kinds, dtype=np.int32),
        **{f"property.{key}": value for key, value in columns[0].items()},
    }
    if any(state["_coords"] is not None for state in states):  # they may have been set by hand
        tensors["cartesian"] = np.array([site.coords for site in structure.sites])
    text = _dumps(
        {
            "class": type(structure).__name__,
            "pbc": list(lattice.pbc),
            "species": species,
            "labels": None if labels == defaults else labels,
            "charge": charge.item() if isinstance(charge, np.generic) else charge,
            "keys": list(states[0]["properties"]),
            "columns": columns[1],
            "properties": rest[0],
        }
    )
    return None if text is None else save(tensors, metadata={"structure": text})


def decode_structure(data: bytes) -> Any:
    """Read what :func:`encode_structure` wrote, as a ``Structure`` or ``IStructure``."""
    from pymatgen.core import structure
    from pymatgen.core.lattice import Lattice

    tensors, header = _read(data)
    lattice = Lattice(tensors["matrix"], pbc=tuple(header["pbc"]))
    compositions = [_composition(entries) for entries in header["species"]]
    kinds = tensors["kinds"].tolist()
    labels = header["labels"]
    if labels is None:
        names = [_species_string(composition) for composition in compositions]
        labels = [names[kind] for kind in kinds]
    cls = getattr(structure, header["class"])
    probe = cls(lattice, ["H"], [[0, 0, 0]])
    site_class: Any = type(probe[0])
    sites = []
    rows = zip(tensors["frac"].copy(), kinds, labels, _site_properties(header, tensors), strict=True)
    for frac, kind, label, properties in rows:
        site = site_class.__new__(site_class)
        site.__dict__.update(
            _lattice=lattice,
            _frac_coords=frac,
            _species=compositions[kind],
            _coords=None,
            properties=properties,
            _label=label,
        )
        sites.append(site)
    state = vars(probe)
    state["_sites"] = type(state["_sites"])(sites)
    state["_charge"] = header["charge"]
    state["_properties"] = header["properties"]
    return probe


def structure_document(data: bytes) -> Json:
    """Return the document that jobflow stores for the structure: its sanitised ``as_dict``."""
    from pymatgen.core.lattice import Lattice

    tensors, header = _read(data)
    lattice = Lattice(tensors["matrix"], pbc=tuple(header["pbc"]))
    cell = lattice.as_dict(verbosity=1)
    cell = {key: value for key, value in cell.items() if not key.startswith("@")}
    cell = {key: list(v) if isinstance(v, tuple) else _number(v) for key, v in cell.items()}
    kinds, labels = tensors["kinds"].tolist(), header["labels"]
    if labels is None:
        names = [_species_string(_composition(entries)) for entries in header["species"]]
        labels = [names[kind] for kind in kinds]
    if "cartesian" in tensors:
        cartesian = tensors["cartesian"].tolist()
    else:  # row by row, as a site does: a product of matrices rounds differently
        cartesian = [lattice.get_cartesian_coords(row).tolist() for row in tensors["frac"]]
    rows = zip(
        kinds,
        tensors["frac"].tolist(),
        _site_properties(header, tensors),
        labels,
        cartesian,
        strict=True,
    )
    return {
        "@module": "pymatgen.core.structure",
        "@class": header["class"],
        "charge": header["charge"],
        "lattice": cell,
        "properties": header["properties"],
        "sites": [
            {
                "species": [dict(entry) for entry in header["species"][kind]],
                "abc": abc,
                "properties": properties,
                "label": label,
                "xyz": xyz,
            }
            for kind, abc, properties, label, xyz in rows
        ],
    }


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _same_lattice(one: Any, other: Any) -> bool:
    return one is other or (np.array_equal(one.matrix, other.matrix) and one.pbc == other.pbc)


def _species_string(composition: Any) -> str:
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.sites import PeriodicSite

    return str(PeriodicSite(composition, [0, 0, 0], Lattice.cubic(1.0)).species_string)


def _species_table(
    compositions: Sequence[Any],
) -> tuple[list[list[Json]], list[int], list[str], list[list[float]]] | None:
    """Number the distinct occupations of N sites.

    Returns:
        For each kind its species as ``PeriodicSite.as_dict`` writes them; the kind of each site
        (N,); each kind's default label; each kind's terms of the charge. None for species that
        pymatgen itself does not restore.
    """
    from pymatgen.core.composition import Composition
    from pymatgen.core.periodic_table import DummySpecies, Element, Species

    seen: dict[tuple[Any, ...], int] = {}
    by_id: dict[int, int] = {}
    table: list[list[Json]] = []
    names: list[str] = []
    charges: list[list[float]] = []
    kinds: list[int] = []
    for composition in compositions:
        kind = by_id.get(id(composition))
        if kind is None:
            if type(composition) is not Composition:
                return None
            amounts = vars(composition)["_data"]
            key: tuple[Any, ...]
            if len(amounts) == 1:
                ((species, amount),) = amounts.items()
                key = _species_key(species, amount)
            else:
                key = tuple([_species_key(s, n) for s, n in amounts.items()])
            kind = seen.get(key)
            if kind is None:
                for s in composition:
                    if type(s) not in (Element, Species, DummySpecies):
                        return None
                    if type(s) is Element and s.name != s.symbol:  # deuterium is restored as H
                        return None
                kind = seen[key] = len(table)
                table.append([_species_entry(s, n) for s, n in composition.items()])
                names.append(_species_string(composition))
                charges.append([(getattr(s, "oxi_state", 0) or 0) * n for s, n in composition.items()])
            by_id[id(composition)] = kind
        kinds.append(kind)
    return table, kinds, names, charges


def _species_key(species: Any, occupation: float) -> tuple[Any, ...]:
    """Identify what a site holds; 1 and 1.0 differ, since their JSON texts do."""
    state = vars(species)
    if "_oxi_state" not in state:  # an Element: one object per symbol
        return (id(species), occupation, type(occupation))
    name = id(state["_el"]) if "_el" in state else state["_symbol"]
    charge, spin = state["_oxi_state"], state["_spin"]
    return (name, charge, type(charge), spin, type(spin), occupation, type(occupation))


def _species_entry(species: Any, occupation: float) -> Json:
    entry = {k: _number(v) for k, v in species.as_dict().items() if not k.startswith("@")}
    return {**entry, "occu": _number(occupation)}


def _composition(entries: Sequence[Json]) -> Any:
    """Rebuild the species of a site, by the rules of ``PeriodicSite.from_dict``."""
    from pymatgen.core.composition import Composition
    from pymatgen.core.periodic_table import DummySpecies, Element, Species

    species: dict[Any, float] = {}
    for entry in entries:
        if "oxidation_state" not in entry:
            one: Any = Element(entry["element"])
        elif Element.is_valid_symbol(entry["element"]):
            one = Species.from_dict(entry)
        else:
            one = DummySpecies.from_dict(entry)
        species[one] = entry["occu"]
    return Composition(species)


def _property_columns(
    properties: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, NDArray[Any]], dict[str, list[Any]]] | None:
    """Split N dictionaries of site properties into numeric tensors (N, …) and plain JSON columns.

    Returns:
        Tensors and JSON columns by name; None if the sites have different properties or one holds
        something that is neither a number, text, nor a list of these.
    """
    names = list(properties[0])
    if not names:
        return ({}, {}) if not any(properties) else None
    if any(list(p) != names for p in properties) or not all(type(k) is str for k in names):
        return None
    tensors: dict[str, NDArray[Any]] = {}
    columns: dict[str, list[Any]] = {}
    for name in names:
        values = [p[name] for p in properties]
        types = set(map(type, values))
        if types <= {float, np.float64}:
            tensors[name] = np.array(values, dtype=np.float64)
        elif types == {np.ndarray} and _uniform(values):
            tensors[name] = np.array(values)
        else:
            column = _flat(values)
            if column is None:
                return None
            columns[name] = column
    return tensors, columns


def _uniform(arrays: Sequence[NDArray[Any]]) -> bool:
    first = arrays[0]
    same = len({a.shape for a in arrays}) == 1 and len({a.dtype for a in arrays}) == 1
    return same and first.ndim > 0 and first.dtype in (np.float64, np.int64, np.bool_)


def _site_properties(header: Json, tensors: Mapping[str, NDArray[Any]]) -> list[Json]:
    """Give each of N sites its own dictionary again, in the original order of names."""
    keys: list[str] = header["keys"]
    if not keys:
        return [{} for _ in tensors["kinds"]]
    columns = [
        header["columns"][key] if key in header["columns"] else tensors[f"property.{key}"].tolist()
        for key in keys
    ]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def _flat(values: list[Any]) -> list[Any] | None:
    """Sanitise a column of text, numbers, None and lists of these; None if it holds more."""
    text = _dumps(values)
    if text is None:
        plain = _plain(values)
        text = None if plain is None else _dumps(plain[0])
    if text is None or "{" in text:  # a dictionary may stand for an object: not for us
        return None
    column: list[Any] = json.loads(text)
    return column


def _plain(value: Any) -> tuple[Any] | None:
    """Sanitise as jobflow does; None if JSON text cannot hold the result."""
    from monty.json import jsanitize

    try:
        clean = jsanitize(value, strict=True, enum_values=True, allow_bson=True)
    except (AttributeError, TypeError, ValueError):
        return None
    return None if _dumps(clean) is None else (clean,)


def _dumps(value: Any) -> str | None:
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError):
        return None


def _read(data: bytes) -> tuple[dict[str, NDArray[Any]], Json]:
    """Read a safetensors file from memory, with its metadata (the library drops it)."""
    from safetensors.numpy import load

    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    return load(data), json.loads(header["__metadata__"]["structure"])
