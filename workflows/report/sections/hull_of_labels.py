"""Labelled crystals of a discovery on the hull that all labels span."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.report.parts import MEV, Plot, Table
from zonemelt.workflows.report.plots import FAINT, HIT, INK, colour, line, rounded
from zonemelt.workflows.report.sections.hull_lines import (
    ON_HULL,
    SYSTEMS,
    binary_axes,
    lower_hull,
    tie_lines,
    triangle,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def of_labels(points: Sequence[Mapping[str, Any]]) -> Iterator[Plot]:
    """Labelled crystals of the systems with the most of them, with the hull that they span.

    Args:
        points: see :class:`.HullPoint`.
    """
    counts = Counter(tuple(sorted(one["composition"])) for one in points)
    for size, draw in ((2, _binary_of_labels), (3, _ternary_of_labels)):
        for system in [system for system, _ in counts.most_common() if len(system) == size][:SYSTEMS]:
            yield draw(system, [one for one in points if set(one["composition"]) <= set(system)])


def _binary_of_labels(system: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Plot:
    name = "-".join(system)
    hull = lower_hull([
        (0.0, 0.0), (1.0, 0.0), *((_part(one, system[1]), one["formation_energy"]) for one in points)
    ])  # fmt: skip
    traces = [line([(x, MEV * e) for x, e in hull], "hull of all labels", line={"color": INK, "width": 1.5})]
    for label, chosen, marker in _old_and_new(points):
        traces.append({
            "type": "scatter", "mode": "markers", "name": label, "marker": marker,
            "x": rounded(_part(one, system[1]) for one in chosen),
            "y": rounded(MEV * one["formation_energy"] for one in chosen), "text": _words(chosen),
        })  # fmt: skip
    return Plot(
        name=f"labels-{name}",
        title=f"Formation energies in {name}, by labels",
        traces=traces,
        layout=binary_axes(system),
        alt=f"{_on_hull(points)} of {len(points)} labelled crystals lie on the hull.",
        caption="Labelled crystals on the hull of all labels or near it.",
        table=_labels_table(points),
        height=440,
    )


def _ternary_of_labels(system: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Plot:
    name = "-".join(system)
    corners = [[_part(one, symbol) for symbol in system] for one in points]
    tie: list[list[float | None]] = [[], [], []]
    for i, j in tie_lines(corners, [one["formation_energy"] for one in points]):
        for at in range(3):
            tie[at] += [i[at], j[at], None]
    traces: list[dict[str, Any]] = [{
        "type": "scatterternary", "mode": "lines", "name": "tie lines", "a": tie[0], "b": tie[1], "c": tie[2],
        "line": {"color": INK, "width": 1}, "hoverinfo": "skip",
    }]  # fmt: skip
    for label, chosen, marker in _old_and_new(points):
        parts = [rounded(_part(one, symbol) for one in chosen) for symbol in system]
        traces.append({
            "type": "scatterternary", "mode": "markers", "name": label, "marker": marker,
            "cliponaxis": False, "a": parts[0], "b": parts[1], "c": parts[2], "text": _words(chosen),
            "hoverinfo": "text",
        })  # fmt: skip
    return Plot(
        name=f"labels-{name}",
        title=f"Phase diagram of {name}, by labels",
        traces=traces,
        layout=triangle(system),
        alt=f"{_on_hull(points)} of {len(points)} labelled crystals lie on the hull.",
        caption="Labelled crystals on the hull of all labels or near it; lines join those that coexist.",
        table=_labels_table(points),
        height=500,
    )


def _old_and_new(
    points: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, list[Mapping[str, Any]], dict[str, Any]]]:
    for label, seed, on_hull, marker in (
        ("known when it began", True, None, {"size": 7, "color": FAINT}),
        ("found, above the hull", False, False, {"size": 8, "color": colour(0)}),
        ("found, on the hull", False, True, {"size": 13, "symbol": "star", "color": HIT}),
    ):
        chosen = [
            one for one in points
            if one["seed"] is seed and (on_hull is None or (one["above_hull"] <= ON_HULL) is on_hull)
        ]  # fmt: skip
        if chosen:
            yield label, chosen, marker


def _part(one: Mapping[str, Any], symbol: str) -> float:
    return float(one["composition"].get(symbol, 0.0)) / (sum(one["composition"].values()) or 1.0)


def _words(points: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{one['identifier']}: {MEV * one['above_hull']:.1f} meV/atom above the hull" for one in points]


def _on_hull(points: Sequence[Mapping[str, Any]]) -> int:
    return sum(one["above_hull"] <= ON_HULL for one in points)


def _labels_table(points: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        caption="labelled crystals on the hull or near it",
        columns=("crystal", "above hull (meV/atom)", "formation energy (meV/atom)", "known when it began"),
        rows=[
            [
                str(one["identifier"]), MEV * one["above_hull"], MEV * one["formation_energy"],
                "yes" if one["seed"] else "no",
            ]
            for one in points[:100]
        ],
        of=len(points) if len(points) > 100 else None,  # noqa: PLR2004
        folded=True,
    )  # fmt: skip
