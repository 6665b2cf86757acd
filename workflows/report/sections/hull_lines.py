"""Lines of phase diagrams: lower hulls, tie lines, axes of triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.plots import axis

if TYPE_CHECKING:
    from collections.abc import Sequence

ON_HULL: Final = 1e-6
"""eV/atom: nearer to a hull is on it."""
SYSTEMS: Final = 4
"""Systems that are drawn, of each size: those with the most hits."""


def lower_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of the lower convex hull of points in a plane, from left to right."""
    lowest: dict[float, float] = {}
    for x, y in points:
        key = round(x, 9)
        lowest[key] = min(y, lowest.get(key, y))
    hull: list[tuple[float, float]] = []
    for x, y in sorted(lowest.items()):
        while len(hull) > 1 and _turns_up(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return hull


def _turns_up(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on the line from a to c, or above it."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0]) - 1e-12


def tie_lines(corners: Sequence[Sequence[float]], energies: Sequence[float]) -> list[tuple[Any, Any]]:
    """Pairs of compositions that coexist in a ternary system.

    Args:
        corners: atomic fractions of three elements of each crystal.
        energies: of formation, eV/atom; those of the elements are zero.
    """
    import numpy as np
    from scipy.spatial import ConvexHull, QhullError

    fractions = np.array([*np.eye(3).tolist(), *corners], float)
    heights = np.array([0.0, 0.0, 0.0, *energies])
    below = heights <= ON_HULL
    fractions, heights = fractions[below], heights[below]
    edge = np.array([(0, 1), (1, 2), (0, 2)])
    try:
        hull = ConvexHull(np.column_stack([fractions[:, :2], heights]))
    except QhullError:  # all in one plane: nothing but the elements
        return [(fractions[i].tolist(), fractions[j].tolist()) for i, j in edge.tolist()]
    lower = hull.simplices[hull.equations[:, 2] < -1e-9]  # noqa: PLR2004
    pairs = {
        tuple(sorted(pair))
        for one in lower.tolist()
        for pair in ((one[0], one[1]), (one[1], one[2]), (one[0], one[2]))
    }
    return [(fractions[i].tolist(), fractions[j].tolist()) for i, j in sorted(pairs)]


def triangle(system: Sequence[str]) -> dict[str, Any]:
    """The layout of a ternary diagram, the first element on top."""
    sides = zip("abc", system, strict=True)
    axes = {
        f"{side}axis": axis(f"{symbol} (atomic fractions)" if side == "a" else symbol)
        for side, symbol in sides
    }
    return {"ternary": {"sum": 1, **axes}, "margin": {"t": 50, "b": 100}}


def binary_axes(system: Sequence[str]) -> dict[str, Any]:
    """The layout of a binary diagram, the second element to the right."""
    return {
        "xaxis": axis(f"atomic fraction of {system[1]} in {'-'.join(system)}", range=[-0.03, 1.03]),
        "yaxis": axis("formation energy (meV/atom)"),
    }
