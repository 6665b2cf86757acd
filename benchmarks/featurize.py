"""From structures to what models are given: ``python -m benchmarks.featurize [--quick] [--json]``.

Graphs, shards, batches, descriptors and ingestion, each beside what others use, measured in the same run. The
crystals are matbench's and belong to the data that are not part of the project: rows without them say so.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.report import Row, as_json, as_table, machine, say

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = ("graphs", "shards", "descriptors", "datasets", "ingest")


def group_rows(name: str, *, quick: bool, million: bool) -> list[Row]:
    """The rows of one group."""
    options = {"million": million} if name == "shards" else {}
    found: list[Row] = import_module(f"benchmarks.featurize_{name}").rows(quick, **options)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.featurize", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="shorter; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--million", action="store_true", help="shards of a million structures, not 100,000")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="NAME")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    about, rows = machine(), []
    for name in given.only:
        found = group_rows(name, quick=given.quick, million=given.million)
        say(f"{name}: {len(found)} rows")
        rows += found
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
