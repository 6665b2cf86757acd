"""How busy the machine is while a loop of active learning runs, beside the same loop with barriers.

The graph is that of the real loop, run by the engine with jobs that take no time; the simulated site then
says what becomes of it where labels take long, and some of them very long. On the local site the same loop
runs with jobs that sleep, and straggling labels join later rounds as they happen to.
"""

from __future__ import annotations

import json
import tempfile
import time
from array import array
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from benchmarks.active_learning_graphs import SleepyLoop
from benchmarks.report import Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS: Final = 5
WAYS: Final[dict[str, dict[str, Any]]] = {
    "without barrier": {"ahead": 2, "quorum": 0.75},
    "with barriers": {"ahead": 0, "quorum": 1.0},
}
# Seconds; labels are log-normal: one in 44 takes 7 times the median or more.
LABEL, FACTOR, TRAIN, EXPLORE = 600.0, 2.718, 900.0, 300.0
DFT_WORKERS, TRAIN_WORKERS = 16, 4
LOCAL_WORKERS = 4


def rows(quick: bool) -> Iterator[Row]:
    """The rows of this part."""
    yield from simulated_rows(quick=quick)
    yield from local_rows(quick=quick)


def simulated_rows(*, quick: bool) -> Iterator[Row]:
    """Sixteen workers for labels, four for trainings."""
    from zonemelt.workflows.simulate.past import read_past

    began = time.perf_counter()
    rounds, seeds = (10, 2) if quick else (60, SEEDS)
    found: dict[str, list[dict[str, float]]] = {}
    for way, how in WAYS.items():
        with tempfile.TemporaryDirectory() as place:
            run(SleepyLoop(batch=48, stop={"rounds": rounds}, **how), Path(place, "c"), site="inline")
            past = read_past(Path(place, "c"))
        found[way] = [simulated(past.graph, seed) for seed in range(seeds)]
        say(f"{way}: {found[way]}")
    common: dict[str, Any] = {"quick": quick, "seconds": time.perf_counter() - began}
    yield from _compared(
        found, rounds=rounds, unit="min", scale=60.0,
        what=f"simulated site, {rounds} rounds of 48 labels on {DFT_WORKERS} workers", **common,
    )  # fmt: skip


def simulated(graph: Any, seed: int) -> dict[str, float]:
    """Utilisation of the workers for labels, and the makespan, s."""
    from zonemelt.workflows.engine.resources import Resources
    from zonemelt.workflows.simulate import Machine, PoolModel, simulate

    chance = Random(seed)
    pools: list[str] = []
    seconds = array("d")
    for kind in graph.kind:
        name = graph.kinds[kind].rpartition(".")[2]
        pools.append("dft" if name == "label_slowly" else "train")
        spread = FACTOR ** chance.gauss(0.0, 1.0) if name == "label_slowly" else 1.0
        known = {"label_slowly": LABEL, "train_slowly": TRAIN, "explore_slowly": EXPLORE}
        seconds.append(spread * known.get(name, 1.0))
    requests = []
    for request, pool in zip(graph.request, pools, strict=True):
        asked = graph.requests[request]
        requests.append(asked._replace(resources=_in_pool(asked.resources, pool, Resources)))
    graph = replace(graph, requests=requests, request=array("i", range(len(requests))))
    machine = Machine(
        pools={
            "train": PoolModel(workers=TRAIN_WORKERS, min_blocks=1, init_blocks=1),
            "dft": PoolModel(workers=DFT_WORKERS, min_blocks=1, init_blocks=1),
        }
    )
    outcome = simulate(graph, machine, seconds, seed=seed)
    assert outcome.status == "finished", outcome.states
    return {"utilisation": outcome.pools["dft"].utilisation, "makespan": outcome.makespan}


def _in_pool(resources: Any, pool: str, kind: Any) -> Any:
    return kind(pool=pool, priority=resources.priority, quorum=resources.quorum)


def local_rows(*, quick: bool) -> Iterator[Row]:
    """Four workers that sleep, on this machine."""
    began = time.perf_counter()
    rounds = 2 if quick else 8
    found: dict[str, list[dict[str, float]]] = {}
    for way, how in WAYS.items():
        for seed in range(1 if quick else 2):
            with tempfile.TemporaryDirectory() as place:
                loop = SleepyLoop(
                    batch=12, initial=12, heldout=4, members=2, walkers=1, stop={"rounds": rounds}, seed=seed,
                    label_seconds=1.0 if quick else 3.0, factor=FACTOR, train_seconds=2.0,
                    explore_seconds=1.0, **how,
                )  # fmt: skip
                run(loop, Path(place, "c"), site="local")
                found.setdefault(way, []).append(measured(Path(place, "c")))
            say(f"{way}: {found[way]}")
    yield from _compared(
        found, rounds=rounds, unit="s", scale=1.0,
        what=f"local site, {rounds} rounds of 12 sleeping labels on {LOCAL_WORKERS} workers",
        quick=quick, seconds=time.perf_counter() - began,
    )  # fmt: skip


def _compared(
    found: dict[str, list[dict[str, float]]],
    *,
    rounds: int,
    unit: str,
    scale: float,
    what: str,
    **common: Any,
) -> Iterator[Row]:
    """Utilisation and time a round, beside the loop with barriers; smallest and largest in the note."""
    ours, peer = (found[way] for way in WAYS)
    for key, of, target, factor in (
        ("utilisation", "utilisation", "ours >= 0.95", 1.0),
        ("time of a round", "makespan", "", 1 / (rounds * scale)),
    ):
        values = [factor * one[of] for one in ours]
        others = [factor * one[of] for one in peer]
        yield Row(
            name=f"{key}, {what}", unit="" if key == "utilisation" else unit, ours=median(values),
            peer=median(others), peer_name="the same loop with barriers", target=target,
            spread=spread(values),
            note=f"{len(values)} seeds, {min(values):.3g} to {max(values):.3g}; "
            f"with barriers {min(others):.3g} to {max(others):.3g}",
            **common,
        )  # fmt: skip


def run(loop: SleepyLoop, directory: Path, *, site: str) -> None:
    """Run a loop by the engine."""
    from zonemelt.sites.site import Pool, Site
    from zonemelt.workflows.engine.run import run_flow

    here: Any = site
    if site == "local":
        here = Site(name="here", scheduler="local", pools={"cpu": Pool(workers=LOCAL_WORKERS)})
    run_flow(loop.make(), site=here, directory=directory, ensure_success=True)


def measured(directory: Path) -> dict[str, float]:
    """Share of the workers' time in which jobs ran, from the first label to the last; and that time, s."""
    from zonemelt.workflows.engine.inspect import open_ledger

    with open_ledger(directory) as connection:
        rows = connection.execute(
            "SELECT data FROM events JOIN jobs ON jobs.id = events.job WHERE events.kind = 'done'"
        ).fetchall()
    times = [(said["start"], said["end"]) for said in (json.loads(data) for (data,) in rows)]
    makespan = max(end for _, end in times) - min(start for start, _ in times)
    busy = sum(end - start for start, end in times)
    return {"utilisation": busy / (LOCAL_WORKERS * makespan), "makespan": makespan}
