"""Relaxed structures and simulations as files that ASE and ``zonemelt`` read, with a line for each."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.records import Geometry
from zonemelt.tasks.units import GPA
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RELAXED, SUMMARY, SIMULATED = "relaxed.extxyz", "relaxed.json", "md.json"
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
    document = {
        "potential": potential, "file": str(directory / RELAXED), "outcomes": _counted(rows, "outcome"),
        "structures": rows,
    }  # fmt: skip
    write_whole(directory / SUMMARY, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return document


def write_simulated(
    directory: Path,
    names: Sequence[str],
    simulated: Sequence[Mapping[str, Any]],
    *,
    potential: str,
    extxyz: bool = False,
) -> dict[str, Any]:
    """Write what :func:`.simulations` says: ``md.json``, and trajectories as extended XYZ on request.

    Returns:
        ``potential``, ``ends`` (how many of each) and ``structures``: name, formula, natoms, end, steps,
        temperature (K), energy (eV/atom), volume (Å³/atom), pressure (GPa), drift (eV/atom/ps), spread
        (eV/Å), trajectory and, on request, extxyz.
    """
    from ase.io import write

    from zonemelt.tasks.atomistic.trajectory import trajectory_atoms

    rows = []
    for number, (name, one) in enumerate(zip(names, simulated, strict=True)):
        atoms = Geometry.model_validate(one["geometry"]).atoms()
        kept = ("end", "steps", "temperature", "energy", "volume", "drift", "spread")
        row = {
            "name": name, "formula": atoms.get_chemical_formula("metal"), "natoms": len(atoms),
            **{key: one[key] for key in kept},
            "pressure": None if one["pressure"] is None else GPA * one["pressure"],
            "trajectory": None if one["trajectory"] is None else one["trajectory"]["path"],
        }  # fmt: skip
        if extxyz and row["trajectory"] is not None:
            file = io.StringIO()
            write(file, trajectory_atoms(row["trajectory"]), format="extxyz")
            row["extxyz"] = str(directory / f"{number}.extxyz")
            write_whole(directory / f"{number}.extxyz", file.getvalue().encode())
        rows.append(row)
    document = {"potential": potential, "ends": _counted(rows, "end"), "structures": rows}
    write_whole(directory / SIMULATED, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return document


def _counted(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[key]] = counts.get(row[key], 0) + 1
    return counts


@job
def write_relaxed_job(
    *, relaxed: list[dict[str, Any]], names: list[str], potential: str, directory: str
) -> dict[str, Any]:
    """Write relaxed structures; see :func:`write_relaxed`."""
    return write_relaxed(Path(directory), names, relaxed, potential=potential)


@job
def write_simulated_job(
    *, simulated: list[dict[str, Any]], names: list[str], potential: str, directory: str, extxyz: bool
) -> dict[str, Any]:
    """Write simulations; see :func:`write_simulated`."""
    return write_simulated(Path(directory), names, simulated, potential=potential, extxyz=extxyz)
