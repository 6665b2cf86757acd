"""Small labelled structures and trainings of potentials in moments: Al and Cu as EMT has them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from ase.build import bulk
from ase.calculators.emt import EMT
from processes_for_tests import run_ranks

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.featurize.graphs import graphs_of
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.potentials.fitting.objective import Terms
from zonemelt.tasks.potentials.fitting.training import train_potential
from zonemelt.tasks.theory import Theory
from zonemelt.tasks.train.labelled import Labelled
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings

SMALL = PotentialArchitecture(cutoff=3.5, channels=(4, 3), layers=2, basis=4, hidden=(8,))
THEORY = Theory(code="emt", functional="EMT")
SPLIT = {"train": np.arange(12), "validation": np.arange(12, 16)}
SHIFT = {"Al": -3.0, "Cu": -4.0}  # eV an atom, added to what EMT says


def structures(count=16):
    """Crystals of Al and Cu and both, off their places, with energies, forces and stresses."""
    draw = np.random.default_rng(0)
    found = []
    for number in range(count):
        atoms = bulk("Cu", cubic=True, a=3.6 + 0.3 * draw.random())
        symbols = [("Cu",) * 4, ("Al",) * 4, ("Al", "Cu", "Cu", "Cu"), ("Al", "Al", "Cu", "Cu")][number % 4]
        atoms.set_chemical_symbols(symbols)
        atoms.rattle(0.1, seed=number)
        atoms.calc = EMT()
        found.append(atoms)
    return found


class Source:
    """Graphs with labels, made when they are asked for."""

    def __init__(self, atoms, edges=SMALL.edges):
        self.atoms, self.edges = atoms, edges
        shifts = [sum(SHIFT.get(symbol, 0.0) for symbol in one.symbols) for one in atoms]
        self.energies = np.array([one.get_potential_energy() for one in atoms]) + shifts
        self.forces = [one.get_forces() for one in atoms]
        self.stresses = np.array([one.get_stress(voigt=False) for one in atoms])

    def read(self, indices):
        rows = np.asarray(indices)
        return graphs_of(
            Crystals.of_atoms([self.atoms[row] for row in rows]),
            self.edges,
            labels_G={"energy_free": self.energies[rows], "stress": self.stresses[rows]},
            labels_A={"forces": np.concatenate([self.forces[row] for row in rows])},
        )


def labelled(atoms=None, *, edges=SMALL.edges):
    """A collection in memory."""
    atoms = structures() if atoms is None else atoms
    source = Source(atoms, edges)
    every = source.read(np.arange(len(atoms)))
    return Labelled(
        source=source,
        names_N=[f"s{number}" for number in range(len(atoms))],
        costs_N=np.diff(every.first_edge_G),
        elements_N=[frozenset(one.get_chemical_symbols()) for one in atoms],
        values_NP=(source.energies / every.crystals.sizes_G)[:, None],
        properties=(("energy_free_per_atom", "eV/atom"),),
    )


def fit(
    found, directory, *, split=SPLIT, architecture=SMALL, weights=None, settings=None, terms=None, **more
):
    """Train; returns how it ended and the card."""
    chosen = TrainSettings(
        **{
            "seed": 1, "epochs": 4, "batch_size": 4, "learning_rate": 0.01, "precision": "fp64",
            "weight_decay": 0.0,
        }
        | (settings or {})
    )  # fmt: skip
    given = weights or {"energy": 1.0, "forces": 1.0, "stress": 0.1}
    with joined(device="cpu") as ranks:
        return train_potential(
            found, split, architecture, chosen, terms or Terms(weights=given),
            theory=THEORY, ranks=ranks, directory=directory, **more,
        )  # fmt: skip


def in_ranks(directory, count):
    """Train in so many processes over gloo, two epochs; the potential is in the directory then."""
    done = run_ranks(count, __file__, directory)
    assert not any(one.returncode for one in done), [one.stderr for one in done]


if __name__ == "__main__":  # as a rank: python trained_potentials_for_tests.py DIRECTORY
    torch.set_num_threads(1)
    fit(labelled(), Path(sys.argv[1]), settings={"epochs": 2})
