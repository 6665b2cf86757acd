"""Datasets of records: how fast they are written and read, how large they are, what 10⁶ structures cost.

``python -m benchmarks.featurize --only datasets``. The peer is ``ase.db`` on SQLite with the same
structures, energies and forces.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.report import Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATOMS = 10
BLOCK = 8192
TARGET = "ours >= 200000"


def bulk(first: int, rows: int) -> tuple[Any, dict[str, Any]]:
    """Perturbed copies of one labelled structure of ten atoms, straight as columns."""
    import pyarrow as pa

    from zonemelt.tasks.datasets.rows import batch_of
    from zonemelt.tasks.datasets.schema import content_schema
    from zonemelt.tasks.records import Convergence, Geometry, Ingested, Quality, Record
    from zonemelt.tasks.theory import Theory

    geometry = Geometry(
        cell=((6.0, 0, 0), (0, 6.0, 0), (0, 0, 6.0)),
        symbols=("Al", "Al", "Al", "Al", "O", "O", "O", "O", "O", "O"),
        positions=((0.0, 0.0, 0.0),) * ATOMS,
    )
    template = Record(
        identifier="",
        geometry=geometry,
        energy_free=0.0,
        energy_sigma0=0.0,
        forces=geometry.positions,
        stress=((0.0,) * 3,) * 3,
        theory=Theory(code="VASP", functional="PBE", cutoff=520.0, setups={"Al": "Al", "O": "O"}),
        convergence=Convergence(electronic=True, ionic=True, complete=True, iterations=12),
        provenance=Ingested(source="run/vasprun.xml", sha256="0" * 64, calculation="c", parser="pymatgen 1"),
        quality=Quality(accepted=True),
    )
    one, levels = batch_of([template])
    table = pa.Table.from_batches([one]).take(np.zeros(rows, np.int64)).combine_chunks()
    batch = table.to_batches()[0]
    draws = np.random.default_rng(first)

    def lists(values: Any) -> Any:
        return pa.ListArray.from_arrays(
            np.arange(0, values.size + 1, values.shape[1], np.int32), values.ravel()
        )

    changed = {
        "identifier": pa.array([f"bulk-{number:07}" for number in range(first, first + rows)]),
        "positions": lists(6 * draws.random((rows, 3 * ATOMS))),
        "forces": lists(draws.normal(size=(rows, 3 * ATOMS))),
        "stress": lists(0.01 * draws.normal(size=(rows, 9))),
        "energy_free": pa.array(draws.normal(size=rows)),
        "energy_sigma0": pa.array(draws.normal(size=rows)),
    }
    arrays = [changed.get(name, batch.column(name)) for name in content_schema().names]
    return pa.RecordBatch.from_arrays(arrays, schema=content_schema()), levels


def write_bulk(directory: Path, structures: int) -> None:
    """A dataset of one part, written without an object for each record."""
    from zonemelt.tasks.datasets import commit
    from zonemelt.tasks.datasets.parts import PartWriter

    with PartWriter(directory) as writer:
        for first in range(0, structures, BLOCK):
            writer.write(*bulk(first, min(BLOCK, structures - first)))
        commit(directory, [writer.finish()], message="bulk")


def processor_rate(work: Callable[[], Any], number: int) -> str:
    """What a note says of the rate: on a machine that others use too, the clock is not ours alone."""
    start = time.process_time()
    work()
    return f"{number / (time.process_time() - start):,.0f} per second of processor time"


def measured(work: Callable[[], Any], repeats: int) -> tuple[list[float], Any]:
    """Seconds of each repetition, and what the last one returned."""
    seconds, found = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return seconds, found


@contextmanager
def peak() -> Iterator[list[float]]:
    """How much the resident memory of the process grows meanwhile at most, MiB; looked at in a thread."""
    import threading

    import psutil

    process, found, done = psutil.Process(), [0.0], threading.Event()
    before = process.memory_info().rss

    def look() -> None:
        while not done.wait(0.01):
            found[0] = max(found[0], (process.memory_info().rss - before) / 2**20)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def drained(batches: Any) -> int:
    """Read all, keep nothing; how many structures there were."""
    return sum(len(batch) for batch in batches)


def rows(quick: bool) -> list[Row]:
    """All measurements."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_records(Path(folder), quick=quick), *_bulk(Path(folder), quick=quick)]


