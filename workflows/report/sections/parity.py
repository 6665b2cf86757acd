"""Predictions beside labels, and whether predicted deviations are as large as errors are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import Plot, Section, Table, number
from zonemelt.workflows.report.plots import FAINT, INK, axis, colour, line, rounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered

    Floats = NDArray[np.float64]

POINTS: Final = 1000
"""More points than these are shown as a density."""
_BINS: Final = 60
_LEVELS: Final = 20
_LEAST: Final = 10  # points that a calibration curve needs


def section(gathered: Gathered) -> Section | None:
    """Of candidates that were labelled, of models that were judged."""
    parts: list[Part] = [*_candidates(gathered), *_judged(gathered)]
    parts += list(_calibration_of_rounds(gathered))
    return Section(name="parity", title="Predictions and labels", parts=parts) if parts else None


def _candidates(gathered: Gathered) -> Iterator[Plot]:
    import numpy as np

    found = gathered.outputs.candidates
    if not found:
        return
    labels, predicted, deviations = map(found.column, ("labelled", "energy_per_atom", "deviation"))
    both = np.isfinite(labels) & np.isfinite(predicted)
    if not both.any():
        return
    yield parity_plot(
        "parity-candidates", "Candidates: potential and oracle", labels[both], predicted[both],
        deviations[both], quantity="energy", unit="eV/atom",
        names=[found.formulas[row] for row in np.flatnonzero(both)],
    )  # fmt: skip
    known = both & np.isfinite(deviations)
    shift = np.median(predicted[known] - labels[known]) if known.any() else 0.0
    if plot := calibration_plot(
        "calibration-candidates", labels[known] - predicted[known] + shift, deviations[known]
    ):
        yield plot


def parity_plot(
    name: str,
    title: str,
    labels: Floats,
    predicted: Floats,
    deviations: Floats,
    *,
    quantity: str,
    unit: str,
    names: Sequence[str],
) -> Plot:
    """Predicted against labelled: points with their deviations, or a density of very many.

    Args:
        name: of the figure.
        title: of it.
        labels: (N,), in the unit.
        predicted: (N,).
        deviations: predicted ones (N,); NaN where there is none.
        quantity: what it is.
        unit: of all three.
        names: of the points (N,).
    """
    import numpy as np

    low, high = float(min(labels.min(), predicted.min())), float(max(labels.max(), predicted.max()))
    margin = 0.05 * (high - low or 1.0)
    low, high = low - margin, high + margin
    diagonal = line([(low, low), (high, high)], "equal", line={"color": INK, "width": 1}, hoverinfo="skip")
    errors = predicted - labels
    mae, rmse = float(np.abs(errors).mean()), float(np.sqrt((errors**2).mean()))
    if len(labels) <= POINTS:
        points: dict[str, Any] = {
            "type": "scatter", "mode": "markers", "name": "crystals", "x": rounded(labels),
            "y": rounded(predicted), "text": list(names), "marker": {"color": colour(0), "size": 6},
        }  # fmt: skip
        if np.isfinite(deviations).any():
            spread = rounded(2 * np.nan_to_num(deviations))
            points["error_y"] = {"type": "data", "array": spread, "thickness": 1, "width": 0}
        how = "Bars are two predicted standard deviations." if "error_y" in points else ""
    else:
        counts, xs, ys = np.histogram2d(labels, predicted, bins=_BINS, range=[[low, high], [low, high]])
        points = {
            "type": "heatmap", "x": rounded(xs), "y": rounded(ys),
            "z": [[int(v) or None for v in row] for row in counts.T], "colorscale": "Viridis",
            "colorbar": {"title": {"text": "crystals"}},
        }  # fmt: skip
        how = f"{len(labels):,} crystals, counted in {_BINS} by {_BINS} fields."
    return Plot(
        name=name,
        title=title,
        traces=[points, diagonal],
        layout={
            "xaxis": axis(f"labelled {quantity} ({unit})", range=[low, high]),
            "yaxis": axis(f"predicted {quantity} ({unit})", range=[low, high]),
            "showlegend": False,
        },
        alt=f"Predicted against labelled {quantity} of {len(labels):,} crystals, about the diagonal.",
        caption=f"Mean absolute error {number(mae)} {unit}, root mean square {number(rmse)} {unit}. {how}",
        table=_largest(labels, predicted, deviations, names, unit),
        height=440,
    )


def _largest(labels: Floats, predicted: Floats, deviations: Floats, names: Sequence[str], unit: str) -> Table:
    import numpy as np

    order = np.argsort(-np.abs(predicted - labels), kind="stable")[:20]
    return Table(
        caption="the largest errors",
        columns=("crystal", f"labelled ({unit})", f"predicted ({unit})", f"deviation ({unit})"),
        rows=[
            [names[i], float(labels[i]), float(predicted[i]), float(deviations[i])] for i in order.tolist()
        ],
        of=len(labels) if len(labels) > len(order) else None,
        folded=True,
    )


def calibration_plot(name: str, errors: Floats, deviations: Floats) -> Plot | None:
    """How many labels lie within intervals that should hold a certain share of them.

    Args:
        name: of the figure.
        errors: label minus prediction (N,).
        deviations: predicted standard deviations (N,), the same unit.
    """
    import numpy as np
    from scipy.stats import norm

    good = np.isfinite(errors) & np.isfinite(deviations) & (deviations > 0)
    if good.sum() < _LEAST:
        return None
    shares = np.linspace(0, 1, _LEVELS + 1)[1:-1]
    scaled = np.abs(errors[good] / deviations[good])
    held = [float((scaled <= norm.ppf((1 + share) / 2)).mean()) for share in shares]
    area = float(np.abs(np.array(held) - shares).mean())
    return Plot(
        name=name,
        title="Calibration of the predicted deviations",
        traces=[
            line([(0, 0), (1, 1)], "right", line={"color": FAINT, "width": 1, "dash": "dot"}),
            {
                "type": "scatter", "mode": "lines+markers", "name": "found", "x": rounded(shares),
                "y": rounded(held), "line": {"color": colour(2)}, "marker": {"size": 5},
            },
        ],
        layout={
            "xaxis": axis("share of labels that an interval should hold", range=[0, 1]),
            "yaxis": axis("share that it holds", range=[0, 1.02]),
            "showlegend": False,
        },
        alt=f"The share found differs from the share promised by {area:.2f} on average.",
        caption="Above the dotted line deviations are too large, below it too small. Mean distance from it "
        f"{area:.2f}; {int(good.sum()):,} labels, so each share is known to about "
        f"±{0.5 / np.sqrt(good.sum()):.2f}.",
        table=Table(
            caption="calibration",
            columns=("promised", "held"),
            rows=[[round(float(p), 2), round(h, 3)] for p, h in zip(shares, held, strict=True)],
            folded=True,
        ),
    )  # fmt: skip


def _judged(gathered: Gathered) -> Iterator[Table]:
    """Models that a judge has compared with labels."""
    rows = []
    for one in gathered.outputs.judged:
        for name, said in one["properties"].items():
            if isinstance(said, dict) and "mae" in said:
                sure = said.get("uncertainty") or {}
                rows.append([
                    str(one.get("model", "")).rpartition("/")[2], name, said.get("records"), said["mae"],
                    said.get("rmse"), said.get("unit", ""), said.get("r2"), sure.get("miscalibration_area"),
                    sure.get("within_1_sigma"), (said.get("intervals") or {}).get("held"),
                ])  # fmt: skip
    if rows:
        yield Table(
            caption="models on labels they have not seen",
            columns=(
                "model", "property", "records", "MAE", "RMSE", "unit", "R²", "miscalibration area",
                "within one deviation (68 % is right)", "within the intervals",
            ),
            rows=rows,
        )  # fmt: skip


def _calibration_of_rounds(gathered: Gathered) -> Iterator[Plot]:
    """How well a committee knows its errors, round by round."""
    history = [one for one in gathered.outputs.history if "miscalibration" in one["heldout"]]
    if not history:
        return
    labels = [one["spent"]["labels"] for one in history]
    areas = [one["heldout"]["miscalibration"] for one in history]
    yield Plot(
        name="calibration-rounds",
        title="Miscalibration of the committee, round by round",
        traces=[
            {
                "type": "scatter", "mode": "lines+markers", "name": "miscalibration area", "x": labels,
                "y": rounded(areas), "line": {"color": colour(2)}, "marker": {"size": 8},
            }
        ],
        layout={
            "xaxis": axis("labels"),
            "yaxis": axis("miscalibration area (0 is right, 0.5 the worst)", range=[0, 0.5]),
        },
        alt=f"The miscalibration area goes from {areas[0]:.3f} to {areas[-1]:.3f}.",
        caption="Area between the calibration curve of the committee's deviations of forces and the right "
        "one, on held-out labels, after the deviations were scaled.",
    )  # fmt: skip
