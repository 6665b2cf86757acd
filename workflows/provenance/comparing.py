"""Compare two values within a tolerance, and say where they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

RTOL = 1e-6
ATOL = 1e-9
_MOST = 20  # differences that are listed


@dataclass
class Comparison:
    """How two values compare.

    Attributes:
        deviation: the largest relative deviation of two numbers that count as equal, or not.
        differences: path, first and second value of what differs by more than the tolerance; the first few.
        count: how many there are.
    """

    rtol: float = RTOL
    atol: float = ATOL
    deviation: float = 0.0
    differences: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs by more than the tolerance."""
        return not self.count

    def add(self, path: str, first: Any, second: Any) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.differences) < _MOST:
            self.differences.append({"path": path, "first": _short(first), "second": _short(second)})


def compare(first: Any, second: Any, *, rtol: float = RTOL, atol: float = ATOL) -> Comparison:
    """Compare JSON-like values: numbers within ``atol + rtol · |first|``, all else exactly; NaN is NaN."""
    found = Comparison(rtol=rtol, atol=atol)
    stack: list[tuple[str, Any, Any]] = [("", first, second)]
    while stack:
        path, a, b = stack.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            for key in sorted({*a, *b}, reverse=True):
                below = f"{path}.{key}" if path else str(key)
                if key in a and key in b:
                    stack.append((below, a[key], b[key]))
                else:
                    found.add(below, a.get(key, "absent"), b.get(key, "absent"))
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                found.add(path, f"{len(a)} items", f"{len(b)} items")
            else:
                stack += [
                    (f"{path}.{n}", x, y) for n, (x, y) in reversed(list(enumerate(zip(a, b, strict=True))))
                ]
        elif _is_number(a) and _is_number(b):
            _numbers(found, path, a, b)
        elif a != b or isinstance(a, bool) != isinstance(b, bool):
            found.add(path, a, b)
    return found


def _numbers(found: Comparison, path: str, a: float, b: float) -> None:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return
    distance = abs(a - b)
    if math.isfinite(distance):
        found.deviation = max(found.deviation, distance / max(abs(a), abs(b)))
    if not distance <= found.atol + found.rtol * abs(a):
        found.add(path, a, b)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(value: Any) -> Any:
    return value if _is_number(value) or value is None else f"{value}"[:200]
