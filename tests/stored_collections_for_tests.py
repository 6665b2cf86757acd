"""Small collections on disk, as jobs read them, and trainings of them in moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.build import bulk
from labels_for_tests import record_of

from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.records import Property, Quality
from zonemelt.tasks.shards.jobs import shard_of
from zonemelt.tasks.shards.shard_set import write_index

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = {"architecture": "cogn", "width": 8, "depth": 1, "gaussians": 8, "cutoff": 5.0, "k": 12}
SETTINGS = {"seed": 1, "epochs": 3, "batch_size": 8, "learning_rate": 5e-3, "precision": "fp64"}
SPLIT = {"train": list(range(16)), "validation": list(range(16, 24))}


def stored_metals(directory: Path) -> dict[str, Any]:
    """24 metals with their volumes, Å³, as a collection on disk."""
    records = []
    for number, a in enumerate(np.linspace(3.6, 4.4, 24)):
        atoms = bulk(("Al", "Cu", "Ag")[number % 3], "fcc", a=a, cubic=number % 2 == 0)
        volume = Property(value=float(atoms.get_volume() / len(atoms)), unit="Å³/atom")
        records.append(
            record_of(atoms, f"m{number}", properties={"volume": volume}, quality=Quality(accepted=True))
        )
    dataset, shards = directory / "dataset", directory / "shards"
    commit(dataset, [write_part(dataset, records)], message="made for a test")
    version = open_dataset(dataset).version
    source = {"dataset": str(dataset), "version": version, "start": 0, "stop": len(records)}
    write_index(shards, [shard_of(source, edges=Edges(cutoff=5.0, k=12), directory=shards)])
    return {
        "shards": str(shards), "dataset": str(dataset), "version": version, "properties": ["volume"],
    }  # fmt: skip


def maker(directory: Path, *, settings: dict[str, Any] | None = None, **more: Any) -> TrainMaker:
    """A small training there."""
    values = {"architecture": NETWORK, "directory": str(directory), "device": "cpu", **more}
    return TrainMaker(settings=SETTINGS | (settings or {}), **values)
