"""What a potential says of structures as a file: extended XYZ with forces, a table, or lines of JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.potentials.ask import Asked

ENDINGS: Final = (".extxyz", ".csv", ".jsonl")


def write_evaluated(path: str, found: Sequence[Asked]) -> None:
    """Write what a potential says; refused structures are left out of extended XYZ.

    Raises:
        StoreError: it cannot be written.
    """
    from zonemelt.tasks.whole_files import write_whole

    if Path(path).suffix == ".extxyz":
        text = _extxyz(found)
    elif Path(path).suffix == ".jsonl":
        text = "".join(f"{json.dumps(one.row(), ensure_ascii=False)}\n" for one in found)
    else:
        file = io.StringIO(newline="")
        rows = [one.row() for one in found]
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["structure"])
        writer.writeheader()
        writer.writerows(rows)
        text = file.getvalue()
    write_whole(Path(path), text.encode())


def _extxyz(found: Sequence[Asked]) -> str:
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = []
    for one in found:
        if one.geometry is None or one.energy is None:
            continue
        atoms = one.geometry.atoms()
        results = {"energy": one.energy, "forces": one.forces_N3}
        if one.stress_33 is not None:
            results["stress"] = one.stress_33.flat[[0, 4, 8, 5, 2, 1]]  # Voigt's order
        atoms.info["name"] = one.name
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    file = io.StringIO()
    if frames:
        write(file, frames, format="extxyz")
    return file.getvalue()
