"""How fast networks learn and predict: ``python -m benchmarks.learn_speed [PART …] [--quick] [--json]``.

Against PyG's own layers and loader and against CHGNet, in one process, on one thread, in turn, by processor
time; then several ranks (see :mod:`.learn_speed_ranks`). Structures are looked for in ``$ZONEMELT_DATA``,
else in ``../shared/data``; without them perovskites are made up.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.report import Row, as_json, as_table, machine, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

BATCH, CHGNET_BATCH = 64, 16
PARTS = ("cgcnn", "chgnet", "scaling", "gradients", "kills")


def in_turn(tasks: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, list[float]]:
    """Processor seconds of each task, which take turns; the first turn is not counted."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            began = time.process_time()
            task()
            if turn:
                found[name].append(time.process_time() - began)
    return found


def cgcnn_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """CGCNN by our trainer, against PyG's layers, list and loader; and how long it waits for data."""
    from benchmarks.learn_speed_data import card_of, samples, shards_of, structures, train_ours
    from benchmarks.learn_speed_peers import pyg

    from zonemelt.tasks.models.registry import CgcnnArchitecture
    from zonemelt.tasks.train.predict import said_of_rows
    from zonemelt.tasks.train.settings import TrainSettings

    count, epochs, repeats = (256, 2, 2) if quick else (1265, 3, 5)
    network, found = CgcnnArchitecture(), structures(count)
    shards = shards_of(found, network, folder / "cgcnn")
    taken = samples(found, shards, network, batch=BATCH)
    settings = TrainSettings(seed=0, epochs=epochs, batch_size=BATCH)
    waited: list[float] = []

    def train_once() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            waited.append(train_ours(taken, network, settings, Path(place)).waiting)

    epoch, peer_predicts = pyg(found, shards, network, batch=BATCH)
    model, card, everything = network.make(outputs=1), card_of(network, found), np.arange(count)
    about = f"{len(found.atoms_G)} of {found.name}, {shards.atoms_G.mean():.1f} atoms each, 12 edges an atom"
    timed = in_turn(
        {
            "train": train_once, "peer train": lambda: [epoch() for _ in range(epochs)],
            "predict": lambda: said_of_rows(model, card, shards, everything), "peer predict": peer_predicts,
        },
        repeats=repeats,
    )  # fmt: skip
    common: dict[str, Any] = {"quick": quick, "peer_name": "PyG CGConv, list of Data, DataLoader"}
    yield Row(
        name="CGCNN, training", unit="samples/s", **rates(timed, "train", len(taken) * epochs),
        target="ratio >= 1.5", **common,
        note=f"{about}; batches of {BATCH}, whole trainings of {epochs} epochs with shards, checkpoints and "
        "log against bare epochs of graphs in memory",
    )  # fmt: skip
    yield Row(
        name="CGCNN, prediction", unit="structures/s", **rates(timed, "predict", len(taken)),
        target="ratio >= 1.5", note="graphs are ready: ours in shards, PyG's in memory", **common,
    )  # fmt: skip
    yield Row(
        name="CGCNN, share of step time that waits for data", unit="1", ours=median(waited[1:]),
        spread=spread(waited[1:]), target="ours < 0.05", quick=quick,
        note="wall-clock time; read from shards",
    )  # fmt: skip


def chgnet_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """The nested CoGN against CHGNet with about as many parameters."""
    from benchmarks.learn_speed_data import card_of, samples, shards_of, structures, train_ours
    from benchmarks.learn_speed_peers import chgnet_steps

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.models.registry import CognArchitecture
    from zonemelt.tasks.train.predict import predict
    from zonemelt.tasks.train.settings import TrainSettings

    count, epochs, repeats = (48, 1, 1) if quick else (256, 1, 3)
    network, found = CognArchitecture(width=100, depth=4, nested=3.0), structures(count)
    taken = samples(found, shards_of(found, network, folder / "cogn"), network, batch=CHGNET_BATCH)
    settings = TrainSettings(seed=0, epochs=epochs, batch_size=CHGNET_BATCH)

    def train_once() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            train_ours(taken, network, settings, Path(place))

    epoch, peer_predicts, peer_parameters = chgnet_steps(found, batch=CHGNET_BATCH)
    model, crystals = network.make(outputs=1), Crystals.of_atoms(found.atoms_G)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    card = card_of(network, found)
    timed = in_turn(
        {
            "train": train_once, "peer train": epoch,
            "predict": lambda: predict(model, card, crystals), "peer predict": peer_predicts,
        },
        repeats=repeats,
    )  # fmt: skip
    common: dict[str, Any] = {"quick": quick, "target": "ratio >= 1.5"}
    yield Row(
        name="nested CoGN, training", unit="samples/s", **rates(timed, "train", count * epochs),
        peer_name="CHGNet 0.3.0, its loader, loss and step; energies only", **common,
        note=f"{count} of {found.name}; batches of {CHGNET_BATCH}; {parameters:,} against "
        f"{peer_parameters:,} parameters; ours 24 edges an atom within 8 Å and pairs within 3 Å, "
        "CHGNet's all within 6 Å and 3 Å",
    )  # fmt: skip
    yield Row(
        name="nested CoGN, prediction from structures", unit="structures/s",
        **rates(timed, "predict", count), peer_name="CHGNet 0.3.0, converter and model, energies only",
        note="neighbours are searched by both", **common,
    )  # fmt: skip


def rates(timed: Mapping[str, Sequence[float]], task: str, count: int) -> dict[str, Any]:
    """The middle of our rates and of the peer's."""
    ours, peer = ([count / seconds for seconds in timed[name]] for name in (task, f"peer {task}"))
    return {
        "ours": median(ours), "peer": median(peer), "spread": spread(ours),
        "seconds": sum(timed[task]) + sum(timed[f"peer {task}"]),
    }  # fmt: skip


def rows(parts: Sequence[str], quick: bool) -> Iterator[Row]:
    """The measurements of some parts."""
    from benchmarks import learn_speed_ranks as ranks

    known = {
        "cgcnn": cgcnn_rows, "chgnet": chgnet_rows, "scaling": ranks.scaling_rows,
        "gradients": ranks.gradient_rows, "kills": ranks.killed_rows,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        for part in parts:
            for row in known[part](Path(place), quick=quick):
                say(as_table([row]))
                yield row


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learn_speed", description=__doc__.split(":")[0]
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    if strange := set(given.parts) - set(PARTS):
        parser.error(f"no part {', '.join(strange)}")
    os.environ["OMP_NUM_THREADS"] = "1"  # of the ranks too
    import torch

    torch.set_num_threads(1)
    about = machine()
    from importlib.metadata import version

    about["versions"] |= {name: version(name) for name in ("torch", "torch-geometric", "chgnet")}
    found = list(rows(given.parts or PARTS, given.quick))
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
