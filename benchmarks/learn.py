"""Learning beside published numbers: ``python -m benchmarks.learn [--quick] [--json] [--only …]``.

Official folds throughout. The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``. With
``--work DIR`` features and trainings are kept there, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import learn_networks, learn_phonons
from benchmarks.report import Row, as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = ("vibrations", "networks", "perovskites")


def rows(quick: bool, work: Path, only: Sequence[str] = PARTS, *, folds: int = 5) -> list[Row]:
    """The measurements asked for."""
    found: list[Row] = []
    if "vibrations" in only:
        found += learn_phonons.rows(quick, work)
    if "networks" in only:
        found += learn_networks.phonon_rows(quick, work)
    if "perovskites" in only:
        found += learn_networks.perovskite_rows(quick, work, folds=folds)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learn", description=__doc__.split(":")[0])
    parser.add_argument("--quick", action="store_true", help="numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    parser.add_argument("--folds", type=int, default=5, help="of perovskites: the first so many of the five")
    parser.add_argument("--work", type=Path, help="keep features and trainings here")
    given = parser.parse_args(arguments)
    about = machine()
    with tempfile.TemporaryDirectory() as scratch:
        found = rows(given.quick, given.work or Path(scratch), given.only, folds=given.folds)
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
