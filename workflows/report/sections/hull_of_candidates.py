"""Candidates of a screening in the systems with the most hits, by what a potential says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import MEV, Plot, Table
from zonemelt.workflows.report.plots import HIT, INK, colour, line, rounded
from zonemelt.workflows.report.reading.candidates import composition
from zonemelt.workflows.report.sections.hull_lines import ON_HULL, SYSTEMS, binary_axes, lower_hull, triangle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.workflows.report.reading.candidates import Candidates

_POINTS: Final = 1500  # of a system: those nearest to the hull


def of_candidates(found: Candidates) -> Iterator[Plot]:
    """A figure for each of the systems with the most hits.

    Args:
        found: all candidates.
    """
    import numpy as np

    above, formation = found.column("above_hull"), found.column("formation_energy")
    known = np.isfinite(above)
    for size, draw in ((2, binary), (3, ternary)):
        chosen = [system for system, _ in found.systems.most_common() if len(system) == size][:SYSTEMS]
        for system in chosen:
            rows = [
                row
                for row, formula in enumerate(found.formulas)
                if known[row] and set(composition(formula)) <= set(system)
            ]
            nearest = sorted(rows, key=lambda row: above[row])[:_POINTS]
            points = [
                (found.formulas[row], float(above[row]), float(formation[row])) for row in sorted(nearest)
            ]
            yield draw(system, points, of=len(rows))


def binary(system: Sequence[str], points: Sequence[tuple[str, float, float]], *, of: int) -> Plot:
    """Formation energies of the candidates, the hull of the references, and that with the candidates.

    Args:
        system: two elements.
        points: formula, energy above the hull and formation energy (eV/atom; NaN for none) of each.
        of: how many candidates the system has.
    """
    import math

    name = "-".join(system)
    full = [one for one in points if math.isfinite(one[2])]
    shares = [_share(formula, system[1]) for formula, _, _ in full]
    on_hull = lower_hull(
        [(0.0, 0.0), (1.0, 0.0), *((x, e - a) for x, (_, a, e) in zip(shares, full, strict=True))]
    )
    now = lower_hull([*on_hull, *((x, e) for x, (_, _, e) in zip(shares, full, strict=True))])
    hits = [one[1] <= ON_HULL for one in full]
    traces = [
        line([(x, MEV * e) for x, e in on_hull], "hull of the references", line={"color": INK, "width": 1.5})
    ]
    if any(a < -ON_HULL for _, a, _ in full):
        dashed = {"color": HIT, "width": 1.5, "dash": "dash"}
        traces.append(line([(x, MEV * e) for x, e in now], "with the candidates", line=dashed))
    for label, wanted, marker in (
        ("above the hull", False, {"color": colour(0), "size": 6}),
        ("on the hull or below", True, {"color": HIT, "size": 12, "symbol": "star"}),
    ):
        chosen = [i for i, hit in enumerate(hits) if hit is wanted]
        if chosen:
            traces.append({
                "type": "scatter", "mode": "markers", "name": label, "x": rounded(shares[i] for i in chosen),
                "y": rounded(MEV * full[i][2] for i in chosen),
                "text": [f"{full[i][0]}: {MEV * full[i][1]:.1f} meV/atom above the hull" for i in chosen],
                "marker": marker,
            })  # fmt: skip
    return Plot(
        name=f"hull-{name}",
        title=f"Formation energies in {name}",
        traces=traces,
        layout=binary_axes(system),
        alt=f"{sum(hits)} of {of:,} candidates lie on the hull of the references or below it.",
        caption="The hull of the references is known where candidates lie and at the elements; between them "
        f"it is drawn straight.{_not_all(points, of)}",
        table=_nearest(points),
        height=440,
    )


def ternary(system: Sequence[str], points: Sequence[tuple[str, float, float]], *, of: int) -> Plot:
    """Energy above the hull in a triangle of compositions.

    Args:
        system: three elements.
        points: see :func:`binary`.
        of: see there.
    """
    name = "-".join(system)
    traces = []
    bar = {"thickness": 12, "title": {"text": "above hull<br>(meV/atom)"}}
    scale = {"size": 9, "colorscale": "Viridis", "reversescale": True, "cmin": 0, "colorbar": bar}
    for label, hit, marker in (
        ("above the hull", False, scale),
        ("on the hull or below", True, {"size": 13, "symbol": "star", "color": HIT}),
    ):  # fmt: skip
        chosen = [one for one in points if (one[1] <= ON_HULL) is hit]
        if not chosen:
            continue
        if not hit:
            marker = {**marker, "color": rounded(MEV * one[1] for one in chosen)}  # noqa: PLW2901
        corners = [rounded(_share(one[0], symbol) for one in chosen) for symbol in system]
        traces.append({
            "type": "scatterternary", "mode": "markers", "name": label, "marker": marker,
            "cliponaxis": False, "a": corners[0], "b": corners[1], "c": corners[2],
            "text": [f"{one[0]}: {MEV * one[1]:.1f} meV/atom above the hull" for one in chosen],
            "hoverinfo": "text",
        })  # fmt: skip
    hits = sum(one[1] <= ON_HULL for one in points)
    return Plot(
        name=f"hull-{name}",
        title=f"Energy above the hull in {name}",
        traces=traces,
        layout=triangle(system),
        alt=f"A triangle with {system[0]} on top: {hits} of {of:,} candidates lie on the hull or below it.",
        caption="Each point is a candidate; its colour is its energy above the hull of the references."
        f"{_not_all(points, of)}",
        table=_nearest(points),
        height=480,
    )  # fmt: skip


def _share(formula: str, symbol: str) -> float:
    found = composition(formula)
    return found.get(symbol, 0.0) / (sum(found.values()) or 1.0)


def _nearest(points: Sequence[tuple[str, float, float]]) -> Table:
    order = sorted(points, key=lambda one: one[1])[:20]
    return Table(
        caption="nearest to the hull",
        columns=("formula", "above hull (meV/atom)", "formation energy (meV/atom)"),
        rows=[[formula, MEV * above, MEV * energy] for formula, above, energy in order],
        of=len(points) if len(points) > len(order) else None,
        folded=True,
    )


def _not_all(points: Sequence[Any], of: int) -> str:
    return f" Shown are the {len(points):,} of {of:,} that are nearest to it." if len(points) < of else ""
