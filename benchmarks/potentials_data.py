"""Published sets of energies and forces as collections that potentials are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.train.labelled import Labelled


def collection(some: Sequence[Any], edges: Edges, folder: Path) -> Labelled:
    """Structures with energies, forces and, where they have them, stresses, as shards in a folder."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.shards.files import write_shard
    from zonemelt.tasks.shards.shard_set import ShardSet, write_index
    from zonemelt.tasks.train.labelled import Labelled

    energies = np.array([one.get_potential_energy() for one in some])
    sizes = np.array([len(one) for one in some])
    nothing = np.full((3, 3), np.nan)
    stresses = [one.get_stress(voigt=False) if "stress" in one.calc.results else nothing for one in some]
    entry = write_shard(
        folder, Crystals.of_atoms(some), edges,
        labels_G={"energy_free": energies, "stress": np.array(stresses)},
        labels_A={"forces": np.concatenate([one.get_forces() for one in some])},
    )  # fmt: skip
    write_index(folder, [entry])
    shards = ShardSet(folder)
    return Labelled(
        source=shards,
        names_N=[str(number) for number in range(len(some))],
        costs_N=shards.edges_G,
        elements_N=[frozenset(one.get_chemical_symbols()) for one in some],
        values_NP=(energies / sizes)[:, None],
        properties=(("energy_free_per_atom", "eV/atom"),),
    )


def held_out(count: int, held: int, seed: int) -> tuple[Any, Any]:
    """A seeded split of so many rows: those to train on, and those held back to choose by."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
