"""Data that are not part of the project: where they lie, and what their lines hold."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import ROOT, Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ABSENT: Final = "the data are absent: set ZONEMELT_DATA"


def data(*parts: str) -> Path | None:
    """A file below ``$ZONEMELT_DATA``, else below ``../shared/data``; None where it is absent."""
    place = Path(os.environ.get("ZONEMELT_DATA") or ROOT.parent / "shared" / "data").joinpath(*parts)
    return place if place.exists() else None


def absent(name: str, unit: str, *, quick: bool) -> Row:
    """The row of a measurement whose data are not here."""
    return Row(name=name, unit=unit, quick=quick, note=ABSENT)


def table(*parts: str) -> list[dict[str, str]] | None:
    """The rows of a CSV, which may be gzipped; None where it is absent."""
    place = data(*parts)
    if place is None:
        return None
    text = place.read_bytes()
    if place.suffix == ".gz":
        text = gzip.decompress(text)
    return list(csv.DictReader(io.StringIO(text.decode())))


def lines(place: Path, count: int | None = None) -> list[dict[str, Any]]:
    """The documents of a gzipped file of JSON lines, or the first so many."""
    with gzip.open(place, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, count)]


def atoms_of(line: dict[str, Any]) -> Any:
    """The crystal of such a document as ``ase.Atoms``."""
    from ase import Atoms

    return Atoms(line["Z"], cell=line["lattice"], scaled_positions=line["frac"], pbc=True)


def frames(place: Path) -> list[Any]:
    """The structures of a gzipped extended XYZ, with their labels."""
    from ase.io import read

    with gzip.open(place, "rt", encoding="utf-8") as file:
        found: list[Any] = read(file, ":", format="extxyz")
    return found


def keep(place: Path, **arrays: NDArray[np.generic]) -> None:
    """Keep arrays for the next run, whole or not at all."""
    import numpy as np

    from zonemelt.tasks.whole_files import write_whole

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(place, buffer.getvalue())
