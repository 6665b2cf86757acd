"""The page of all measurements, from the reports that are kept: ``docs/benchmarks.md``.

Rows are those with a peer or a target; of a row that was measured more than once the newest counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
_MET: Final = {True: "yes", False: "**no**", None: ""}
_HEAD: Final = """# Benchmarks

All that was measured and has a peer, a published value or a target. `python -m benchmarks` measures it again,
for hours, keeps the reports in `benchmarks/results/` and writes this page; `make bench` does so quickly,
elsewhere. Rates are of processor time where a page does not say otherwise; notes, spread and rows without
a peer are in the reports. Published values have their sources in the pages of each subject.

"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row, and the report it comes from."""

    benchmark: str
    row: Mapping[str, Any]
    machine: Mapping[str, Any]


def benchmark_of(path: Path) -> str:
    """``engine-chaos-2026-11-22.json`` is of ``engine-chaos``, a part of ``engine`` that was run alone.

    Raises:
        ValueError: the name has no date.
    """
    found = re.fullmatch(r"(?P<name>.+)-\d{4}-\d\d-\d\d", path.stem)
    if found is None:
        raise ValueError(f"{path} has no date in its name: NAME-YYYY-MM-DD.json")
    return found["name"]


def newest(paths: Iterable[Path]) -> list[Measured]:
    """Every row once, in the order of the benchmarks, the newest of each name."""
    found: dict[str, Measured] = {}
    for path in sorted(paths, key=lambda path: (path.stem[-10:], path.stem)):
        report = json.loads(path.read_bytes())
        for row in report["rows"]:
            if row["ours"] is None:
                continue
            found.pop(row["name"], None)
            found[row["name"]] = Measured(benchmark=benchmark_of(path), row=row, machine=report["machine"])
    return sorted(found.values(), key=lambda one: one.benchmark)


def page(measured: Iterable[Measured]) -> str:
    """The page, as Markdown."""
    told = [one for one in measured if one.row["peer"] is not None or one.row["target"]]
    aimed = [one for one in told if one.row["met"] is not None and not one.row["quick"]]
    missed = [one for one in aimed if not one.row["met"]]
    parts = [_HEAD + f"{len(aimed) - len(missed)} of {len(aimed)} targets are met.\n"]
    if missed:
        parts.append("## Missed\n\n" + _table(missed))
    for name in dict.fromkeys(one.benchmark for one in told):
        rows = [one for one in told if one.benchmark == name]
        parts.append(f"## {name}\n\n{_machines(rows)}\n\n" + _table(rows))
    return "\n".join(parts)


def _machines(rows: Iterable[Measured]) -> str:
    """On what, at what load, by which commit."""
    lines = dict.fromkeys(
        f"{one.machine['date'][:10]}, {one.machine['cpu']}, {one.machine['cores']} cores, load "
        f"{one.machine['load']}, Python {one.machine['python']}, commit `{one.machine['commit']}`"
        for one in rows
    )
    return "; ".join(lines) + "."


def _table(rows: Iterable[Measured]) -> str:
    lines = [
        "| measured | ours | peer | ratio | target | met |",
        "|---|---|---|---|---|---|",
        *(_line(one.row) for one in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    peer = "" if row["peer"] is None else f"{number(row['peer'])}{unit}, {row['peer_name']}"
    ratio = "" if row["ratio"] is None else number(row["ratio"])
    name = row["name"] + (" (quick: not to be quoted)" if row["quick"] else "")
    cells = (name, number(row["ours"]) + unit, peer, ratio, row["target"], _MET[row["met"]])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def number(value: float) -> str:
    """Three digits, and no exponent where people can do without."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write_page(results: Path = RESULTS, target: Path = PAGE) -> None:
    """From the reports of a folder."""
    target.write_text(page(newest(results.glob("*.json"))))
