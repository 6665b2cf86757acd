"""Generated crystals: ``python -m benchmarks.generation [--only …] [--keep FOLDER] [--quick] [--json]``.

What is drawn after training on Perov-5 and on crystals of the Materials Project, structure prediction and
the speed of drawing, beside published values; the metrics, beside known values and plain loops. The data are
looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``. Trainings take up to an hour of one core: with
``--keep`` one that was stopped goes on, and a finished one is not repeated.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.generation_models import KEEP
from benchmarks.report import as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS: Final = ("metrics", "perov", "prediction", "speed", "mp")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generation", description=__doc__.split(":")[0]
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given more than once")
    parser.add_argument("--keep", metavar="FOLDER", help="of trainings and fingerprints")
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.keep:
        os.environ[KEEP] = str(Path(given.keep).absolute())
    about = machine()
    modules = [import_module(f"benchmarks.generation_{part}") for part in given.only or PARTS]
    rows = [row for module in modules for row in module.rows(quick=given.quick)]
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
