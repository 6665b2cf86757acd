"""Pieces of figures: axes with their unit, bins, colours by their part in a figure.

A colour is a name that the page turns into one for light or dark paper: ``@0`` to ``@7`` tell things apart,
``@ink`` is that of text, ``@faint`` that of what stands behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INK: Final = "@ink"
FAINT: Final = "@faint"
HIT: Final = "@1"
COLOURS: Final = 8

_TIMES: Final = (
    (2 * 86400.0, "d", 86400.0),
    (2 * 3600.0, "h", 3600.0),
    (180.0, "min", 60.0),
    (0.0, "s", 1.0),
)


def colour(number: int) -> str:
    """The colour of the thing with that number."""
    return f"@{number % COLOURS}"


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis; the title names the quantity and its unit."""
    return {"title": {"text": title}, **more}


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit in which a span is read best, and its length in seconds."""
    return next((unit, size) for least, unit, size in _TIMES if seconds >= least)


def line(points: Sequence[tuple[float, float]], name: str, **more: Any) -> dict[str, Any]:
    """A line through points."""
    xs, ys = zip(*points, strict=True) if points else ((), ())
    return {"type": "scatter", "mode": "lines", "x": list(xs), "y": list(ys), "name": name, **more}


def rounded(values: Any, digits: int = 5) -> list[float | None]:
    """Numbers with so many digits that a figure needs; None for what is no number."""
    import math

    return [float(f"{float(v):.{digits}g}") if math.isfinite(v) else None for v in values]


def histogram(values: Floats, *, bins: int, low: float, high: float) -> tuple[list[float], list[int]]:
    """Middles of bins and counts; what lies outside is counted in the first and last one."""
    import numpy as np

    edges = np.linspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    return rounded((edges[1:] + edges[:-1]) / 2), counts.tolist()  # type: ignore[return-value]
