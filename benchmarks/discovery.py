"""Discovery beside what is published: ``python -m benchmarks.discovery [--quick] [--json] [--only hull …]``.

The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import discovery_hull, discovery_loop, discovery_many, discovery_screen
from benchmarks.report import as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = {
    "hull": discovery_hull.rows,
    "loop": discovery_loop.rows,
    "screen": discovery_screen.rows,
    "many": discovery_many.rows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.discovery", description=__doc__.split(":")[0])
    parser.add_argument("--quick", action="store_true", help="fewer candidates; not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts to measure"
    )
    parser.add_argument("--keep", type=Path, help="directory of the loop's campaigns, ended or not")
    given = parser.parse_args(arguments)
    about = machine()
    parts = {**PARTS, "loop": partial(discovery_loop.rows, keep=given.keep)}
    found = [row for part in given.only for row in parts[part](quick=given.quick)]
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