def _records(folder: Path, *, quick: bool) -> list[Row]:
    """Records as objects: written and read, beside ase.db."""
    from zonemelt.tasks.datasets import commit, open_dataset, write_part
    from zonemelt.tasks.datasets.rows import records_of

    number, peers = (2_000, 500) if quick else (100_000, 5_000)
    say(f"datasets: {number:,} records as objects")
    some = list(records_of(*bulk(0, number)))
    (written,), part = measured(lambda: write_part(folder / "records", some), 1)
    commit(folder / "records", [part], message="")
    dataset = open_dataset(folder / "records")
    read, _ = measured(lambda: sum(1 for _ in dataset.records()), 3)
    verified, _ = measured(dataset.verify, 1)
    size = sum(path.stat().st_size for path in (folder / "records" / "parts").iterdir())
    say(f"datasets: {peers:,} structures in ase.db")
    peer_write, peer_read, peer_size = _ase_db(folder / "peer.db", some[:peers])
    name = f"ase.db (SQLite), {peers:,} structures"
    return [
        Row(
            name="records written", unit="records/s", ours=number / written, peer=peers / peer_write,
            peer_name=name, seconds=written, quick=quick,
        ),
        Row(
            name="records read, as objects", unit="records/s", ours=number / median(read),
            peer=peers / peer_read, peer_name=name, spread=spread(read), seconds=sum(read), quick=quick,
            note=processor_rate(lambda: drained([r] for r in dataset.records()), number),
        ),
        Row(
            name="size of a record of 10 atoms", unit="bytes", ours=size / number, peer=peer_size / peers,
            peer_name=name, quick=quick,
            note="random digits cannot be compressed: positions, forces, stress and energies are 71 numbers",
        ),
        Row(
            name="records verified", unit="records/s", ours=number / verified[0], seconds=verified[0],
            quick=quick,
        ),
    ]  # fmt: skip


def _ase_db(path: Path, some: list[Any]) -> tuple[float, float, int]:
    """Seconds to write and to read the same in one transaction, and the size of the file."""
    from ase.db import connect

    from zonemelt.tasks.convert.atoms import atoms_of

    structures = [atoms_of(record) for record in some]

    def write() -> None:
        with connect(path) as database:
            for number, atoms in enumerate(structures):
                database.write(atoms, identifier=f"b{number}")

    (written,), _ = measured(write, 1)
    (read,), _ = measured(lambda: sum(len(row.toatoms()) for row in connect(path).select()), 1)
    return written, read, path.stat().st_size


def _bulk(folder: Path, *, quick: bool) -> list[Row]:
    """Flat arrays, from few and from many structures: the rates should be equal, and the memory."""
    sizes = (10_000, 50_000) if quick else (100_000, 1_000_000)
    return [row for number in sizes for row in _arrays(folder / str(number), number, quick=quick)]


def _arrays(directory: Path, number: int, *, quick: bool) -> list[Row]:
    from zonemelt.tasks.datasets import open_dataset

    say(f"datasets: {number:,} structures as flat arrays")
    with peak() as writing:
        written, _ = measured(lambda: write_bulk(directory, number), 1)
    dataset = open_dataset(directory)
    crystals, _ = measured(lambda: drained(dataset.crystals()), 3)
    labels, _ = measured(lambda: drained(dataset.labels()), 3)
    with peak() as reading:
        drained(dataset.crystals())
    places = np.random.default_rng(0).choice(number, 20).tolist()
    taken, _ = measured(lambda: [dataset.take([place]) for place in places], 1)
    title, rate = f"{number:,} structures", "structures/s"
    return [
        Row(
            name=f"{title}: written as columns", unit=rate, ours=number / written[0], seconds=written[0],
            quick=quick,
        ),
        Row(
            name=f"{title}: read as Crystals", unit=rate, ours=number / median(crystals), target=TARGET,
            spread=spread(crystals), seconds=sum(crystals), quick=quick,
            note=processor_rate(lambda: drained(dataset.crystals()), number),
        ),
        Row(
            name=f"{title}: read as labels", unit=rate, ours=number / median(labels),
            spread=spread(labels), seconds=sum(labels), quick=quick,
            note=processor_rate(lambda: drained(dataset.labels()), number),
        ),
        Row(name=f"{title}: memory to write", unit="MiB", ours=writing[0], quick=quick),
        Row(name=f"{title}: memory to read", unit="MiB", ours=reading[0], quick=quick),
        Row(
            name=f"{title}: one record at a random place", unit="ms", ours=1e3 * taken[0] / len(places),
            seconds=taken[0], quick=quick,
        ),
    ]  # fmt: skip
