"""The figures of a report, each as a piece of SVG to be placed in a page."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1f2937"
FAINT: Final = "#9ca3af"
COLOURS: Final = ("#0f766e", "#c2410c", "#6d28d9")
STYLE: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "path",
}
MEV: Final = 1000.0


def learning_curve(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Held-out error against the number of labels chosen: mean and standard deviation over seeds."""
    with _figure("learning", 5.4, 3.6) as (figure, svg):
        axes = figure.subplots()
        for (strategy, points), colour, shift in zip(curves.items(), COLOURS, (-0.12, 0.12, 0), strict=False):
            labels = [point["labels"] + shift for point in points]
            mean = [MEV * point["mean"] for point in points]
            spread = [MEV * (point["std"] or 0.0) for point in points]
            axes.errorbar(
                labels, mean, spread, color=colour, marker="o", ms=6, lw=2, capsize=4, label=strategy
            )
            for label, point in zip(labels, points, strict=True):
                values = [MEV * value for value in point["values"]]
                axes.plot([label] * len(values), values, ".", color=colour, alpha=0.35, ms=5)
        axes.set_xticks([point["labels"] for point in next(iter(curves.values()))])
        axes.set_xlabel("labels chosen")
        axes.set_ylabel("error on held-out labels, MAE (meV/atom)")
        axes.set_ylim(bottom=0)
        axes.legend(title="selection")
    return svg.getvalue()


def parity(parity: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Predicted against labelled formation energy of the held-out crystals, before and after."""
    rows = [row for points in parity.values() for row in points]
    values = [MEV * row[key] for row in rows for key in ("label", "predicted")]
    margin = 0.06 * (max(values) - min(values))
    limits = (min(values) - margin, max(values) + margin)
    with _figure("parity", 7.2, 3.7) as (figure, svg):
        panels = figure.subplots(1, len(parity), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (name, points), colour in zip(panels, parity.items(), (FAINT, COLOURS[0]), strict=True):
            axes.plot(limits, limits, color=INK, lw=0.8)
            axes.errorbar(
                [MEV * row["label"] for row in points],
                [MEV * row["predicted"] for row in points],
                [2 * MEV * row["deviation"] for row in points],
                fmt="o",
                ms=5,
                lw=1,
                color=colour,
                ecolor=colour,
                alpha=0.9,
            )
            error = sum(abs(row["predicted"] - row["label"]) for row in points) / len(points)
            axes.set_title(f"{name}: {MEV * error:.1f} meV/atom", loc="left")
            axes.set_xlabel("labelled (meV/atom)")
            axes.set(xlim=limits, ylim=limits)
            axes.set_aspect("equal")
        panels[0].set_ylabel("predicted, ± two deviations (meV/atom)")
    return svg.getvalue()


def hull_diagram(hull: Mapping[str, Any], elements: Sequence[str]) -> str:
    """Formation energy against composition, with the convex hull of the labels."""
    with _figure("hull", 7.2, 4.2) as (figure, svg):
        axes = figure.subplots()
        _points(
            axes, hull["predicted"], fmt="o", mfc="white", color=FAINT, label="predicted, ± two deviations"
        )
        _points(axes, hull["labelled"], fmt="o", color=COLOURS[0], alpha=0.75, label="labelled")
        _points(axes, hull["confirmed"], fmt="*", color=COLOURS[1], ms=12, label="predicted, then labelled")
        corners = [row for row in hull["labelled"] if row["identifier"] in hull["vertices"]]
        line = sorted(
            [(0.0, 0.0), (1.0, 0.0), *((row["fraction"], MEV * row["formation_energy"]) for row in corners)]
        )
        axes.plot(*zip(*line, strict=True), color=INK, lw=1.6, zorder=1, label="convex hull of the labels")
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel(f"atomic fraction of {elements[1]} in {elements[0]}-{elements[1]}")
        axes.set_ylabel("formation energy (meV/atom)")
        axes.legend(fontsize=9)
    return svg.getvalue()


def _points(axes: Axes, rows: Sequence[Mapping[str, Any]], **style: Any) -> None:
    looks: dict[str, Any] = {"ms": 5, "lw": 0.8, "linestyle": "none"} | style
    if rows:
        axes.errorbar(
            [row["fraction"] for row in rows],
            [MEV * row["formation_energy"] for row in rows],
            [2 * MEV * (row["deviation"] or 0.0) for row in rows],
            **looks,
        )


@contextmanager
def _figure(name: str, width: float, height: float) -> Iterator[tuple[Figure, io.StringIO]]:
    """A figure of so many inches; on leaving, its SVG is in the buffer, the same for the same data."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer, svg = io.StringIO(), io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, svg
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    svg.write(text[text.index("<svg") :])
