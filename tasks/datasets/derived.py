"""What follows from the content of records and is stored next to it: what people filter and look at."""

# A atoms of all structures, G structures

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_derived(batch: Any, found: list[bytes], first_row: int) -> Any:
    """Add the derived columns to a ``pyarrow.RecordBatch`` of the content.

    Args:
        batch: the columns of the content.
        found: the digests of its rows.
        first_row: the number of its first row in the part.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from zonemelt.tasks.datasets.schema import DERIVED, arrow_schema

    numbers = batch.column("numbers")
    first_G = numbers.offsets.to_numpy().astype(np.int64)
    raw = numbers.values.to_numpy(zero_copy_only=False).tobytes()
    named = [_names(raw[start:end]) for start, end in pairwise(first_G)]
    sizes_G = np.diff(first_G)
    energies = batch.column("energy_sigma0")
    columns = {
        "formula": [formula for formula, _ in named],
        "elements": [elements for _, elements in named],
        "natoms": sizes_G,
        "volume": _volumes(batch),
        "energy_per_atom": pc.divide(energies, pa.array(sizes_G, pa.float64())),
        "max_force": _max_forces(batch.column("forces")),
        "verdict": verdicts(batch.column("accepted")),
        "digest": found,
        "row": np.arange(first_row, first_row + len(batch)),
    }
    schema = arrow_schema()
    arrays = [pa.array(columns[name], schema.field(name).type) for name in DERIVED]
    return pa.RecordBatch.from_arrays([*batch.columns, *arrays], schema=schema)


def verdicts(accepted: Any) -> list[str]:
    """A verdict in words for each value of the column ``accepted``."""
    words = {True: "accepted", False: "quarantined", None: "unjudged"}
    return [words[value] for value in accepted.to_pylist()]


@lru_cache(maxsize=100_000)
def _names(numbers: bytes) -> tuple[str, str]:
    """Formula in Hill order, and the elements by name, of some atomic numbers."""
    from ase.data import chemical_symbols

    counts = Counter(chemical_symbols[number] for number in numbers)
    elements = sorted(counts)
    hill = sorted(elements, key=lambda e: (e != "C", e != "H", e)) if "C" in counts else elements
    return "".join(f"{e}{counts[e] if counts[e] > 1 else ''}" for e in hill), "-".join(elements)


def _volumes(batch: Any) -> Any:
    """Volumes (G,) of what is periodic in three directions, Å³; null for the rest."""
    import pyarrow as pa

    cells_G33 = batch.column("cell").values.to_numpy().reshape(-1, 3, 3)
    periodic_G = batch.column("periodic").values.to_numpy(zero_copy_only=False).reshape(-1, 3).all(axis=1)
    volumes_G = np.full(len(batch), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        volumes_G[periodic_G] = np.abs(np.linalg.det(cells_G33[periodic_G]))
    return pa.array(volumes_G, mask=~np.isfinite(volumes_G))


def _max_forces(forces: Any) -> Any:
    """The length of the largest force of each structure (G,), eV/Å; null where there are none."""
    import pyarrow as pa

    bounds = forces.offsets.to_numpy().astype(np.int64) // 3
    absent_G: NDArray[np.bool_] = np.diff(bounds) == 0
    if absent_G.all():
        return pa.nulls(len(forces), pa.float64())
    with np.errstate(over="ignore"):
        lengths_A = np.linalg.norm(forces.values.to_numpy().reshape(-1, 3), axis=1)
    largest_G = np.full(len(forces), np.nan)
    largest_G[~absent_G] = np.maximum.reduceat(lengths_A, bounds[:-1][~absent_G])
    return pa.array(largest_G, mask=~np.isfinite(largest_G))
