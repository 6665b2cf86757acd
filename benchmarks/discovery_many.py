"""Twenty thousand candidates through a whole screening, read from a file and judged in lots.

The candidates, the references and the potential are those of :mod:`benchmarks.discovery_screen`. One process
does everything, so that its largest memory is that of the whole.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.discovery_screen import RELAX, crystals, peak_memory, potential, references
from benchmarks.report import ROOT, Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator

CANDIDATES: Final = 20_000
LOT: Final = 5_000


def screen(count: int, folder: str) -> dict[str, Any]:
    """Screen so many candidates in this process, and say what it cost and what came of it."""
    from ase.io import write

    from zonemelt.flows.judge import JudgeMaker
    from zonemelt.flows.screening import ScreeningMaker
    from zonemelt.tasks.records import Geometry
    from zonemelt.tasks.stores import open_store
    from zonemelt.workflows.engine.run import run_flow

    with tempfile.TemporaryDirectory() as place:
        file, campaign = Path(place, "candidates.extxyz"), Path(place, "c")
        with file.open("w", encoding="utf-8") as lines:
            for one in crystals(count):
                write(lines, Geometry.model_validate(one["geometry"]).atoms(), format="extxyz")
        judge = JudgeMaker(
            potential=folder, references={"crystals": references()}, relax=RELAX,
            directory=str(Path(place, "work")),
        )  # fmt: skip
        maker = ScreeningMaker(
            name="many", explore={"file": {"explorer": "sources", "paths": [str(file)]}}, judge=judge,
            lot=min(LOT, count // 2),
        )  # fmt: skip
        wall, began = time.perf_counter(), time.process_time()
        flow = maker.make()
        run_flow(flow, site="inline", directory=campaign, ensure_success=True)
        spent, wall = time.process_time() - began, time.perf_counter() - wall
        store = open_store(None, directory=campaign)
        store.connect()
        found = store.query_one({"uuid": flow.jobs[-1].uuid}, load=True)["output"]
    return {"seconds": spent, "wall": wall, "peak": peak_memory(), "counts": found["counts"]}


def rows(*, quick: bool) -> Iterator[Row]:
    """Rate, memory and shape."""
    count = CANDIDATES // (1000 if quick else 1)
    with tempfile.TemporaryDirectory() as place:
        folder = potential(Path(place))
        few = _apart(count // 10, folder)
        say(f"{count // 10:,} candidates took {few['seconds']:.0f} s; now {count:,}")
        all_ = _apart(count, folder)
    said = ", ".join(f"{number:,} {word}" for word, number in all_["counts"].items())
    yield Row(
        name=f"{count:,} candidates through a screening in lots", unit="1/s of processor time",
        ours=count / all_["seconds"], seconds=few["seconds"] + all_["seconds"], quick=quick,
        note=f"lots of {min(LOT, count // 2):,}; {all_['seconds'] / 60:.1f} minutes of one core; {said}",
    )  # fmt: skip
    yield Row(
        name="a screening in lots, time for ten times as many candidates", unit="times",
        target="" if quick else "ours <= 13", ours=all_["seconds"] / few["seconds"], quick=quick,
        note=f"{count // 10:,} and {count:,}",
    )  # fmt: skip
    yield Row(
        name="a screening in lots, largest memory for ten times as many candidates", unit="times",
        target="" if quick else "ours <= 3", ours=all_["peak"] / few["peak"], quick=quick,
        note=f"of the one process that does all: {few['peak']:,.0f} MB and {all_['peak']:,.0f} MB",
    )  # fmt: skip


def _apart(count: int, folder: str) -> dict[str, Any]:
    """In a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.discovery_many", str(count), folder]
    done = subprocess.run(asked, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(screen(int(sys.argv[1]), sys.argv[2])))
