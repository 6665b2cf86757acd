"""Records of equal content in several parts: each is kept once."""

# N rows of all parts

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.datasets.parts import open_part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.datasets.parts import Part

Ranges = tuple[tuple[int, int], ...]


def count(
    directory: Path, parts: Sequence[Part]
) -> tuple[dict[tuple[str, bool], Ranges], dict[str, int], int]:
    """Find the rows that repeat an earlier one.

    Only their digests and verdicts are read: 16 bytes a record.

    Args:
        directory: of the dataset.
        parts: in the order of the rows of a version.

    Returns:
        The rows to leave out of each part and of its quarantine; how many records of each verdict remain;
        how many were left out.
    """
    left_out: dict[tuple[str, bool], Ranges] = {}
    counts: Counter[str] = Counter()
    repeated = 0
    for quarantine in (False, True):
        sizes = [part.quarantined if quarantine else part.records for part in parts]
        present = [part for part, size in zip(parts, sizes, strict=True) if size]
        tables = [_read(directory, part.hash, quarantine=quarantine) for part in present]
        again = _again([digests for digests, _ in tables])
        repeated += int(again.sum())
        left_out |= {(part.hash, quarantine): () for part in parts}
        first = 0
        for part, (digests, verdicts) in zip(present, tables, strict=True):
            mask = again[first : first + len(digests)]
            left_out[part.hash, quarantine] = as_ranges(mask)
            for pair in verdicts.filter(~mask).value_counts().to_pylist():
                counts[pair["values"]] += pair["counts"]
            first += len(digests)
    return left_out, dict(sorted(counts.items())), repeated


def _read(directory: Path, name: str, *, quarantine: bool) -> tuple[NDArray[np.uint64], Any]:
    """Digests (N, 2) as two numbers each, and verdicts."""
    import pyarrow as pa

    table = open_part(directory, name, quarantine=quarantine).read(columns=["digest", "verdict"])
    whole = pa.concat_arrays(table["digest"].chunks)
    raw = np.frombuffer(whole.buffers()[1], np.uint64)[: 2 * len(whole)]
    return raw.reshape(-1, 2), table["verdict"].combine_chunks()


def _again(tables: Sequence[NDArray[np.uint64]]) -> NDArray[np.bool_]:
    """Which rows (N,) have an equal one before them."""
    if not tables:
        return np.zeros(0, bool)
    digests_N2 = np.concatenate(tables)
    order = np.lexsort((digests_N2[:, 1], digests_N2[:, 0]))  # stable: the first of equal ones stays first
    ordered = digests_N2[order]
    again = np.zeros(len(order), bool)
    again[order[1:]] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return again


def as_ranges(mask: NDArray[np.bool_]) -> Ranges:
    """Where a mask is true, as ranges [first, end)."""
    steps = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return tuple((int(a), int(b)) for a, b in steps.reshape(-1, 2))


def kept(size: int, ranges: Ranges) -> NDArray[np.int64]:
    """The rows that stay of ``size`` when those in the ranges are left out."""
    mask = np.ones(size, bool)
    for first, end in ranges:
        mask[first:end] = False
    return np.flatnonzero(mask)
