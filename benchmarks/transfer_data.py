"""The published splits of a study of transfer, as collections of graphs: what ``learn_transfer`` reads.

S. Devi, K. T. Butler, G. Sai Gautam, npj Computational Materials 10, 300 (2024). All labels are scaled as
there, to [-1, 1] over the whole data set of each property.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import atoms_of, data, lines, table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.labelled import Labelled

FOLDER: Final = "01_transfer_mpt"
TARGETS: Final = ("gv", "ph", "dc", "ebg")
SIZES: Final = (100, 800)
TRIALS: Final = (1, 2, 3, 4, 5)
JARVIS: Final = "jarvis2d_bandgap"
FILES: Final = ("fe", "bg", *TARGETS, "pz", JARVIS)
SEED: Final = 7  # of the validation parts: the published order within a trial is not kept in the files


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One file.

    Attributes:
        name: of the property.
        crystals: N structures.
        formulas: of each.
        y_N: labels, scaled (N,).
        test_N: whether each is in the official test part (N,).
        parts: memberships ``T<trial>/<size>`` of each.
        order_N: place in the original file, where it is known, else -1.
    """

    name: str
    crystals: Crystals
    formulas: list[str]
    y_N: NDArray[np.float64]
    test_N: NDArray[np.bool_]
    parts: list[frozenset[str]]
    order_N: NDArray[np.int64]

    @property
    def test(self) -> NDArray[np.int64]:
        """Rows of the test part."""
        return np.flatnonzero(self.test_N)

    @property
    def pool(self) -> NDArray[np.int64]:
        """All other rows."""
        return np.flatnonzero(~self.test_N)

    def trial(self, trial: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on and to validate on: 90 % and 10 % of a trial, drawn by ``SEED``."""
        rows = np.array([row for row, own in enumerate(self.parts) if f"T{trial}/{size}" in own], np.int64)
        rows = np.random.default_rng([SEED, trial, size]).permutation(rows)
        return rows[: round(0.9 * len(rows))], rows[round(0.9 * len(rows)) :]

    def ordered(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on and to validate on: the last 10 % of the pool, in the original order."""
        rows = self.pool[np.argsort(self.order_N[self.pool], kind="stable")]
        return rows[: round(0.9 * len(rows))], rows[round(0.9 * len(rows)) :]


@cache
def collection(name: str) -> Collection:
    """Read one file."""
    from zonemelt.tasks.crystals import Crystals

    place = data(FOLDER, f"{name}.jsonl.gz")
    if place is None:
        raise FileNotFoundError(name)
    found = lines(place)
    return Collection(
        name=name,
        crystals=Crystals.of_atoms(map(atoms_of, found)),
        formulas=[one["formula"] for one in found],
        y_N=np.array([one["y_scaled"] for one in found]),
        test_N=np.array([one["set"] == "test" for one in found]),
        parts=[frozenset(one.get("in", ())) for one in found],
        order_N=np.array([one.get("order", -1) for one in found]),
    )


def labelled(name: str, directory: Path, *, edges: Any) -> Labelled:
    """A file as graphs with labels; the shards are written once."""
    from zonemelt.tasks.shards.files import write_shard
    from zonemelt.tasks.shards.shard_set import INDEX, ShardSet, write_index
    from zonemelt.tasks.train.labelled import Labelled

    found = collection(name)
    place = directory / "shards" / name
    if not (place / INDEX).exists():
        write_index(place, [write_shard(place, found.crystals, edges)])
    shards = ShardSet(place)
    crystals = found.crystals
    return Labelled(
        source=shards,
        names_N=[f"{name}-{row}" for row in range(len(crystals))],
        costs_N=shards.edges_G,
        elements_N=[frozenset(crystals.atoms(i).get_chemical_symbols()) for i in range(len(crystals))],
        values_NP=found.y_N[:, None],
        properties=((name, "scaled"),),
    )


def published() -> dict[tuple[str, int], dict[str, Any]]:
    """For each property and size of fine-tuning: ``scratch`` and ``best``, each with its numbers."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in table(FOLDER, "published", "pt_ft_reference.csv") or []:
        cell = found.setdefault((row["ft_property"].lower(), int(row["ft_size"])), {})
        one = {
            "mae": float(row["mae_mean"]), "std": float(row["mae_std"]), "r2": float(row["r2_mean"]),
            "name": f"{row['strategy']} {row['pt_property']} {row['pt_size']}",
        }  # fmt: skip
        if row["strategy"] == "SCRATCH":
            cell["scratch"] = one
        elif one["mae"] < cell.get("best", {"mae": np.inf})["mae"]:
            cell["best"] = one
    return found
