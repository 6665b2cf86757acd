"""Rows about ingestion: files a second, beside plain pymatgen on the same files, and with several workers."""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import ROOT, Row, median, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

sys.path.insert(0, str(ROOT / "tests"))  # the files are written as the tests write them
REPEATS = 3


def rows(quick: bool) -> list[Row]:
    """Measure ingestion.

    Args:
        quick: few files, and once.
    """
    count, steps = (40, 5) if quick else (300, 10)
    repeats = 1 if quick else REPEATS
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), count, steps)
        _ours(files[:2], Path(folder) / "warm")
        _plain(files[:2])
        ours = _rates(lambda n: _ours(files, Path(folder) / f"one-{n}"), count, repeats)
        plain = _rates(lambda _: _plain(files), count, repeats)
        two = _rates(lambda n: _side_by_side(files, Path(folder) / f"two-{n}", workers=2), count, repeats)
    about = f"{count} vasprun.xml of {steps} steps and 16 atoms; ours hashes, judges and writes them, too"
    return [
        Row(
            name="ingestion, one worker", unit="files/s", ours=median(ours), peer=median(plain),
            peer_name="pymatgen Vasprun alone", spread=spread(ours), quick=quick, note=about,
        ),
        Row(
            name="ingestion, two workers", unit="files/s", ours=median(two), peer=median(ours),
            peer_name="one worker", spread=spread(two), quick=quick,
            note="processes on one machine; the ratio is 2 where both cores are free",
        ),
    ]  # fmt: skip


def write(folder: Path, count: int, steps: int) -> list[Path]:
    """Files that differ: each has an energy of its own."""
    import numpy as np
    import outputs_for_tests as outputs

    grid = np.stack(np.meshgrid(range(4), range(2), range(2)), axis=-1).reshape(-1, 3) * 2.9
    made = []
    for number in range(count):
        frames = outputs.frames(
            steps,
            symbols=("Al",) * 16,
            cell=np.diag([11.6, 5.8, 5.8]).tolist(),
            positions=grid.tolist(),
            forces=np.zeros((16, 3)).tolist(),
            energy_free=-50.0 - number,
        )
        path = folder / f"{number}" / "vasprun.xml"
        path.parent.mkdir()
        path.write_text(outputs.vasprun(frames))
        made.append(path)
    return made


def _ours(files: Sequence[Path], dataset: Path) -> int:
    from zonemelt.tasks.ingest.jobs import ingest_batch

    batch: list[list[dict[str, Any]]] = [[{"path": str(path), "source": str(path)}] for path in files]
    return int(ingest_batch(batch, dataset, run="benchmark", number=0)["part"]["records"])


def _side_by_side(files: Sequence[Path], dataset: Path, *, workers: int) -> None:
    parts = [files[start::workers] for start in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        folders = [dataset / str(number) for number in range(workers)]
        list(pool.map(_ours, parts, folders))


def _plain(files: Sequence[Path]) -> None:
    from pymatgen.io.vasp.outputs import Vasprun

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            assert run.final_energy < 0


def _rates(measure: Callable[[int], Any], count: int, repeats: int) -> list[float]:
    found = []
    for number in range(repeats):
        start = time.perf_counter()
        measure(number)
        found.append(count / (time.perf_counter() - start))
    return found
