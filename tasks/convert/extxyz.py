"""Records as extended XYZ, which ASE, GAP, MACE and NequIP read, and back without loss.

Cell, positions, energies, forces, stress and moments are where those programs look for them, written to the
last digit (ASE's own writer keeps eight decimals); all else of a record is one JSON entry named ``zonemelt``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.convert.atoms import full_stress
from zonemelt.tasks.convert.checked import new_geometry
from zonemelt.tasks.convert.structures import REST, record_of_rest, rest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zonemelt.tasks.records import Record


def frame_of(record: Record) -> str:
    """One record as the lines of one frame."""
    geometry, rest = record.geometry, rest_of(record)
    columns: list[Sequence[Sequence[float]]] = [geometry.positions]
    said = "species:S:1:pos:R:3"
    if record.forces is not None:
        columns.append(record.forces)
        said += ":forces:R:3"
    if record.magmoms is not None:
        columns.append([(moment,) for moment in record.magmoms])
        said += ":magmoms:R:1"
    info = [f'Lattice="{_numbers(x for row in geometry.cell for x in row)}"', f"Properties={said}"]
    for name, energy in (("energy", record.energy_sigma0), ("free_energy", record.energy_free)):
        if energy is not None:
            info.append(f"{name}={energy!r}")
    if record.stress is not None:
        if any(record.stress[i][j] != record.stress[j][i] for i in range(3) for j in range(i)):
            rest["stress"] = record.stress  # readers keep one half only
        info.append(f'stress="{_numbers(record.stress[j][i] for i in range(3) for j in range(3))}"')
    info.append(f'pbc="{" ".join("T" if along else "F" for along in geometry.periodic)}"')
    text = json.dumps(rest, separators=(",", ":")).replace("\\", "\\\\").replace('"', '\\"')
    info.append(f'{REST}="_JSON {text}"')
    rows = [
        f"{symbol} {' '.join(_numbers(part) for part in parts)}"
        for symbol, *parts in zip(geometry.symbols, *columns, strict=True)
    ]
    return "\n".join([str(len(rows)), " ".join(info), *rows]) + "\n"


def record_of_frame(atoms: Any, *, where: str) -> Record:
    """The record that :func:`frame_of` wrote, of what ASE read.

    Args:
        atoms: an ``ase.Atoms`` with the entry ``zonemelt`` in its ``info``.
        where: file and line, for the message.

    Raises:
        InputError: the frame was changed so that it is no record any more.
    """
    rest = dict(atoms.info[REST])
    results = atoms.calc.results if atoms.calc is not None else {}
    stress = rest.pop("stress", results.get("stress"))
    known = {
        "geometry": new_geometry(atoms, where=where),
        "energy_free": results.get("free_energy"),
        "energy_sigma0": results.get("energy"),
        "forces": results["forces"].tolist() if "forces" in results else None,
        "stress": None if stress is None else full_stress(stress, where=where),
        "magmoms": results["magmoms"].tolist() if "magmoms" in results else None,
    }
    return record_of_rest(rest, known, where=where)


def _numbers(values: Iterable[float]) -> str:
    """Numbers with as many digits as it takes to read them back."""
    return " ".join(repr(float(value)) for value in values)
