"""What every benchmark here reports: the machine, one row a measurement, as a table or as JSON.

A row compares what we do (``ours``) with what somebody else does (``peer``) in one unit; ``ratio`` is
``ours / peer``. A target is a text such as ``ratio >= 2.5`` or ``ours <= 0.1``; ``met`` says whether it is
reached and may be false: a benchmark reports, it does not fail.
"""

from __future__ import annotations

import json
import operator
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}


@dataclass(kw_only=True)
class Row:
    """One measurement.

    Attributes:
        name: what was measured, unique in a report.
        unit: of ``ours`` and ``peer``.
        ours: our number; None where it could not be measured, and then ``note`` says why.
        peer: the number to compare with.
        peer_name: whose it is; a published one with its source.
        ratio: ``ours / peer``; computed.
        target: ``ours <= 0.1``, ``ratio >= 2.5`` or the like; empty where there is none.
        met: whether the target is reached; None without a target or a number; computed.
        spread: (largest - smallest) / median of the repeated measurements of ``ours``.
        seconds: how long the measurement took.
        quick: from a run with ``--quick``: too short to quote.
        note: what to know when reading the numbers, or why there are none.
    """

    name: str
    unit: str
    ours: float | None = None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    spread: float | None = None
    seconds: float = 0.0
    quick: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.ours is not None and self.peer:
            self.ratio = self.ours / self.peer
        if self.target:
            self.met = meets(self.target, ours=self.ours, ratio=self.ratio)


def meets(target: str, *, ours: float | None, ratio: float | None) -> bool | None:
    """Whether a target is reached; None where its quantity was not measured.

    Raises:
        ValueError: the target cannot be read.
    """
    quantity, comparison, limit = target.split()
    if quantity not in {"ours", "ratio"}:
        raise ValueError(f"a target compares 'ours' or 'ratio', not {quantity!r}")
    value = ours if quantity == "ours" else ratio
    return None if value is None else _COMPARISONS[comparison](value, float(limit))


def median(values: Iterable[float]) -> float:
    """The middle one: a noisy machine has outliers."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> float | None:
    """(largest - smallest) / median; None of a single value."""
    if len(values) < 2 or not (middle := statistics.median(values)):
        return None
    return (max(values) - min(values)) / middle


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import psutil

    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("jobflow", "parsl", "numpy", "pymatgen")},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    found = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or "unknown"


def as_json(rows: Iterable[Row], *, about: dict[str, Any] | None = None) -> str:
    """The report as one JSON object."""
    return json.dumps({"machine": about or machine(), "rows": [_rounded(row) for row in rows]}, indent=1)


def _rounded(row: Row) -> dict[str, Any]:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(row).items()}


def as_table(rows: Iterable[Row]) -> str:
    """The report for people."""
    lines = [("measured", "ours", "peer", "", "ratio", "target", "met", "spread")]
    lines += [
        (
            row.name, f"{_number(row.ours)} {row.unit}", _number(row.peer), row.peer_name,
            _number(row.ratio), row.target, {True: "yes", False: "NO", None: ""}[row.met],
            "" if row.spread is None else f"{row.spread:.0%}",
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    text += ["", *(f"{row.name}: {row.note}" for row in rows if row.note)]
    return "\n".join(text).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def say(text: str) -> None:
    """Tell how far it is, on standard error: standard output is for the report."""
    print(text, file=sys.stderr, flush=True)
