"""What the node under a job has used of energy, where the machine says it to everybody."""

from __future__ import annotations

import os
from pathlib import Path


class EnergyMeter:
    """Reads counters of energy; there are none on most machines, and then nothing is read.

    Cray's counter is of the node; Intel's and AMD's are of the processors alone and start again at a limit.
    """

    def __init__(self, root: str = "/sys") -> None:
        self._sources = _counters(root)

    def read(self) -> tuple[float, ...]:
        """What the counters say now, in joule; empty where there are none, or one cannot be read any more."""
        if not self._sources:
            return ()
        try:
            return tuple([_number(path) * unit for path, unit, _ in self._sources])
        except (OSError, ValueError, IndexError):  # a driver that went: no job fails for it
            return ()

    def since(self, before: tuple[float, ...]) -> float | None:
        """Joule used since an earlier reading; None where nobody knows, as when a counter began anew."""
        now = self.read()
        if not before or len(now) != len(before):
            return None
        used = 0.0
        for first, last, (_, _, limit) in zip(before, now, self._sources, strict=True):
            used += last - first if last >= first else last - first + limit
        return used if used >= 0 else None


def _counters(root: str) -> list[tuple[str, float, float]]:
    """Files with a count of energy that can be read, their unit in joule and where they start again (J)."""
    cray = f"{root}/cray/pm_counters/energy"
    if os.access(cray, os.R_OK):
        return [(cray, 1.0, 0.0)]
    found = []
    for folder in sorted(Path(root, "class/powercap").glob("intel-rapl:[0-9]*")):
        path = folder / "energy_uj"
        if folder.name.count(":") == 1 and os.access(path, os.R_OK):
            found.append((str(path), 1e-6, _number(str(folder / "max_energy_range_uj")) * 1e-6))
    return found


def _number(path: str) -> float:
    with open(path, "rb") as file:  # noqa: PTH123 (before and after every job: no more than it takes)
        return float(file.read(64).split()[0])


meter = EnergyMeter()
