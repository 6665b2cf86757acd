"""The engine against its peers: ``python -m benchmarks.engine [--quick] [--json] [--only NAME…] [--jobs N]``.

Graphs of jobs that do nothing (``fan``, ``chain``, ``map-reduce``, ``diamond``, ``replace``) run on ours
with two workers, on ``jobflow.run_locally`` over a MemoryStore and over a dictionary, and on Parsl alone.
Start-up is not counted: workers are warm. What our numbers include is what a person waits for: the graph
goes into the ledger, every job into a worker, every output onto the disk. ``quadratic`` is the large fan that
``run_locally`` needs minutes for. ``structure``, ``trajectory`` and ``output`` hand values from job to job,
``restart`` (with ``status`` and ``--help``) and ``reuse`` look at what durability gives back.

``--million`` streams 10⁶ jobs (or ``--jobs``) and ``--chaos N`` kills processes N times; each runs alone.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.engine_durable import million_rows, restart_rows, reuse_rows
from benchmarks.engine_graphs import GRAPHS
from benchmarks.engine_payload import output_rows, payload_rows
from benchmarks.engine_rates import quadratic, rates
from benchmarks.report import Row, as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_OTHERS: dict[str, Callable[[bool, int | None], Iterable[Row]]] = {
    "quadratic": lambda quick, jobs: () if quick else quadratic(jobs=jobs or 10_000),
    "structure": lambda quick, _: payload_rows("structure", quick=quick),
    "trajectory": lambda quick, _: payload_rows("trajectory", quick=quick),
    "output": lambda quick, _: output_rows(quick=quick),
    "restart": lambda quick, jobs: restart_rows(quick=quick, jobs=jobs),
    "reuse": lambda quick, jobs: reuse_rows(quick=quick, jobs=jobs),
}
NAMES = (*GRAPHS, *_OTHERS)


def measure(names: Sequence[str], *, quick: bool, jobs: int | None) -> list[Row]:
    """The rows of the groups named."""
    graphs = [name for name in GRAPHS if name in names]
    rows = list(rates(graphs, quick=quick, jobs=jobs)) if graphs else []
    for name, group in _OTHERS.items():
        if name in names:
            rows += group(quick, jobs)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description="Measure the engine against its peers."
    )
    parser.add_argument("--quick", action="store_true", help="about a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--jobs", type=int, help="the size of the graphs, instead of all of the usual ones")
    parser.add_argument("--million", action="store_true", help="stream a million jobs (8 minutes)")
    parser.add_argument("--chaos", type=int, metavar="N", help="kill the head or a helper N times")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    given = _parser().parse_args(arguments)
    about = machine()
    task: Callable[[], Iterable[Row]]
    if given.million:
        task = partial(million_rows, jobs=given.jobs or 10**6)
    elif given.chaos:
        from benchmarks.engine_chaos import chaos_rows

        task = partial(chaos_rows, kills=given.chaos, jobs=given.jobs or 10_000)
    else:
        task = partial(measure, given.only, quick=given.quick, jobs=given.jobs)
    rows = list(task())
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
