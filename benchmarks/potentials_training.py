"""Training beside SevenNet's own trainer: ``python -m benchmarks.potentials --only training``.

The same architecture from the same modules, the same 32 structures of mlearn's silicon in batches of 4,
losses of energies and forces, Adam, single precision, one thread, in this process: theirs is an epoch of
``sevenn.train.trainer.Trainer`` over the data loader of its script, ours are the steps of our trainer, with
the graphs read from shards. CPU seconds are counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, data, frames
from benchmarks.potentials_data import collection
from benchmarks.report import Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.potentials.architecture import PotentialArchitecture

BATCH = 4
# the example of SevenNet's package, and its published SevenNet-0
NETWORKS: Final = {
    "32x0e+32x1e+32x2e, 3 layers": {"channels": (32, 32, 32), "layers": 3},
    "128x0e+64x1e+32x2e, 5 layers": {"channels": (128, 64, 32), "layers": 5, "self_connection": "linear"},
}


def rows(quick: bool) -> Iterator[Row]:
    """Structures a CPU second of both, for a small network and one of the size of SevenNet-0."""
    place = data("04_mlearn", "Si_train.extxyz.gz")
    if place is None:
        yield absent("training", "structures/CPU s", quick=quick)
        return
    from zonemelt.tasks.potentials.architecture import PotentialArchitecture

    some = frames(place)[: 4 * BATCH if quick else 32 : 2 if quick else 1]
    for name, chosen in list(NETWORKS.items())[: 1 if quick else None]:
        say(f"training: {name}")
        architecture = PotentialArchitecture(cutoff=5.0, elements=("Si",), neighbours=5.0, **chosen)
        began = time.process_time()
        times = 1 if quick else 3
        ours, theirs = our_epochs(some, architecture, times), their_epochs(some, architecture, times)
        rates, peers = ([len(some) / each for each in seconds] for seconds in (ours, theirs))
        yield Row(
            name=f"training, {name}", unit="structures/CPU s", ours=median(rates), peer=median(peers),
            peer_name="sevenn's Trainer", target="ratio > 1", spread=spread(rates),
            seconds=time.process_time() - began, quick=quick,
            note=f"{len(some)} structures, {sum(map(len, some))} atoms, batches of {BATCH}",
        )  # fmt: skip


def our_epochs(some: Sequence[Any], architecture: PotentialArchitecture, times: int) -> list[float]:
    """CPU seconds of each of some epochs, after one that does not count."""
    import torch

    from zonemelt.tasks.potentials.fitting.objective import PotentialObjective, Terms
    from zonemelt.tasks.train.graph_samples import GraphSamples
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.state import begin
    from zonemelt.tasks.train.step import Stepper

    settings = TrainSettings(
        seed=0, epochs=times + 1, batch_size=BATCH, optimizer="adam", schedule="constant"
    )
    with tempfile.TemporaryDirectory() as folder, joined(device="cpu") as ranks:
        labelled = collection(some, architecture.edges, Path(folder))
        samples = GraphSamples(
            labelled.source, architecture,
            rows_N=np.arange(len(some)), labels_NP=np.zeros((len(some), 1)), costs_N=labelled.costs_N,
            names_N=labelled.names_N, batch_size=BATCH, planned_ranks=1, seed=0,
        )  # fmt: skip
        torch.manual_seed(0)
        state = begin(architecture.make(), settings, steps=samples.steps, ranks=ranks)
        objective = PotentialObjective(
            terms=Terms(weights={"energy": 1.0, "forces": 1.0}), scale=1.0, epochs=times + 1
        )
        stepper = Stepper(state, objective, samples, settings, ranks=ranks)
        seconds = []
        for _ in range(times + 1):
            started = time.process_time()
            for _ in range(samples.steps):
                stepper.step(stop=False, save=False)
            state.epoch, state.step = state.epoch + 1, 0
            seconds.append(time.process_time() - started)
    return seconds[1:]


def their_epochs(some: Sequence[Any], architecture: PotentialArchitecture, times: int) -> list[float]:
    """The same with the package's own model, loader and trainer."""
    import sevenn._keys as keys
    from sevenn._const import DEFAULT_TRAINING_CONFIG
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.train.dataload import atoms_to_graph
    from sevenn.train.trainer import Trainer
    from torch_geometric.loader import DataLoader

    from zonemelt.tasks.potentials.equivariant import config_of

    config = {
        **DEFAULT_TRAINING_CONFIG, **config_of(architecture), keys.IS_TRAIN_STRESS: False,
        keys.DEVICE: "cpu", keys.IS_DDP: False,
        keys.SCHEDULER_PARAM: {"gamma": 0.99},
    }  # fmt: skip
    trainer = Trainer.from_config(build_E3_equivariant_model(config), config)
    graphs = [
        AtomGraphData.from_numpy_dict(atoms_to_graph(one, architecture.cutoff, y_from_calc=True))
        for one in some
    ]
    loader = DataLoader(graphs, batch_size=BATCH, shuffle=True)
    seconds = []
    for _ in range(times + 1):
        started = time.process_time()
        trainer.run_one_epoch(loader, is_train=True)
        seconds.append(time.process_time() - started)
    return seconds[1:]
