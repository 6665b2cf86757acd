"""Active learning beside chance: ``python -m benchmarks.active_learning [--quick] [--json] [--only …]``.

Labels are hidden: who chooses can only ask for them, and what was asked for is counted. The data are looked
for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Final

from benchmarks.report import Row, as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS: Final = {
    "discovery": "benchmarks.active_learning_discovery",
    "barrier": "benchmarks.active_learning_barrier",
    "potentials": "benchmarks.active_learning_potentials",
    "trap": "benchmarks.active_learning_trap",
    "calibration": "benchmarks.active_learning_calibration",
    "dft": "benchmarks.active_learning_dft",
}
"""Part → module with ``rows(quick) -> Iterator[Row]``."""


def rows(quick: bool, only: Sequence[str] = tuple(PARTS)) -> list[Row]:
    """The measurements asked for."""
    return [row for part in only for row in import_module(PARTS[part]).rows(quick)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.active_learning", description=__doc__.split(":")[0]
    )
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=tuple(PARTS), help="parts to measure")
    given = parser.parse_args(arguments)
    about = machine()
    found = rows(given.quick, given.only)
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
