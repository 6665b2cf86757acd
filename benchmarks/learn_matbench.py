"""Structures, official folds and published numbers of Matbench tasks, for the benchmarks of learning."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from benchmarks.data_files import atoms_of, data, lines, table
from benchmarks.learn_shallow import published
from benchmarks.learn_speed_data import Structures

from zonemelt.tasks.metrics.leaderboard import CHOSEN, STACKED

ORDER: Final = (CHOSEN, STACKED)  # the models whose number may be quoted after trying several
__all__ = ["ORDER", "perovskite_folds", "perovskites", "phonon_folds", "phonons", "published"]


@cache
def _phonon_lines() -> list[dict[str, Any]] | None:
    place = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if place is None:
        return None
    return lines(place)


def phonons(count: int | None = None) -> Structures | None:
    """Highest peaks of the phonon density of states, cm⁻¹; None where the data are absent."""
    found = _phonon_lines()
    if found is None:
        return None
    return _structures("matbench_phonons", found[:count], [one["y"]["phonons"] for one in found], "cm^-1")


def phonon_folds(count: int) -> list[int]:
    """The official test fold of each of the first ``count``."""
    return [line["fold"]["phonons"] for line in (_phonon_lines() or [])[:count]]


@cache
def _perovskite_rows() -> tuple[list[dict[str, str]], dict[str, dict[str, Any]]] | None:
    index = table("02_matbench", "structures", "matbench_perovskites_index.csv.gz")
    place = data("03_generative", "perov_5.jsonl.gz")
    if index is None or place is None:
        return None
    return index, {str(cell["id"]): cell for cell in lines(place)}


def perovskites(count: int | None = None) -> Structures | None:
    """Formation energies of perovskites, eV a cell; None where the data are absent."""
    found = _perovskite_rows()
    if found is None:
        return None
    index, cells = found
    some = [cells[f"perov5-{row['perov5_id']}"] for row in index[:count]]
    return _structures("matbench_perovskites", some, [float(row["target"]) for row in index], "eV/cell")


def perovskite_folds(count: int) -> list[int]:
    """The official test fold of each of the first ``count``."""
    found = _perovskite_rows()
    return [] if found is None else [int(row["fold"]) for row in found[0][:count]]


def _structures(name: str, some: list[dict[str, Any]], values: list[float], unit: str) -> Structures:
    atoms = [atoms_of(one) for one in some]
    return Structures(name=name, atoms_G=atoms, values_G=np.array(values[: len(some)]), unit=unit)
