"""Small tables to learn from, with known laws."""

from __future__ import annotations

from typing import Any

import numpy as np


def document(rows: int = 60, columns: int = 4, *, noise: float = 0.1, seed: int = 0) -> dict[str, Any]:
    """Three folds of a property that is two columns, one of them bent; in eV."""
    generator = np.random.default_rng(seed)
    values_NF = generator.normal(size=(rows, columns))
    target_N = 2 * values_NF[:, 0] + np.sin(2 * values_NF[:, 1]) + noise * generator.normal(size=rows)
    return {
        "values": values_NF,
        "labels": [f"column {number}" for number in range(columns)],
        "target": target_N,
        "folds": np.arange(rows) % 3,
        "unit": "eV",
        "blocks": {"first": [0, 2], "rest": [2, columns]},
    }
