"""Relaxed structures as a file that ASE and ``zonemelt`` read, with a line for each."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.records import Geometry
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RELAXED, SUMMARY = "relaxed.extxyz", "relaxed.json"
KEPT: Final = ("energy", "force", "steps", "outcome")


def write_relaxed(
    directory: Path, names: Sequence[str], relaxed: Sequence[Mapping[str, Any]], *, potential: str
) -> dict[str, Any]:
    """Write what :func:`.relaxed_documents` says: ``relaxed.extxyz`` and ``relaxed.json``.

    Returns:
        ``potential``, ``file``, ``outcomes`` (how many of each) and ``structures``: name, formula, natoms,
        volume (Å³/atom), energy (eV), force (eV/Å), steps and outcome.
    """
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames, rows = [], []
    for name, one in zip(names, relaxed, strict=True):
        atoms = Geometry.model_validate(one["geometry"]).atoms()
        atoms.info |= {"name": name, "outcome": one["outcome"]}
        if one["energy"] is not None:
            atoms.calc = SinglePointCalculator(atoms, energy=one["energy"])
        frames.append(atoms)
        rows.append({
            "name": name, "formula": atoms.get_chemical_formula("metal"), "natoms": len(atoms),
            "volume": float(atoms.get_volume()) / len(atoms) if atoms.pbc.all() else None,
            **{key: one[key] for key in KEPT},
        })  # fmt: skip
    file = io.StringIO()
    write(file, frames, format="extxyz")
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / RELAXED, file.getvalue().encode())
    outcomes: dict[str, int] = {}
    for row in rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    document = {
        "potential": potential, "file": str(directory / RELAXED), "outcomes": outcomes, "structures": rows,
    }  # fmt: skip
    write_whole(directory / SUMMARY, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return document


@job
def write_relaxed_job(
    *, relaxed: list[dict[str, Any]], names: list[str], potential: str, directory: str
) -> dict[str, Any]:
    """Write relaxed structures; see :func:`write_relaxed`."""
    return write_relaxed(Path(directory), names, relaxed, potential=potential)
