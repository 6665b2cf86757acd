"""The columns of a part: what a record holds, flat, and what is worked out from it for those who look."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = 1
"""Raised with every change of the columns of the content: it is part of every hash."""

CONTENT: Final[Mapping[str, str]] = {
    "identifier": "string",
    "cell": "floats",  # 9, row by row, Å
    "numbers": "numbers",  # one an atom
    "positions": "floats",  # 3 an atom, Å
    "periodic": "bools",  # 3
    "supercell": "ints",  # 3 a row
    "energy_free": "float",  # eV
    "energy_sigma0": "float",  # eV
    "correction_scheme": "string",
    "correction_energy": "float",  # eV
    "forces": "floats",  # 3 an atom, eV/Å
    "stress": "floats",  # 9, row by row, eV/Å³, tension positive
    "magmoms": "floats",  # one an atom, Bohr magnetons
    "properties": "string",  # JSON: name → value and unit
    "theory": "string",  # key of a level of theory; the levels are in the version and in each part
    "hubbard_u": "string",  # JSON: element → eV
    "setups": "string",  # JSON: element → name
    "converged_electronic": "bool",
    "converged_ionic": "bool",
    "complete": "bool",
    "iterations": "int",
    "provenance": "string",  # computed or ingested; the columns of the other kind are null
    "oracle": "string",
    "input_digest": "string",
    "host": "string",
    "log": "string",
    "source": "string",
    "sha256": "string",
    "calculation": "string",
    "parser": "string",
    "frame": "int",
    "frames": "int",
    "seconds": "float",
    "cpu_seconds": "float",
    "accepted": "bool",  # null: nobody has judged it
    "reasons": "strings",
}
"""Column → type of what makes a record; the order counts in its digest. Nulls are what is absent."""

DERIVED: Final[Mapping[str, str]] = {
    "formula": "string",  # Hill order, the whole cell
    "elements": "string",  # sorted by name: Al-Au
    "natoms": "int",
    "volume": "float",  # Å³; null without three periodic directions
    "energy_per_atom": "float",  # of energy_sigma0, eV
    "max_force": "float",  # length of the largest, eV/Å
    "verdict": "string",  # accepted, quarantined, unjudged
    "digest": "digest",
    "row": "int",  # in its part, from 0
}
"""Column → type of what follows from the content."""

METADATA: Final = b"zonemelt"
"""The key of our entry in the footer of a Parquet file."""


@cache
def arrow_schema() -> Any:
    """The columns as a ``pyarrow.Schema``."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "float": pa.float64(),
        "int": pa.int64(),
        "bool": pa.bool_(),
        "floats": pa.list_(pa.float64()),
        "ints": pa.list_(pa.int64()),
        "bools": pa.list_(pa.bool_()),
        "numbers": pa.list_(pa.uint8()),
        "strings": pa.list_(pa.string()),
        "digest": pa.binary(16),
    }
    return pa.schema([(name, types[kind]) for name, kind in {**CONTENT, **DERIVED}.items()])


@cache
def content_schema() -> Any:
    """The columns of the content alone as a ``pyarrow.Schema``."""
    import pyarrow as pa

    return pa.schema([arrow_schema().field(name) for name in CONTENT])
