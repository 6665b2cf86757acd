"""Learning curves: errors on held-out labels, round by round, with what is known of their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.report.parts import MEV, Plot, Section, Table
from zonemelt.workflows.report.plots import axis, colour
from zonemelt.workflows.report.rounds import UNITS_OF_MILLI

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """Curves and a table of the rounds."""
    if not (history := gathered.outputs.history):
        return None
    return Section(name="learning", title="Learning", parts=[*_of_rounds(history), rounds_table(history)])


def _of_rounds(history: Sequence[Mapping[str, Any]]) -> Iterator[Plot]:
    """One figure for each quantity whose error is known."""
    keys = list(dict.fromkeys(key for one in history for key in one["heldout"] if " mae (" in key))
    for number, key in enumerate(keys):
        what, _, unit = key.partition(" mae (")
        yield _errors(history, what, unit.rstrip(")"), number)
    if any(one.get("uncertainty") is not None for one in history):
        yield _explored(history)


def _errors(history: Sequence[Mapping[str, Any]], what: str, unit: str, number: int) -> Plot:
    factor, shown = unit_of(f" ({unit})")
    labels = [one["spent"]["labels"] for one in history]

    def column(name: str) -> list[float | None]:
        found = [one["heldout"].get(f"{what} {name} ({unit})") for one in history]
        return [None if value is None else factor * value for value in found]

    mae, rmse = column("mae"), column("rmse")
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": labels, "y": values,
            "line": {"color": colour(2 * number + one), "dash": dash}, "marker": {"size": 8, "symbol": one},
        }
        for one, (name, values, dash) in enumerate((("MAE", mae, "solid"), ("RMSE", rmse, "dot")))
    ]  # fmt: skip
    known = [value for value in mae if value is not None]
    return Plot(
        name=f"learning-{number}",
        title=f"Error of {what} on held-out labels against labels",
        traces=traces,
        layout={
            "xaxis": axis("labels"),
            "yaxis": axis(f"held-out error of {what} ({shown})", rangemode="tozero"),
        },
        alt=f"The mean absolute error goes from {known[0]:.3g} to {known[-1]:.3g} {shown}."
        if known
        else "No errors are known yet.",
        caption="One point a round. One campaign is one sample: the curve has no error bars of its own; the "
        "gap between MAE and RMSE tells how much a few large errors weigh.",
    )


def _explored(history: Sequence[Mapping[str, Any]]) -> Plot:
    """How unsure the committee is of what explorers find."""
    known = [one for one in history if one.get("uncertainty") is not None]
    values = [MEV * one["uncertainty"] for one in known]
    return Plot(
        name="explored",
        title="Uncertainty of what was explored",
        traces=[
            {
                "type": "scatter", "mode": "lines+markers", "name": "95 % stay below",
                "x": [one["spent"]["labels"] for one in known], "y": values, "line": {"color": colour(3)},
                "marker": {"size": 8},
            }
        ],
        layout={
            "xaxis": axis("labels"),
            "yaxis": axis("calibrated deviation of forces (meV/Å)", rangemode="tozero"),
            "showlegend": False,
        },
        alt=f"It goes from {values[0]:.3g} to {values[-1]:.3g} meV/Å.",
        caption="Of 95 % of the structures that explorers found, the largest deviation of a force is "
        "smaller, once deviations are scaled by errors on held-out labels.",
    )  # fmt: skip


def rounds_table(history: Sequence[Mapping[str, Any]]) -> Table:
    """All that is counted in rounds."""
    keys = list(dict.fromkeys(key for one in history for key in one["heldout"]))
    best = list(dict.fromkeys(key for one in history for key in one.get("best", {})))
    return Table(
        caption="rounds",
        columns=(
            "round", "labels", "in the dataset", "refused", "failed", "node-hours of labels",
            *map(_title, keys), "surprise", *(f"best {key}" for key in best),
        ),
        rows=[
            [
                str(one["round"]), one["spent"]["labels"], one["records"], len(one.get("refused", {})),
                len(one.get("failed", ())), one["spent"]["node_hours"],
                *(scaled(key, one["heldout"].get(key)) for key in keys), one.get("surprise"),
                *(_plain(one.get("best", {}).get(key)) for key in best),
            ]
            for one in history
        ],
    )  # fmt: skip


def unit_of(key: str) -> tuple[float, str]:
    """What a held-out value is multiplied with to be shown, and the unit that it is in then."""
    unit = key.rpartition(" (")[2].rstrip(")") if key.endswith(")") else ""
    return (1000.0, UNITS_OF_MILLI[unit]) if unit in UNITS_OF_MILLI else (1.0, unit)


def _title(key: str) -> str:
    return key if not key.endswith(")") else f"{key.rpartition(' (')[0]} ({unit_of(key)[1]})"


def scaled(key: str, value: float | None) -> float | None:
    """A held-out value as it is shown; see :func:`unit_of`."""
    return None if value is None else unit_of(key)[0] * value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | type(None)) else str(value)
