"""The simulated site against what happened: ``python -m benchmarks.simulate [--quick] [--json] [--million]``.

``replay`` runs a graph of sleeping jobs on this machine with two workers, reads from its ledger what each
job took, and lets the simulated site say how long the whole takes: once with those very durations, once with
durations drawn by kind, as ``zonemelt plan --durations DIRECTORY`` does. ``scale`` studies fans on pools of
many nodes; ``--million`` takes 10⁶ jobs on 10⁴ nodes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from array import array
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Row, as_json, as_table, machine, median, say
from benchmarks.sessions import measured, run_session, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORKERS = 2
SEEDS = 5


def real_run(directory: Path, *, jobs: int, longest: float, seed: int = 0) -> float:
    """Run the mixed graph on this machine; returns seconds, start and end of the workers included."""
    from benchmarks.simulate_graphs import mixed

    from zonemelt.sites.site import Pool, Site
    from zonemelt.workflows.engine.run import run_flow

    site = Site(name="here", scheduler="local", pools={"cpu": Pool(workers=WORKERS)})
    began = time.perf_counter()
    run_flow(mixed(jobs, shortest=0.2, longest=longest, seed=seed), site=site, directory=directory)
    return time.perf_counter() - began


def predictions(directory: Path) -> dict[str, Any]:
    """What the simulated site says about a campaign that ran, and what happened.

    Returns:
        ``measured``: s from the head's start to the end of the last job; ``own``: predicted from the
        duration of each job; ``kinds``: from durations drawn by kind, one for each seed.
    """
    from zonemelt.workflows.simulate import Machine, PoolModel, simulate
    from zonemelt.workflows.simulate.amounts import Amount
    from zonemelt.workflows.simulate.past import read_past, times_of

    past = read_past(directory)
    # When workers came up is measured, not predicted: that depends on what else the machine does.
    pool = PoolModel(workers=WORKERS, min_blocks=1, init_blocks=1, period=1, start=Amount((past.begun,)))
    here = Machine(pools={"cpu": pool})
    times = times_of(directory)
    return {
        "jobs": len(past.graph),
        "measured": past.makespan,
        "own": simulate(past.graph, here, past.seconds).makespan,
        "kinds": [
            simulate(past.graph, here, times.draw(past.graph, seed), seed=seed).makespan
            for seed in range(SEEDS)
        ],
    }


def replay_rows(*, quick: bool) -> Iterator[Row]:
    """How near the predicted makespan of a campaign is to the one that it had."""
    began = time.perf_counter()
    found = []
    for repeat in range(1 if quick else 3):
        with tempfile.TemporaryDirectory() as place:
            directory = Path(place, "campaign")
            real_run(directory, jobs=40 if quick else 100, longest=0.6 if quick else 1.0, seed=repeat)
            found.append(predictions(directory))
        say(f"replay {repeat}: {found[-1]}")
    common: dict[str, Any] = {"quick": quick, "seconds": time.perf_counter() - began, "unit": "%"}
    for what, predicted in (
        ("each job with its own duration", [one["own"] for one in found]),
        ("durations drawn by kind", [median(one["kinds"]) for one in found]),
    ):
        pairs = [(p, one["measured"]) for p, one in zip(predicted, found, strict=True)]
        errors = [100 * (p / real - 1) for p, real in pairs]
        yield Row(
            name=f"error of the predicted makespan of {found[0]['jobs']} jobs, {what}",
            ours=max(abs(error) for error in errors), target="ours <= 15",
            note="; ".join(f"{p:.1f} s for {real:.1f} s, {p / real - 1:+.1%}" for p, real in pairs), **common,
        )  # fmt: skip


def scale_rows(*, jobs: Sequence[int], quick: bool) -> Iterator[Row]:
    """What a simulated fan costs: a node for every hundred jobs."""
    for size in jobs:
        began = time.perf_counter()
        found = run_session("benchmarks.simulate", "--serve", jobs=size, nodes=max(10, size // 100))
        common: dict[str, Any] = {"quick": quick, "seconds": time.perf_counter() - began}
        what = f"fan of {size:,} jobs on {max(10, size // 100):,} nodes"
        minutes = "ours <= 300" if size >= 10**6 else ""
        yield Row(
            name=f"{what}, graph and simulation", unit="s", ours=found["wall"], target=minutes, **common
        )
        yield Row(
            name=f"{what}, processor time of each job", unit="µs", ours=1e6 * found["cpu"] / size, **common
        )
        yield Row(name=f"{what}, events of a job", unit="", ours=found["events"] / size, **common)
        yield Row(name=f"{what}, peak memory", unit="MB", ours=found["peak_mb"], **common)


def simulate_fan(question: dict[str, Any]) -> dict[str, Any]:
    """Simulate a fan in this process and say what that took."""
    from zonemelt.workflows.simulate import GraphBuilder, Machine, PoolModel, simulate
    from zonemelt.workflows.simulate.amounts import Amount

    jobs, nodes = question["jobs"], question["nodes"]
    blocks = max(1, nodes // 100)
    pool = PoolModel(
        nodes=nodes // blocks, workers=nodes // blocks, max_blocks=blocks, walltime=6 * 3600, drain=1800,
        wait=Amount((1800.0,), 2.0), start=Amount((30.0,)), give_back_some=True,
    )  # fmt: skip
    with measured() as cost:
        builder = GraphBuilder()
        for _ in range(jobs):
            builder.add("benchmarks.job")
        seconds = array("d", (600.0 + 7919 * number % 600 for number in range(jobs)))
        outcome = simulate(builder.graph(), Machine(pools={"cpu": pool}), seconds)
    assert outcome.states == {"done": jobs}
    return {**cost, "events": outcome.events}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__.split(":")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--million", action="store_true", help="10⁶ jobs on 10⁴ nodes as well (a minute)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        serve(simulate_fan)
        return
    about = machine()
    sizes = [1_000, 10_000] if given.quick else [1_000, 10_000, 100_000]
    sizes += [10**6] if given.million else []
    tasks = (partial(replay_rows, quick=given.quick), partial(scale_rows, jobs=sizes, quick=given.quick))
    rows = [row for task in tasks for row in task()]
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
