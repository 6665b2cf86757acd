"""All benchmarks, one after the other, and the page of what they found.

``python -m benchmarks [--quick] [--only NAME …] [--results FOLDER]``; ``--page`` writes the page alone, from
the reports that are there. Each runs in a process of its own, so that none measures what another left in
memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.page import PAGE, RESULTS, write_page
from benchmarks.report import ROOT, say

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCHMARKS: Final = (
    "engine", "simulate", "sites", "provenance", "featurize", "learn_shallow", "learn", "learn_speed",
    "learn_transfer", "potentials", "oracles", "active_learning", "generation", "discovery",
)  # fmt: skip


def run(name: str, *, quick: bool, results: Path) -> bool:
    """Measure, and keep the report, in place of one of the same day; whether it ended well."""
    say(f"{name} …")
    began = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *(["--quick"] if quick else [])]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        say(f"{name} failed with status {ended.returncode}: its report of before is kept")
        return False
    kept = results / f"{name.replace('_', '-')}-{time.strftime('%Y-%m-%d')}.json"
    part = kept.with_suffix(".part")
    part.write_bytes(ended.stdout)
    part.replace(kept)
    say(f"{name}: {(time.perf_counter() - began) / 60:.1f} min, {kept}")
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns how many failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split(",")[0])
    parser.add_argument("--quick", action="store_true", help="minutes; numbers not to be quoted")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS, help="which")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where reports are kept")
    parser.add_argument(
        "--page", nargs="?", type=Path, const=PAGE, help="only write the page, here or to a file"
    )
    given = parser.parse_args(arguments)
    failed = 0
    if not given.page:
        given.results.mkdir(parents=True, exist_ok=True)
        failed = sum(not run(name, quick=given.quick, results=given.results) for name in given.only)
    write_page(
        given.results, given.page or (PAGE if given.results == RESULTS else given.results / "benchmarks.md")
    )
    return failed


if __name__ == "__main__":
    sys.exit(main())
