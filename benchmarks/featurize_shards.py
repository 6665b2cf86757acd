"""How fast shards are written and read, how even batches are, how memory and workers go.

Rates are per second of processor time of one thread, but those of several workers, which are by the clock.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import absent, atoms_of, data, lines
from benchmarks.featurize_graphs import rate
from benchmarks.report import Row, median, say, spread
from benchmarks.sessions import peak_mb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.crystals import Crystals

CHUNK = 10_000  # graphs in a shard


def rows(quick: bool, *, million: bool = False) -> list[Row]:
    """Rows of shards, batches, workers and memory."""
    found = [*_batches(quick=quick)]
    path = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if path is None:
        found.append(absent("shards", "graphs/s", quick=quick))
    else:
        found += [*_workers(path, quick=quick), *_shards(path, quick=quick, million=million)]
    for row in found:
        row.quick = quick
    return found


def _batches(*, quick: bool) -> Iterator[Row]:
    """Mean over largest number of atoms of a rank, 16 graphs a rank."""
    from zonemelt.tasks.shards.sampler import Plan

    names = ("elastic_partial", "mp_gap_partial", "mp_e_form_partial")
    paths = [data("02_matbench", "structures", f"matbench_{name}.jsonl.gz") for name in names]
    if None in paths:
        yield absent("batches of even size", "mean/max atoms", quick=quick)
        return
    began = time.perf_counter()
    sizes = np.array([len(line["Z"]) for path in paths if path is not None for line in lines(path)])
    about = (
        f"{len(sizes)} cells of the Materials Project: {np.median(sizes):.0f} atoms in the middle, "
        f"{sizes.max()} at most"
    )
    for ranks in (4, 16, 64, 256):
        plan = Plan(costs_G=sizes, batch=16 * ranks, ranks=ranks, seed=0)
        ours = [plan.epoch(number).efficiency() for number in range(1 if quick else 5)]
        random = []
        anyhow = Plan(costs_G=sizes, batch=16 * ranks, ranks=ranks, seed=0, gather_large=False)
        for graphs in anyhow.epoch(0).steps:
            loads = np.array([sizes[mine].sum() for mine in np.array_split(graphs, ranks)])
            random.append(loads.mean() / loads.max())
        yield Row(
            name=f"batches of even size, {ranks} ranks", unit="mean/max atoms", ours=median(ours),
            spread=spread(ours), peer=float(np.mean(random)), peer_name="random batches",
            target="ours >= 0.97", seconds=time.perf_counter() - began, note=about,
        )  # fmt: skip


@cache
def _crystals(path: Path) -> Crystals:
    from zonemelt.tasks.crystals import Crystals

    return Crystals.of_atoms(map(atoms_of, lines(path)))


def perturbed(path: Path, start: int, count: int) -> Crystals:
    """Copies of the cells in a file, each with its atoms displaced a little."""
    crystals = _crystals(path)
    chosen = crystals.take(np.arange(start, start + count) % len(crystals))
    chosen.positions_A3[:] += np.random.default_rng(start).normal(scale=0.02, size=chosen.positions_A3.shape)
    return chosen


def _write(path: Path, directory: Path, start: int, count: int) -> dict[str, Any]:
    """Write shards, a chunk at a time; says what it took of processor time and memory."""
    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.shards.files import write_shard

    write_shard(directory / "warm", perturbed(path, 0, 10), Edges())
    entries, seconds = [], 0.0
    for begin in range(start, start + count, CHUNK):
        crystals = perturbed(path, begin, min(CHUNK, start + count - begin))
        began = time.process_time()
        entries.append(write_shard(directory, crystals, Edges()))
        seconds += time.process_time() - began
    return {"entries": entries, "seconds": seconds, "peak_MB": peak_mb()}


def _read(directory: Path, count: int) -> dict[str, Any]:
    """Read every graph once in random batches."""
    from zonemelt.tasks.shards.shard_set import ShardSet

    shards = ShardSet(directory)
    shards.read(np.arange(10))
    order = np.random.default_rng(0).permutation(len(shards))[:count]
    began = time.process_time()
    for start in range(0, len(order), 256):
        shards.read(order[start : start + 256])
    return {"rate": len(order) / (time.process_time() - began)}


def _search(path: Path, start: int, count: int, barrier: Any) -> tuple[float, float]:
    """Find neighbours of so many cells once everybody is ready; seconds by the clock and of the processor."""
    from zonemelt.tasks.featurize.neighbours import nearest

    crystals = perturbed(path, start, count)
    nearest(crystals.take(slice(0, 10)), cutoff=8.0, k=12)
    barrier.wait()
    clock, processor = time.perf_counter(), time.process_time()
    nearest(crystals, cutoff=8.0, k=12)
    return time.perf_counter() - clock, time.process_time() - processor


def _workers(path: Path, *, quick: bool) -> Iterator[Row]:
    count, context = 20_000 if quick else 100_000, multiprocessing.get_context("spawn")
    began = time.perf_counter()
    clock: dict[int, list[float]] = {1: [], 2: []}
    processor: dict[int, list[float]] = {1: [], 2: []}
    with context.Manager() as manager:
        for workers in [1, 2] * (1 if quick else 3):
            barrier = manager.Barrier(workers)
            with context.Pool(workers) as pool:
                given = [(path, number * count, count, barrier) for number in range(workers)]
                found = pool.starmap(_search, given, chunksize=1)
            clock[workers].append(workers * count / max(one for one, _ in found))
            processor[workers].append(sum(count / one for _, one in found))
    common: dict[str, Any] = {
        "unit": "structures/s", "peer_name": "1 process", "target": "ratio >= 1.8",
        "seconds": time.perf_counter() - began,
    }  # fmt: skip
    yield Row(
        name="CGCNN graphs, 2 processes, by processor time", ours=median(processor[2]),
        peer=median(processor[1]), spread=spread(processor[2]), **common,
    )  # fmt: skip
    yield Row(
        name="CGCNN graphs, 2 processes, by the clock", ours=max(clock[2]), peer=max(clock[1]),
        spread=spread(clock[2]), note="the best: others use the same cores", **common,
    )  # fmt: skip


def _alone(function: Any, *given: Any) -> Any:
    """Call a function in a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def _shards(path: Path, *, quick: bool, million: bool) -> Iterator[Row]:
    from zonemelt.tasks.shards.shard_set import write_index

    count = 1_000_000 if million else 20_000 if quick else 100_000
    with tempfile.TemporaryDirectory(prefix="zonemelt-shards-") as scratch:
        directory = Path(scratch, "shards")
        began = time.perf_counter()
        few = _alone(_write, path, Path(scratch, "few"), 0, 2 * CHUNK)
        many = few if quick else _alone(_write, path, directory, 0, count)
        directory = Path(scratch, "few") if quick else directory
        write_index(directory, many["entries"])
        nbytes = sum(entry.nbytes for entry in many["entries"])
        common = {"seconds": time.perf_counter() - began}
        say(f"{count} graphs written: {common['seconds']:.1f} s")
        yield Row(
            name="structures to shards, searched and written", unit="structures/s",
            ours=count / many["seconds"], note=f"{nbytes / count:.0f} bytes a graph", **common,
        )  # fmt: skip
        if not quick:
            yield Row(
                name=f"memory at most while {count} structures become shards of {CHUNK}", unit="MB",
                ours=many["peak_MB"], peer=few["peak_MB"], peer_name=f"{2 * CHUNK} structures",
                target="ratio <= 1.1", **common,
            )  # fmt: skip
        began = time.perf_counter()
        reads = [_alone(_read, directory, count)["rate"] for _ in range(1 if quick else 3)]
        yield Row(
            name="graphs read from shards, random batches of 256", unit="graphs/s", ours=median(reads),
            spread=spread(reads), peer=_collate_rate(path), target="ours >= 50000",
            peer_name="PyTorch Geometric collates Data that are in memory",
            seconds=time.perf_counter() - began,
            note=f"{len(many['entries'])} shards, in the page cache; vectors and distances worked out",
        )  # fmt: skip


def _collate_rate(path: Path) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric.data import Batch

        from zonemelt.tasks.featurize.graphs import Edges, as_batch, graphs_of

        graphs = as_batch(graphs_of(perturbed(path, 0, 1024), Edges())).to_data_list()

    def collate() -> None:
        for start in range(0, len(graphs), 256):
            Batch.from_data_list(graphs[start : start + 256])

    collate()
    return rate(len(graphs), collate)
