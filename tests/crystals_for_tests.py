"""Crystals to describe, and the same ones described otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.records import Geometry


def distorted(seed: int = 0) -> Atoms:
    """A skewed cell of salt and metal without symmetry."""
    generator = np.random.default_rng(seed)
    cell = 4.5 * np.eye(3) + generator.uniform(-0.6, 0.6, (3, 3))
    atoms = Atoms("NaClAlNa", cell=cell, pbc=True)
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.05], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    atoms.set_scaled_positions(places + generator.uniform(-0.04, 0.04, (4, 3)))
    return atoms


def known() -> list[Atoms]:
    """Cubic, hexagonal, tetragonal, trigonal and triclinic ones; with 1, 2, and more atoms."""
    rutile, quartz = [4.6, 4.6, 2.95, 90, 90, 90], [4.91, 4.91, 5.4, 90, 90, 120]
    return [
        bulk("Al", "fcc", 4.05),
        bulk("NaCl", "rocksalt", 5.64),
        bulk("Mg", "hcp", 3.2, 5.2),
        crystal(["Ti", "O"], [(0, 0, 0), (0.3, 0.3, 0)], spacegroup=136, cellpar=rutile),
        crystal(["Si", "O"], [(0.47, 0, 1 / 3), (0.41, 0.27, 0.12)], spacegroup=152, cellpar=quartz),
        distorted(),
    ]


def same(atoms: Atoms) -> dict[str, Atoms]:
    """The same crystal rotated, shifted, with its atoms in another order, and in another cell."""
    turned, shifted, mixed = atoms.copy(), atoms.copy(), atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    shifted.positions += [0.3, -1.0, 2.0]
    shifted.wrap()
    mixed = mixed[np.random.default_rng(1).permutation(len(atoms))]
    return {"turned": turned, "shifted": shifted, "mixed": mixed, "repeated": atoms.repeat((1, 2, 2))}


def parent(atoms: Atoms, name: str = "parent") -> dict[str, Any]:
    """A crystal that explorers start from."""
    return named(name, atoms)


def named(name: str, atoms: Atoms) -> dict[str, Any]:
    """A crystal as explorers and judgements are given it."""
    return {"identifier": name, "geometry": Geometry.of(atoms).model_dump(mode="json")}


def crystals(*atoms: Atoms) -> Crystals:
    return Crystals.of_atoms(atoms)
