"""What a version holds, in numbers: by verdict, element and level of theory, and the ranges of its values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from zonemelt.tasks.datasets.dataset import Dataset

RANGES: Final = {"natoms": "", "energy_per_atom": "eV", "max_force": "eV/Å", "volume": "Å³"}
"""Column → unit of what ranges are given of."""
BINS: Final = 20


def overview(dataset: Dataset) -> dict[str, Any]:
    """Count what a dataset holds, reading a few columns twice: for the ranges, and for the histogram.

    Returns:
        ``version``, ``message``, ``records``, ``parts``, ``repeated``, ``counts`` by verdict, ``elements``
        (element → records with it), ``theories`` (key → what it is, and records), ``sources`` (how many),
        ``reasons`` (of those in quarantine), ``ranges`` (column → unit, records, smallest, mean, largest),
        ``histogram`` of the energies per atom (edges in eV, and counts).
    """
    elements: Counter[str] = Counter()
    theories: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    sums = {name: [0.0, np.inf, 0.0, -np.inf] for name in RANGES}
    for batch in dataset.batches([*RANGES, "elements", "theory", "reasons"]):
        for counted, name in ((elements, "elements"), (theories, "theory")):
            for pair in batch.column(name).value_counts().to_pylist():
                for one in pair["values"].split("-") if name == "elements" else [pair["values"]]:
                    counted[one] += pair["counts"]
        if dataset.quarantined:
            reasons.update(batch.column("reasons").flatten().to_pylist())
        for name, (number, low, total, high) in sums.items():
            values = batch.column(name).drop_null().to_numpy()
            if len(values):
                sums[name] = [
                    number + len(values),
                    min(low, float(values.min())),
                    total + float(values.sum()),
                    max(high, float(values.max())),
                ]
    ranges = {
        name: {"unit": RANGES[name], "records": int(n), "smallest": low, "mean": total / n, "largest": high}
        for name, (n, low, total, high) in sums.items()
        if n
    }
    info = dataset.info
    return {
        "directory": str(dataset.directory),
        "version": info.hash,
        "message": info.message,
        "created": info.created.isoformat(),
        "quarantine": dataset.quarantined,
        "records": len(dataset),
        "parts": len(info.parts),
        "repeated": info.repeated,
        "counts": info.counts,
        "elements": dict(elements.most_common()),
        "theories": {
            key: {"described": info.theories[key].described, "records": n}
            for key, n in theories.most_common()
        },
        "reasons": dict(reasons.most_common()),
        "ranges": ranges,
        "histogram": _histogram(dataset, ranges.get("energy_per_atom")),
    }


def _histogram(dataset: Dataset, span: dict[str, Any] | None) -> dict[str, Any] | None:
    if span is None or span["smallest"] == span["largest"]:
        return None
    edges = np.linspace(span["smallest"], span["largest"], BINS + 1)
    counts = np.zeros(BINS, np.int64)
    for batch in dataset.batches(["energy_per_atom"]):
        counts += np.histogram(batch.column("energy_per_atom").drop_null().to_numpy(), edges)[0]
    return {"column": "energy_per_atom", "unit": "eV", "edges": edges.tolist(), "counts": counts.tolist()}
