"""A table of vacancies with a known law."""

from __future__ import annotations

import numpy as np

COLUMNS = ("Eb_sum", "Vr_max", "Eg", "Ehull")
VACANCIES = {"columns": COLUMNS, "target": "Ev", "unit": "eV", "group": "formula"}


def vacancies(count: int = 90) -> list[dict[str, str]]:
    """Rows as a CSV gives them, with the published kind of law and 0.2 eV of noise."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        bond, potential, gap = (float(v) for v in generator.uniform([8, -4, 0], [20, 2, 6]))
        energy = 0.1 * bond - 1.5 * potential + 0.5 * gap + 0.7 + 0.2 * generator.normal()
        values = [bond, potential, gap, 0.01 * generator.random(), energy]
        named = dict(zip((*COLUMNS, "Ev"), map(str, values), strict=True))
        rows.append({"formula": f"A{number // 3 + 1}O", **named})
    return rows
