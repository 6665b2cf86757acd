"""Small labelled collections in memory, with networks that learn them in moments."""

from __future__ import annotations

import numpy as np
from ase.build import bulk

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.featurize.graphs import graphs_of
from zonemelt.tasks.models.registry import CgcnnArchitecture, CognArchitecture
from zonemelt.tasks.train.labelled import Labelled
from zonemelt.tasks.train.properties import train_properties
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings

COGN = CognArchitecture(width=12, depth=1, gaussians=12, cutoff=6.0, k=12)
CGCNN = CgcnnArchitecture(width=12, layers=1, hidden=12, cutoff=6.0, k=12)


class Source:
    """Graphs made when they are asked for."""

    def __init__(self, crystals, edges=COGN.edges):
        self.crystals, self.edges = crystals, edges

    def read(self, indices):
        return graphs_of(self.crystals.take(np.asarray(indices)), self.edges)


def metals(names, lattices, *, structure="fcc"):
    return Crystals.of_atoms([bulk(name, structure, a=a) for name in names for a in lattices])


def volumes(crystals):
    return np.abs(np.linalg.det(crystals.cells_G33)) / crystals.sizes_G


def labelled(crystals, properties, *, prefix="c"):
    """Properties by name and unit, or by name, as arrays (N,)."""
    named = {key if isinstance(key, tuple) else (key, "1"): values for key, values in properties.items()}
    return Labelled(
        source=Source(crystals),
        names_N=[f"{prefix}{i}" for i in range(len(crystals))],
        costs_N=np.diff(graphs_of(crystals, COGN.edges).first_edge_G),
        elements_N=[frozenset(crystals.atoms(i).get_chemical_symbols()) for i in range(len(crystals))],
        values_NP=np.stack(list(named.values()), axis=1).astype(float),
        properties=tuple(named),
    )


def fit(found, directory, *, split=None, architecture=COGN, settings=None, **more):
    """Train on everything, or on the parts of a split."""
    chosen = TrainSettings(
        **{"seed": 1, "epochs": 2, "batch_size": 8, "learning_rate": 5e-3} | (settings or {})
    )
    with joined(device="cpu") as ranks:
        return train_properties(
            found, split or {"train": np.arange(len(found.names_N))}, architecture, chosen,
            ranks=ranks, directory=directory, **more,
        )  # fmt: skip
