"""Training by several ranks: weak scaling, gradients beside one process, and ranks that are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.report import ROOT, Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAPHS = 128  # of each rank, for weak scaling


def launch(folder: Path, count: int, **asked: Any) -> list[dict[str, Any] | None]:
    """Run this module as so many ranks, as torchrun would; what each said, None of one that died."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.learn_speed_ranks", str(folder), json.dumps(asked)]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip
    found: list[dict[str, Any] | None] = []
    try:
        for process in started:
            said, complained = process.communicate(timeout=600)
            if process.returncode and "kill_at" not in asked:
                raise RuntimeError(complained)
            found.append(None if process.returncode else json.loads(said.splitlines()[-1]))
    finally:
        for process in started:
            process.kill()  # of a rank that has ended, nothing
    return found


def rank_main(folder: Path, asked: dict[str, Any]) -> None:
    """What one rank does: a training, with times; at ``kill_at`` it is killed, as by ``kill -9``."""
    import torch
    from benchmarks.learn_speed_data import labelled, shards_of, structures

    from zonemelt.tasks.models.registry import architectures
    from zonemelt.tasks.train.graph_samples import GraphSamples
    from zonemelt.tasks.train.properties import train_properties
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    torch.set_num_threads(1)
    network = architectures.validate_python(asked["network"])
    found = structures(asked["graphs"])
    if (kill_at := asked.get("kill_at")) and int(os.environ["RANK"]) == kill_at[2]:
        parts = GraphSamples.parts

        def dying(self: GraphSamples, epoch: int, step: int, **more: Any) -> Any:
            if [epoch, step] == kill_at[:2]:
                os.kill(os.getpid(), signal.SIGKILL)
            return parts(self, epoch, step, **more)

        GraphSamples.parts = dying  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as place, joined(device="cpu") as ranks:
        given = labelled(found, shards_of(found, network, Path(place)))
        began = time.process_time()
        outcome, _ = train_properties(
            given, {"train": np.arange(len(found.atoms_G))}, network, TrainSettings(**asked["settings"]),
            ranks=ranks, directory=folder,
        )  # fmt: skip
        processor = time.process_time() - began
    print(json.dumps({"wall": outcome.seconds, "processor": processor, "samples": outcome.samples}))


def scaling_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """One rank, and two with twice the work: by the clock, and by the processor time of a rank."""
    epochs, repeats = (2, 1) if quick else (8, 3)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    processor: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(repeats):
        for count in (1, 2):
            settings = {"seed": 0, "epochs": epochs, "batch_size": 32 * count, "planned_ranks": count}
            asked = {"network": {"architecture": "cgcnn"}, "settings": settings, "graphs": GRAPHS * count}
            said = [one for one in launch(folder / f"weak-{turn}-{count}", count, **asked) if one]
            seconds[count].append(max(one["wall"] for one in said))
            processor[count].append(max(one["processor"] for one in said))
    load = f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"
    for found, kind, note in (
        (seconds, "clock", f"{load}: what else runs there slows two ranks down more than one"),
        (processor, "processor time", "of the rank that needs most; without what it waits for the other"),
    ):
        efficiency = [one / two for one, two in zip(found[1], found[2], strict=True)]
        yield Row(
            name=f"CGCNN, weak scaling from 1 to 2 ranks by {kind}", unit="1", ours=median(efficiency),
            spread=spread(efficiency), seconds=sum(map(sum, found.values())), quick=quick,
            note=f"time with steps of 32 graphs on one rank / of 64 on two, gloo; {note}",
        )  # fmt: skip


def gradient_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Gradients of several ranks."""
    for count in (2,) if quick else (2, 4):
        yield gradient_row(folder, count, quick=quick)


def gradient_row(folder: Path, count: int, *, quick: bool) -> Row:
    """The gradient of several ranks beside that of one process, of a network without batch normalisation."""
    import torch
    from safetensors.torch import load_file

    settings = {
        "seed": 0, "epochs": 1, "batch_size": 64, "optimizer": "sgd", "learning_rate": 1.0,
        "weight_decay": 0.0, "schedule": "constant", "clip_norm": None, "precision": "fp64",
    }  # fmt: skip
    network = {"architecture": "cogn", "width": 32, "depth": 2, "nested": 3.0}
    asked = {"network": network, "settings": settings, "graphs": 64}
    places = {ranks: folder / f"gradient-{count}-{ranks}" for ranks in (1, count)}
    for ranks, place in places.items():
        launch(place, ranks, **asked)
    one, many = (load_file(place / "model.safetensors") for place in places.values())
    start = initial_weights(network, seed=0)
    own = torch.cat([(start[name] - one[name]).flatten() for name in start])
    off = torch.cat([(many[name] - one[name]).flatten() for name in start])
    return Row(
        name=f"gradient of {count} ranks beside one process, relative deviation", unit="1",
        ours=float(off.norm() / own.norm()), target="ours <= 1e-6", quick=quick,
        note="one step of nested CoGN on 64 structures, double precision; L2 norms over all weights",
    )  # fmt: skip


def initial_weights(network: dict[str, Any], *, seed: int) -> dict[str, Any]:
    """The weights that a training begins with."""
    import torch

    from zonemelt.tasks.models.registry import architectures

    torch.manual_seed(seed)
    return architectures.validate_python(network).make(outputs=1).double().state_dict()


def killed_rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """A training whose ranks are killed at random steps, beside one that is left alone."""
    from safetensors.torch import load_file

    from zonemelt.tasks.train.metrics_log import read_metrics

    kills, steps = (2, 4) if quick else (10, 4)
    settings = {"seed": 0, "epochs": kills + 2, "batch_size": 24, "planned_ranks": 2}
    network = {"architecture": "cgcnn", "width": 16, "layers": 2, "hidden": 16}
    asked = {"network": network, "settings": settings, "graphs": 24 * steps}
    draw = np.random.default_rng(0)
    places = sorted({(int(draw.integers(1, kills + 2)), int(draw.integers(steps))) for _ in range(99)})
    chosen = sorted(draw.choice(len(places), kills, replace=False).tolist())
    began = time.perf_counter()
    launch(folder / "alone", 2, **asked)
    for number in chosen:
        kill_at = [*places[number], int(draw.integers(2))]
        say(f"rank {kill_at[2]} is killed in step {kill_at[1]} of epoch {kill_at[0]}")
        ended = launch(folder / "killed", 2, **asked, kill_at=kill_at)
        if any(ended):
            raise RuntimeError(f"not every rank stopped when one was killed: {ended}")
    launch(folder / "killed", 2, **asked)
    alone, killed = (
        [{key: value for key, value in line.items() if key != "at"} for line in read_metrics(place)]
        for place in (folder / "alone", folder / "killed")
    )
    weights = [load_file(folder / name / "model.safetensors") for name in ("alone", "killed")]
    differing = sum(a != b for a, b in zip(alone, killed, strict=True)) + sum(
        not value.equal(weights[1][name]) for name, value in weights[0].items()
    )
    yield Row(
        name=f"{kills} times kill -9 of one of 2 ranks: what differs afterwards", unit="1",
        ours=float(differing), target="ours == 0", seconds=time.perf_counter() - began, quick=quick,
        note=f"epochs of the loss curve ({len(alone)}) and tensors ({len(weights[0])}) that are not the same "
        "to the last bit as of a training that was left alone; CGCNN from shards, random ranks and steps",
    )  # fmt: skip


if __name__ == "__main__":
    rank_main(Path(sys.argv[1]), json.loads(sys.argv[2]))
