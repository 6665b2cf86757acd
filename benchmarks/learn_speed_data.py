"""What the benchmarks of learning speed train on: structures, their shards, and one training of ours."""

# G graphs, P properties

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import atoms_of, data, lines

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.models.registry import Architecture
    from zonemelt.tasks.shards.shard_set import ShardSet
    from zonemelt.tasks.train.graph_samples import GraphSamples
    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.loop import Outcome
    from zonemelt.tasks.train.model_folder import ModelCard
    from zonemelt.tasks.train.settings import TrainSettings

PHONONS = "matbench_phonons"
MADE_UP = "perovskites made up for this"


@dataclass(frozen=True, kw_only=True)
class Structures:
    """What is trained on.

    Attributes:
        name: where it is from.
        atoms_G: as ``ase.Atoms``.
        values_G: a property of each.
        unit: of it.
    """

    name: str
    atoms_G: list[Any]
    values_G: np.ndarray[Any, np.dtype[np.float64]]
    unit: str

    @property
    def scaled_G(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The property with mean 0 and standard deviation 1."""
        scaled: np.ndarray[Any, np.dtype[np.float64]] = self.values_G - self.values_G.mean()
        return scaled / scaled.std()


def structures(count: int) -> Structures:
    """The first of Matbench's phonons; without the data, perovskites with random axes."""
    from ase import Atoms

    place = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if place is not None:
        rows = lines(place, count)
        atoms = [atoms_of(row) for row in rows]
        values = np.array([row["y"]["phonons"] for row in rows])
        return Structures(name=PHONONS, atoms_G=atoms, values_G=values, unit="cm^-1")
    draw = np.random.default_rng(0)
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    atoms = [
        Atoms(
            f"{draw.choice(['Ca', 'Sr', 'Ba', 'La'])}{draw.choice(['Ti', 'Zr', 'Mn', 'Fe'])}O3",
            cell=draw.uniform(3.7, 4.3, 3), scaled_positions=sites, pbc=True,
        )
        for _ in range(count)
    ]  # fmt: skip
    volumes = np.array([one.get_volume() for one in atoms])
    return Structures(name=MADE_UP, atoms_G=atoms, values_G=volumes, unit="Å³")


def shards_of(found: Structures, architecture: Architecture, folder: Path) -> ShardSet:
    """Their graphs, written as a set of shards."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.shards.files import write_shard
    from zonemelt.tasks.shards.shard_set import ShardSet, write_index

    crystals = Crystals.of_atoms(found.atoms_G)
    write_index(folder, [write_shard(folder, crystals, architecture.edges)])
    return ShardSet(folder)


def labelled(found: Structures, shards: ShardSet) -> Labelled:
    """Graphs and labels as the trainer takes them."""
    from zonemelt.tasks.train.labelled import Labelled

    return Labelled(
        source=shards,
        names_N=[f"{number}" for number in range(len(shards))],
        costs_N=shards.edges_G,
        elements_N=[frozenset(atoms.symbols) for atoms in found.atoms_G],
        values_NP=found.values_G[:, None],
        properties=(("property", found.unit),),
    )


def samples(found: Structures, shards: ShardSet, architecture: Architecture, *, batch: int) -> GraphSamples:
    """All of them as training samples."""
    from zonemelt.tasks.train.graph_samples import GraphSamples

    return GraphSamples(
        shards, architecture, rows_N=np.arange(len(shards)), labels_NP=found.scaled_G[:, None],
        costs_N=shards.edges_G, names_N=[str(number) for number in range(len(shards))], batch_size=batch,
        planned_ranks=1, seed=0,
    )  # fmt: skip


def card_of(architecture: Any, found: Structures) -> ModelCard:
    """What a model with random weights would say of itself."""
    from zonemelt.tasks.train.model_folder import ModelCard, Target

    elements = {symbol for atoms in found.atoms_G for symbol in atoms.symbols}
    target = Target(name="property", unit=found.unit, shift=0.0, scale=1.0)
    return ModelCard(network=architecture, targets=(target,), elements=tuple(sorted(elements)))


def train_ours(
    taken: GraphSamples, architecture: Architecture, settings: TrainSettings, folder: Path
) -> Outcome:
    """One whole training by the trainer: data, steps, checkpoints, log."""
    import torch

    from zonemelt.tasks.train.loop import train
    from zonemelt.tasks.train.objective import MaskedProperties
    from zonemelt.tasks.train.ranks import joined

    torch.manual_seed(settings.seed)
    objective = MaskedProperties(names=("property",), weights={"property": 1.0})
    with joined(device="cpu") as ranks:
        return train(
            architecture.make(outputs=1), objective, taken, None, settings,
            ranks=ranks, directory=folder, card={}, metric="loss",
        )  # fmt: skip
