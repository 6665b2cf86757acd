"""Generated crystals: ``python -m benchmarks.generation [--only …] [--quick] [--json]``.

Their metrics beside published values and plain loops. The data are looked for in ``$ZONEMELT_DATA``, else in
``../shared/data``.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Final

from benchmarks.report import as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS: Final = ("metrics",)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generation", description=__doc__.split(":")[0]
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given more than once")
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    about = machine()
    modules = [import_module(f"benchmarks.generation_{part}") for part in given.only or PARTS]
    rows = [row for module in modules for row in module.rows(quick=given.quick)]
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
