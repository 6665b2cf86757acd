"""Interatomic potentials: ``python -m benchmarks.potentials [--only …] [--quick] [--json]``.

Their speed beside plain ASE, that of training beside the trainer of SevenNet, errors after training on mlearn
and acetylacetone beside published ones, and what fine-tuning SevenNet-0 brings. All runs on one thread.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Final

from benchmarks.report import as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS: Final = ("speed", "training", "mlearn", "acac", "finetune", "dynamics")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.potentials", description=__doc__.split(":")[0]
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given more than once")
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    modules = [import_module(f"benchmarks.potentials_{part}") for part in given.only or PARTS]
    rows = [row for module in modules for row in module.rows(given.quick)]
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
