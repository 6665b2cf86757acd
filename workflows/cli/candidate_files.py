"""Candidates as files: extended XYZ, lines of JSON, or a directory of CIF files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.explore.candidate import Candidate


def check_free_target(path: str) -> None:
    """Refuse a place where candidates cannot be written, before they are made.

    Raises:
        InputError: its ending is of no form, or it is a directory with something in it.
    """
    place = Path(path)
    if place.suffix not in {"", ".extxyz", ".jsonl"}:
        raise InputError(
            f"it ends in '{place.suffix}'",
            where=f"--out {path}",
            remedy="end it in .extxyz or .jsonl, or name a directory for CIF files",
        )
    if not place.suffix and place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputError(
            "there is something already",
            where=f"--out {path}",
            remedy="name a directory that is new or empty",
        )


def write_candidates(path: str, candidates: Sequence[Candidate]) -> list[str]:
    """Write candidates; the paths of what was written.

    Raises:
        StoreError: it cannot be written.
    """
    from zonemelt.tasks.whole_files import write_whole

    place = Path(path)
    if place.suffix == ".jsonl":
        text = "".join(f"{json.dumps(one.model_dump(mode='json'))}\n" for one in candidates)
        write_whole(place, text.encode())
        return [str(place)]
    if place.suffix == ".extxyz":
        write_whole(place, _extxyz(candidates).encode())
        return [str(place)]
    place.mkdir(parents=True, exist_ok=True)
    found = []
    for one in candidates:
        file = place / f"{one.identifier}.cif"
        write_whole(file, str(one.geometry.structure().to(fmt="cif")).encode())
        found.append(str(file))
    return found


def _extxyz(candidates: Sequence[Candidate]) -> str:
    from ase.io import write

    frames = []
    for one in candidates:
        atoms = one.geometry.atoms()
        atoms.info["name"] = one.identifier
        frames.append(atoms)
    file = io.StringIO()
    if frames:
        write(file, frames, format="extxyz")
    return file.getvalue()
